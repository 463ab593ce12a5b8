package transfer

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/resp"
)

// Watch has the flow tell the source's own deletions, of keys and fields whose time has
// come, from what clients write, until it meets a write by a client, which it remembers.
// Each deletion takes a question to the cluster.
func (f *Flow) Watch(on bool) { f.watched.Store(on) }

// own reports whether a request of the stream is the source's own deletion. It is told by
// the cluster: the key still has, behind all that was sent for it, the expiry that it had at
// the source; or it has ended there by itself already.
func (f *Flow) own(ctx context.Context, name string, args [][]byte) (bool, error) {
	if !f.watched.Load() || len(args) < 2 {
		return false, nil
	}
	due := false
	if op, ok := question(name, args); ok && f.m.dirty[string(op.Keys[0])] == nil { // else the cluster does not know
		r, err := f.ask(op)
		if err == nil {
			due, err = f.due(ctx, r)
		}
		if err != nil {
			return false, err
		}
	}
	if !due {
		text := fmt.Sprintf("%s %.64q", strings.ToUpper(name), args[1])
		f.lastWrite.Store(&text)
		f.watched.Store(false)
	}
	return due, nil
}

// question returns what to ask the cluster about a request that may be the source's own
// deletion.
func question(name string, args [][]byte) (op Op, ok bool) {
	switch {
	case len(args) == 2 && (name == "del" || name == "unlink"):
		return Op{Keys: args[1:2], Args: [][]byte{word("PEXPIRETIME"), args[1]}}, true
	case len(args) > 2 && name == "hdel":
		ask := [][]byte{word("HPEXPIRETIME"), args[1], word("FIELDS"), strconv.AppendInt(nil, int64(len(args)-2), 10)}
		return Op{Keys: args[1:2], Args: append(ask, args[2:]...)}, true
	}
	return op, false
}

// askMost is how many questions are asked at once.
const askMost = 1000

// ask asks the cluster, and about the deletions that follow in the stream at the same time:
// what expires does so by the thousand. Their keys differ, so that no answer depends on what
// becomes of a request before.
func (f *Flow) ask(op Op) (Reply, error) {
	key := string(op.Keys[0])
	if f.asked[key] == nil {
		if err := f.askAhead(op); err != nil {
			return Reply{}, err
		}
	}
	a := <-f.asked[key]
	delete(f.asked, key)
	if a.err != nil {
		return f.sender.Call(op) // by itself, as often as it takes
	}
	return a.reply, nil
}

// askAhead asks op and what follows.
func (f *Flow) askAhead(op Op) error {
	clear(f.asked)
	parser := resp.Parser{MaxBulk: -1}
	for rest := f.rest; ; {
		next := make(chan answer, 1)
		if err := f.sender.send(op, next); err != nil {
			return err
		}
		f.asked[string(op.Keys[0])] = next
		if len(f.asked) == askMost || len(rest) == 0 || rest[0] != '*' {
			return nil
		}
		args, used, err := parser.Next(rest)
		if err != nil || used == 0 || len(args) == 0 {
			return nil // what is damaged shows when its turn comes
		}
		var ok bool
		if op, ok = question(strings.ToLower(string(args[0])), args); !ok || f.asked[string(op.Keys[0])] != nil {
			return nil
		}
		rest = rest[used:]
	}
}

// skewEvery is how often the source is asked for its time.
const skewEvery = time.Second

// due reports whether all times in the answer to a question have come at the source. What
// is not there any more was due.
func (f *Flow) due(ctx context.Context, r Reply) (bool, error) {
	now := time.Now()
	if now.Sub(f.skewAt) > skewEvery {
		at, err := f.fetcher.now(ctx)
		if err != nil {
			return false, err
		}
		f.skew, f.skewAt = at+1-now.UnixMilli(), now // rather too late than too early
	}
	times := r.Elems
	if r.Kind == ':' {
		times = []Reply{r}
	}
	for _, t := range times {
		const none = -1
		at := t.Int
		if at >= shiftedFrom(now.UnixMilli()) {
			at -= shiftMillis
		}
		if at == none || at > now.UnixMilli()+f.skew {
			return false, nil
		}
	}
	return true, nil
}

// now returns the source's time in Unix milliseconds.
func (f *fetcher) now(ctx context.Context) (at int64, err error) {
	err = f.try(ctx, func() error {
		r, err := f.c.Do("TIME")
		at = millis(r)
		return err
	})
	return at, err
}
