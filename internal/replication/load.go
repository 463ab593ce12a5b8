package replication

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/slots"
)

// eofMark is how long the mark at the end of an RDB of unknown length is.
const eofMark = 40

// load takes the data set of the primary, which begins history id at offset. This
// node's data go once the RDB has shown whose it is, and not before.
func (s *session) load(id ID, offset int64) error {
	r := s.r
	s.l.loaded.Store(0)
	s.l.total.Store(0)
	header, err := s.line()
	if err != nil {
		return err
	}
	stop := s.pulse()
	defer stop()
	var ld loader
	if mark, ok := strings.CutPrefix(header, "$EOF:"); ok && len(mark) == eofMark {
		if err = s.loadRDB(&ld, s.in); err == nil {
			err = expectMark(s.in, mark)
		}
	} else if n, perr := strconv.ParseInt(strings.TrimPrefix(header, "$"), 10, 64); perr == nil && n >= 0 && header[0] == '$' {
		s.l.total.Store(n)
		limited := &io.LimitedReader{R: s.in, N: n}
		sized := bufio.NewReaderSize(limited, 64<<10)
		if err = s.loadRDB(&ld, sized); err == nil && (limited.N > 0 || sized.Buffered() > 0) {
			err = errors.New("replication: the RDB ends before its length")
		}
	} else {
		return fmt.Errorf("replication: primary announces an RDB by %q", header)
	}
	if err != nil {
		if ld.begun {
			r.dropData() // a part of a data set is none
			if !r.o.Cluster {
				r.loading.Store(false) // as Redis: a stale replica that has no keys
			}
		}
		return fmt.Errorf("full sync: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.link != s.l {
		return context.Canceled
	}
	r.o.Log.Reset(offset)
	r.o.Log.SetBacklog(true, r.settings().BacklogBytes)
	r.mu.history = history{id: id, id2: noID, second: -1}
	r.mu.mark = ld.mark
	r.mu.streamDB = ld.streamDB
	r.mu.dirty = false
	r.loading.Store(false)
	r.linkUpLocked(max(s.mark.Term, ld.mark.Term))
	r.dropReplicasLocked("the data were replaced")
	r.log.Info("full sync", zap.Int64("offset", offset), zap.Int64("keys", ld.keys))
	return nil
}

// pulse sends newlines while this node loads, so that the primary knows it alive.
func (s *session) pulse() (stop func()) {
	ctx, cancel := context.WithCancel(s.l.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.r.o.Clock.After(housePeriod):
			}
			s.out.Lock()
			err := s.writeLocked([]byte("\n"))
			s.out.Unlock()
			if err != nil {
				return // the reading side meets the same end
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// expectMark takes the mark that ends an RDB of unknown length.
func expectMark(in *bufio.Reader, want string) error {
	var got [eofMark]byte
	if _, err := io.ReadFull(in, got[:]); err != nil {
		return err
	}
	if string(got[:]) != want {
		return errors.New("replication: the RDB does not end with its mark")
	}
	return nil
}

// loader is what loadRDB has found.
type loader struct {
	begun    bool // this node's own data are gone
	mark     Mark
	streamDB int
	keys     int64
}

// loadRDB reads an RDB into the keyspace.
func (s *session) loadRDB(ld *loader, src *bufio.Reader) error {
	r := s.r
	// Expired keys are taken too: their deletion comes by the stream.
	got, err := persist.Read(s.l.ctx, src, persist.ReadOptions{
		Keyspace: r.o.Keyspace, MaxString: maxStreamBulk,
		Begin:    func(p persist.Position) error { return s.beginLoad(ld, p) },
		Progress: func(p *persist.Loaded) { s.l.usedMem.Store(p.UsedMem) },
	})
	if err != nil {
		return err
	}
	r.o.Libraries.Replace(got.Libraries)
	r.o.Keyspace.NoteChanges(0, got.Keys) // a file is older than that
	ld.keys = got.Keys
	return nil
}

// beginLoad drops this node's data, if the RDB is that of the primary it follows.
func (s *session) beginLoad(ld *loader, p persist.Position) error {
	r := s.r
	ld.streamDB = p.StreamDB
	if p.Mark != "" {
		var ok bool
		if ld.mark, ok = ParseMark(p.Mark); !ok {
			return fmt.Errorf("replication: mark %q in the RDB", p.Mark)
		}
	}
	r.mu.Lock()
	switch {
	case r.mu.link != s.l:
		r.mu.Unlock()
		return context.Canceled
	case r.o.Cluster && ld.mark != s.mark:
		r.mu.Unlock()
		return fmt.Errorf("replication: the RDB is of %q, wanted is %q", ld.mark, s.mark)
	case r.o.Cluster && r.mu.mark.sameShard(ld.mark) && r.mu.mark.Term > ld.mark.Term:
		r.mu.Unlock()
		return fmt.Errorf("replication: the RDB is of term %d, this copy has term %d", ld.mark.Term, r.mu.mark.Term)
	}
	r.mu.dirty, r.mu.resume = true, false
	s.l.loadAt.Store(r.o.Clock.Now().Unix())
	r.loading.Store(true)
	r.mu.Unlock()
	ld.begun = true
	r.dropData()
	return nil
}

// dropData empties the keyspace and tells that.
func (r *Replication) dropData() {
	ks := r.o.Keyspace
	all := ks.AllShards()
	ks.Own(all)
	ks.FlushAll()
	ks.Flush(ks.StagingDB())
	r.o.Log.Seal(true) // writes of this node's own that it has refused are gone too
	ks.Disown(all)
	if w := r.hearers.Watches; w != nil {
		every := slots.All()
		w.DirtySlots(&every)
	}
	if r.o.Dropped != nil {
		r.o.Dropped()
	}
}
