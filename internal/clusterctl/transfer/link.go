package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// link is the connection to a source, made again when it breaks. What comes goes into the
// spools of a history; whatever was received counts as applied, since it is this process
// that would lose it.
//
//	ask --FULLRESYNC--> RDB of a new history --its end--> stream --broken--> pause --> ask
//	 |--CONTINUE------------------------------------------^
//	 '--no answer, or refused--> pause, longer each time --> ask
//
// It asks for the stream from where it was received, or within an RDB for all anew. It ends
// when nothing has come for the endpoint's timeout, or by more than maxRestarts histories.
type link struct {
	ep  Endpoint
	dir string // of temporary files
	// tell hears what becomes of the connection.
	tell func(text string)

	histories chan *history // has room for one: the latest that was not taken
	failures  patience      // of run
	resumed   atomic.Int64
	restarted atomic.Int64

	mu struct {
		sync.Mutex
		src  *Source // the last one
		down string  // why there is no connection now; "" if there is one
		end  error   // of run
	}
}

// history is what a source sends from one FULLRESYNC to the next.
type history struct {
	offset      int64 // where the stream begins
	rdb, stream *Spool
	whole       bool // all of the RDB was received
	over        atomic.Bool
}

const (
	spoolMemory = 64 << 20
	// maxRestarts bounds how often a source may begin anew.
	maxRestarts = 5
)

func newLink(ep Endpoint, dir string, tell func(string)) *link {
	return &link{ep: ep, dir: dir, tell: tell, histories: make(chan *history, 1), failures: patience{limit: ep.timeout()}}
}

// run connects until ctx ends or the source cannot be had any more.
func (l *link) run(ctx context.Context) {
	var h *history
	err := l.loop(ctx, &h)
	if h != nil {
		h.end(err)
	}
	l.mu.Lock()
	l.mu.end = err
	l.mu.Unlock()
	close(l.histories)
}

func (l *link) loop(ctx context.Context, h **history) error {
	for {
		err := l.connect(ctx, h)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case *h == nil, errors.Is(err, errTemporary), errors.Is(err, errRestarts), lastWord(err):
			return err
		}
		pause, more := l.failures.failed(time.Now())
		if !more {
			return fmt.Errorf("no link to the source any more, after %d tries in %v: %w", l.failures.tries, time.Since(l.failures.since).Round(time.Second), err)
		}
		l.broken(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lastWord reports whether a server has answered what it will answer again.
func lastWord(err error) bool {
	var refusal *ReplyError
	return errors.As(err, &refusal) && classify([]byte(refusal.Text)) == fatal
}

// connect makes a connection and takes what comes, until it breaks.
func (l *link) connect(ctx context.Context, h **history) error {
	o := SyncOptions{}
	if *h != nil && (*h).whole {
		o.ReplID, o.Offset = l.id(), l.received()
	}
	src, err := Sync(ctx, l.ep, o)
	if err != nil {
		return err
	}
	defer src.Close()
	if src.Continued {
		l.resumed.Add(1)
		l.tell(fmt.Sprintf("%s: the link is back: it goes on at offset %d", l.ep.Addr, src.Offset))
	} else if err := l.begin(src, h); err != nil {
		return err
	}
	l.mu.Lock()
	l.mu.src, l.mu.down = src, ""
	l.mu.Unlock()
	if !src.Continued {
		l.histories <- *h
	}
	err = src.Receive(ctx, (*h).rdb, (*h).stream)
	if (*h).whole = (*h).rdb.ended(); src.Received() > src.Offset || !src.Continued {
		l.failures.worked()
	}
	return err
}

// errRestarts is returned when a source has begun anew too often.
var errRestarts = errors.New("the source has begun anew too often")

// begin makes the history of a FULLRESYNC the current one.
func (l *link) begin(src *Source, h **history) error {
	if *h != nil {
		if l.restarted.Load() == maxRestarts {
			return fmt.Errorf("%w (%d times): it needs a larger client-output-buffer-limit replica, or repl-backlog-size", errRestarts, maxRestarts)
		}
		l.restarted.Add(1)
		(*h).over.Store(true)
		(*h).end(ErrRestarted)
		why := "the source cannot go on from there (FULLRESYNC)"
		if !(*h).whole {
			why = "the link broke within the snapshot"
		}
		l.tell(l.ep.Addr + ": " + why + ": its data are copied anew; what was copied of them before is deleted first")
	}
	select {
	case old := <-l.histories:
		old.close()
	default:
	}
	*h = &history{offset: src.Offset, rdb: NewSpool(spoolMemory, l.dir), stream: NewSpool(spoolMemory, l.dir)}
	return nil
}

// broken notes why there is no connection, and says so at first.
func (l *link) broken(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.down == "" {
		l.tell(fmt.Sprintf("%s: the link to the source broke (%v): it is made again", l.ep.Addr, err))
	}
	l.mu.down = fmt.Sprintf("no link to %s for %v", l.ep.Addr, time.Since(l.failures.since).Round(time.Second))
}

// down says why there is no connection; "" if there is one.
func (l *link) down() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.down
}

// id returns the replication id of the history; "" before the first.
func (l *link) id() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.src == nil {
		return ""
	}
	return l.mu.src.ReplID
}

// received returns the offset up to which the stream was received.
func (l *link) received() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.src == nil {
		return 0
	}
	return l.mu.src.Received()
}

// acknowledge tells the source at once how far the stream was received.
func (l *link) acknowledge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.src.Acknowledge()
}

// take returns the latest history, when there is one that was not taken.
func (l *link) take(ctx context.Context) (*history, error) {
	select {
	case h, ok := <-l.histories:
		if !ok {
			l.mu.Lock()
			defer l.mu.Unlock()
			return nil, l.mu.end
		}
		return h, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end ends both spools. What they hold can still be read.
func (h *history) end(err error) {
	h.rdb.CloseWrite(err) // after the end of the RDB this says nothing new
	h.stream.CloseWrite(err)
}

func (h *history) close() {
	h.rdb.Close()
	h.stream.Close()
}
