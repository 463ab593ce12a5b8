package migration

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// Role is the side of a job that a node is on.
type Role string

// The sides of a job.
const (
	RoleSource Role = "export"
	RoleTarget Role = "import"
)

// Status is how far a job has come on this node, for people and for
// CLUSTER GETSLOTMIGRATIONS. Times are Unix milliseconds.
type Status struct {
	Job     string
	Role    Role
	Source  topology.ShardID
	Target  topology.ShardID
	Peer    topology.NodeID // the node at the other end
	Slots   slots.Set
	Attempt uint64
	Phase   string // state of the machine
	Outcome string // "", "success", "failed", "cancelled"
	// Message is the last error, or why the job ended.
	Message string

	KeysDone, KeysTotal int64 // of the snapshot
	BytesDone           int64 // sent or applied
	LagBytes            int64 // effects that the target has not applied
	Holds               int64 // holds given up before Ready
	Tries               int64 // connections made
	HeldMicros          int64 // how long everything was held at the last hand-over
	StartedMillis       int64
	UpdatedMillis       int64
	AckedMillis         int64 // when the other side last acknowledged or sent something
	EndedMillis         int64 // 0: not ended
}

// progress is the live form of a Status.
type progress struct {
	keysDone, keysTotal, bytes, lag, holds, tries, heldMicros, updated, acked atomic.Int64

	mu struct {
		sync.Mutex
		s Status
	}
}

func newProgress(role Role, i *moveInfo) *progress {
	p := &progress{}
	now := clock.WallMillis()
	p.mu.s = Status{Job: i.job, Role: role, Source: i.source, Target: i.target, Slots: i.slots, StartedMillis: now}
	p.updated.Store(now)
	return p
}

func (p *progress) set(change func(s *Status)) {
	p.mu.Lock()
	change(&p.mu.s)
	p.mu.Unlock()
	p.updated.Store(clock.WallMillis())
}

func (p *progress) fail(err error) {
	p.set(func(s *Status) {
		if s.EndedMillis == 0 {
			s.Message = err.Error()
		}
	})
}

func (p *progress) status() Status {
	p.mu.Lock()
	s := p.mu.s
	p.mu.Unlock()
	s.KeysDone, s.KeysTotal = p.keysDone.Load(), p.keysTotal.Load()
	s.BytesDone, s.LagBytes = p.bytes.Load(), p.lag.Load()
	s.Holds, s.Tries, s.HeldMicros = p.holds.Load(), p.tries.Load(), p.heldMicros.Load()
	s.UpdatedMillis, s.AckedMillis = p.updated.Load(), p.acked.Load()
	return s
}

// Status returns the jobs that this node drives or has driven, the oldest first, running
// ones last.
func (m *Mover) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := append([]Status(nil), m.mu.ended...)
	for _, s := range m.mu.sources {
		out = append(out, s.progress.status())
	}
	for _, t := range m.mu.targets {
		out = append(out, t.progress.status())
	}
	return out
}

// StatusOf returns how far an open job has come on this node; ok is false if this node
// has no part in it now.
func (m *Mover) StatusOf(job string) (s Status, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.mu.sources[job]; s != nil {
		return s.progress.status(), true
	}
	if t := m.mu.targets[job]; t != nil {
		return t.progress.status(), true
	}
	return Status{}, false
}

// Begin opens a job that moves set from shard source to shard target, and returns its
// name. It is done when the log shows its end.
func (m *Mover) Begin(ctx context.Context, source, target topology.ShardID, set slots.Set) (job string, err error) {
	var id [20]byte
	rand.Read(id[:])
	job = hex.EncodeToString(id[:])
	e := topology.BeginMove{Job: job, Source: source, Target: target, Slots: set}
	e.Request, e.AtMillis = "begin/"+job, clock.WallMillis()
	if _, err := m.o.Topology.Propose(ctx, e); err != nil {
		return "", fmt.Errorf("begin move %s: %w", job, err)
	}
	return job, nil
}

// Cancel ends a job, from any node. It returns topology.ErrUnknownMove if the job is not
// open, which is also so when it has just been committed.
func (m *Mover) Cancel(ctx context.Context, job string) error {
	var id [8]byte
	rand.Read(id[:])
	for try := 0; ; try++ {
		mv := m.o.Topology.View().Move(job)
		if mv == nil || !mv.IsOpen() {
			return fmt.Errorf("cancel move %s: %w", job, topology.ErrUnknownMove)
		}
		e := topology.AbortMove{Job: job, Attempt: mv.Attempt, Final: true, Reason: "cancelled"}
		e.Request = fmt.Sprintf("cancel/%s/%d/%s", job, mv.Attempt, hex.EncodeToString(id[:]))
		e.AtMillis = clock.WallMillis()
		_, err := m.o.Topology.Propose(ctx, e)
		if !errors.Is(err, topology.ErrStaleAttempt) || try == cancelTries {
			return err
		}
		if _, err := m.o.Topology.Fresh(ctx); err != nil {
			return err
		}
	}
}

// cancelTries bounds how often Cancel follows a job to its next attempt.
const cancelTries = 8
