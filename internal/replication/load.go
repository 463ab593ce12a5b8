package replication

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
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
	r.log.Info("full sync", zap.Int64("offset", offset), zap.Int("keys", ld.keys))
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
	keys     int
}

// loadRDB reads an RDB into the keyspace.
func (s *session) loadRDB(ld *loader, src *bufio.Reader) error {
	r := s.r
	ks := r.o.Keyspace
	ld.streamDB = -1
	in := rdb.NewReader(src, rdb.ReaderOptions{MaxString: maxStreamBulk, MaxDB: ks.Databases() - 1})
	for {
		ev, err := in.Next()
		if err != nil {
			return err
		}
		if ev == rdb.EventAux {
			if err := s.loadAux(ld, in.Aux.Name, in.Aux.Value); err != nil {
				return err
			}
			continue
		}
		if !ld.begun {
			if err := s.beginLoad(ld); err != nil {
				return err
			}
		}
		switch ev {
		case rdb.EventFunction:
			r.log.Warn("function library of the primary left out")
		case rdb.EventKey:
			if err := r.loadKey(&in.Key); err != nil {
				return err
			}
			ld.keys++
		case rdb.EventEnd:
			return nil
		}
	}
}

func (s *session) loadAux(ld *loader, name, value string) error {
	switch name {
	case auxMark:
		m, ok := ParseMark(value)
		if !ok || ld.begun {
			return fmt.Errorf("replication: mark %q in the RDB", value)
		}
		ld.mark = m
	case "repl-stream-db":
		n, err := strconv.Atoi(value)
		if err != nil || n < -1 || n >= s.r.o.Keyspace.Databases() {
			return fmt.Errorf("replication: the stream is in database %q", value)
		}
		ld.streamDB = n
	}
	return nil
}

// beginLoad drops this node's data, if the RDB is that of the primary it follows.
func (s *session) beginLoad(ld *loader) error {
	r := s.r
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
	if r.watches != nil {
		every := slots.All()
		r.watches.DirtySlots(&every)
	}
	if r.o.Dropped != nil {
		r.o.Dropped()
	}
}

// loadKey puts one key into the keyspace. Expired ones too: their deletion comes by
// the stream.
func (r *Replication) loadKey(k *rdb.Key) error {
	slot := slots.Of(k.Key)
	m := r.o.Keyspace.Mask(slot)
	r.o.Keyspace.Lock(m)
	defer r.o.Keyspace.Unlock(m)
	a := r.o.Keyspace.Access(k.DB, time.Now().UnixMilli(), engine.ModeApply)
	return a.SetString(slot, k.Key, k.Value, k.ExpireAt)
}
