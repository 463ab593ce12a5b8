package replication

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/redwingdb/redwing/internal/persist"
)

// sharing is a full sync of several replicas that read the same version: one snapshot,
// encoded once. Replicas join until its cut, so those that come while another snapshot of
// the node is under way share the next one.
//
//	gathering --delay is over, it has the turn--> cut --> the same bytes for each --> done
type sharing struct {
	r          *Replication
	latest     bool
	enough     chan struct{} // closed when no more replicas are waited for
	enoughOnce sync.Once
	members    []*member // guarded by r.mu until the cut; then those who are sent the data
}

// member is a replica of a sharing. Its own goroutine writes to it.
type member struct {
	a      *attached
	chunks chan []byte   // what to write, shared by all members; closed behind the last
	left   chan struct{} // closed by the replica's goroutine: it takes no more
	err    error         // why there is no more; set before chunks is closed
}

// chunksAhead is how many chunks a slow replica may be behind before the others wait. A
// replica that takes nothing at all is dropped by the timeout of its writes.
const chunksAhead = 32

var errNobodyLeft = errors.New("replication: every replica of a full sync has gone")

// sendShared sends the RDB as it is made, between two copies of a random mark, together
// with the other replicas that want one now.
func (a *attached) sendShared(ctx context.Context, _ bool) error {
	m := a.r.join(a)
	defer close(m.left)
	sign := a.r.o.Clock.After(time.Second) // of life, as long as there is nothing to send
	for {
		select {
		case b, ok := <-m.chunks:
			if !ok {
				return m.err
			}
			sign = nil
			if err := a.write(b); err != nil {
				return err
			}
		case <-sign:
			if err := a.write([]byte("\n")); err != nil {
				return err
			}
			sign = a.r.o.Clock.After(time.Second)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// join adds a replica to the sharing that gathers, or begins one. Who wants the RDB alone
// has it alone.
func (r *Replication) join(a *attached) *member {
	set := r.settings()
	m := &member{a: a, chunks: make(chan []byte, chunksAhead), left: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.mu.gathering[a.hs.latest]
	if s == nil || a.hs.rdbOnly {
		s = &sharing{r: r, latest: a.hs.latest, enough: make(chan struct{})}
		delay := set.SyncDelay
		if a.hs.rdbOnly {
			delay = 0
		} else {
			r.mu.gathering[a.hs.latest] = s
		}
		r.wg.Add(1)
		go func() {
			defer r.wg.Done()
			s.run(delay)
		}()
	}
	s.members = append(s.members, m)
	if len(s.members) == set.SyncReplicas {
		s.enoughOnce.Do(func() { close(s.enough) })
	}
	return m
}

// run carries the sync out and tells every member its end.
func (s *sharing) run(delay time.Duration) {
	err := s.send(delay)
	s.r.noteDropped(err)
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.closeLocked()
	for _, m := range s.members {
		m.err = err
		close(m.chunks)
	}
}

// closeLocked lets nobody join any more. REQUIRES: r.mu held.
func (s *sharing) closeLocked() {
	if s.r.mu.gathering[s.latest] == s {
		delete(s.r.mu.gathering, s.latest)
	}
}

func (s *sharing) send(delay time.Duration) error {
	r := s.r
	if delay > 0 {
		select {
		case <-r.o.Clock.After(delay):
		case <-s.enough:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
	if _, err := r.o.Turns.Take(r.ctx, persist.TurnSync, nil); err != nil {
		return err
	}
	defer r.o.Turns.Done()
	c, err := r.takeCut(func() (list []*attached) {
		s.closeLocked()
		for _, m := range s.members {
			list = append(list, m.a)
		}
		return list
	})
	if err != nil {
		return err
	}
	defer c.close()
	var random [20]byte
	_, _ = rand.Read(random[:]) // it never fails (crypto/rand)
	mark := hex.EncodeToString(random[:])
	if _, err := s.Write(append(c.announcement(), "$EOF:"+mark+"\r\n"...)); err != nil {
		return err
	}
	if err := r.writeRDB(r.ctx, s, c, s.latest); err != nil {
		return err
	}
	_, err = s.Write([]byte(mark))
	return err
}

// Write gives b to every member that is left.
func (s *sharing) Write(b []byte) (int, error) {
	b = append([]byte(nil), b...)
	some := false
	for _, m := range s.members {
		select {
		case <-m.left:
			continue
		default:
		}
		select {
		case m.chunks <- b:
			some = true
		case <-m.left:
		case <-s.r.ctx.Done():
			return 0, s.r.ctx.Err()
		}
	}
	if !some {
		return 0, errNobodyLeft
	}
	return len(b), nil
}
