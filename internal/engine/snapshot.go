package engine

import (
	"errors"
	"io"

	"github.com/redwingdb/redwing/internal/slots"
)

var (
	// ErrSnapshotOverrun is returned when writers handed over more than the queue's bound
	// before the caller took it. The snapshot is of no use then.
	ErrSnapshotOverrun = errors.New("engine: snapshot queue over its bound")
	// ErrTooManySnapshots is returned when maxSnapshots are live.
	ErrTooManySnapshots = errors.New("engine: too many snapshots")
)

const (
	// maxSnapshots bounds what a write may have to hand over to.
	maxSnapshots = 16
	// queueBytes is the default bound of a snapshot's queue.
	queueBytes = 64 << 20
	// pieceBytes is where a piece is full: one chain beyond it is the most it gets.
	pieceBytes = 64 << 10
)

// stride bounds what is read of a snapshot in one hold of a shard.
type stride struct {
	bytes  int // one chain or node beyond them
	chains int // of tables, or nodes
	roots  int // collections that are pinned, but for one chain
}

var defaultStride = stride{bytes: pieceBytes, chains: 128, roots: 16}

// SnapshotOptions say what a snapshot is of.
type SnapshotOptions struct {
	// Slots is the set of slots, nil for all. The snapshot keeps a copy.
	Slots *slots.Set
	// DB is the database; -1 is every visible one.
	DB int
	// AtCut, if not nil, is called once with every shard of the set locked: what the log
	// holds then is in the snapshot, and what comes later is not.
	AtCut func()
	// QueueBytes bounds what writers have handed over and the caller has not yet taken,
	// in bytes; 0: 64 MiB. Of values in spans and of big collections only what was changed
	// since counts: they are pinned, not copied.
	QueueBytes int64
	// Delay is for a user who takes all in the end, such as one that writes a file: while
	// the queue is more than half full writers are asked to wait (Keyspace.WriteDelay), and
	// it may grow beyond its bound by a twentieth of the memory used at the cut.
	Delay bool
	// Spill, if not nil, is for a user who may be slow, such as one that writes to a
	// socket: what the queue holds beyond half of its bound goes to the file, and writers
	// are asked to wait for that alone. Beyond SpillBytes (0: no limit) there, the bound
	// holds. Delay says nothing then.
	Spill      SpillFile
	SpillBytes int64
}

// Snapshot is the state of a set of slots at one instant, its cut, taken without stopping
// anybody: the caller walks the tables in pieces by calling Next, and writers hand over
// what they are about to change before the walker has come to it. Each key is given
// exactly once, as it was at the cut. One goroutine uses a Snapshot.
type Snapshot struct {
	k     *Keyspace
	slots *slots.Set
	walks []*walk // those that are not done
	queue queue
	batch *Batch // filled last; its pins are ours to take off
	spare [][]byte
}

// Snapshot cuts: it locks the shards of the set, calls AtCut and lets go. The caller
// must not hold any shard.
func (k *Keyspace) Snapshot(o SnapshotOptions) (*Snapshot, error) {
	s := &Snapshot{k: k}
	mask := k.AllShards()
	if o.Slots != nil {
		set := *o.Slots
		s.slots, mask = &set, 0
		for slot := range set.Each() {
			mask |= k.Mask(slot)
		}
	}
	if k.snapshots.Add(1) > maxSnapshots {
		k.snapshots.Add(-1)
		return nil, ErrTooManySnapshots
	}
	s.queue.init(k, &o)
	k.Lock(mask)
	defer k.Unlock(mask)
	for i := range k.shards {
		if mask&(1<<i) == 0 {
			continue
		}
		sh := &k.shards[i]
		for db := range sh.spaces {
			if db != o.DB && (o.DB != -1 || db == k.StagingDB()) {
				continue
			}
			if sp := sh.spaces[db].Load(); sp != nil {
				w := &walk{snap: s, sh: sh, sp: sp, db: db}
				sp.watches = append(sp.watches, watch{w, -1})
				s.walks = append(s.walks, w)
			}
		}
	}
	if o.AtCut != nil {
		o.AtCut()
	}
	return s, nil
}

// Next fills b with some entries: what writers handed over, or else what the walker finds
// in one bounded piece of its way. b's entries are good until the next call of Next or
// Close. It returns io.EOF after the last, ErrSnapshotOverrun past the bound, and errors of
// the file that it spills to.
func (s *Snapshot) Next(b *Batch) error {
	s.releaseBatch()
	p := &piece{buf: s.buffer()}
	for {
		queued, err := s.queue.take()
		if err != nil {
			s.recycle(queued)
			return err
		}
		if queued != nil {
			s.keepBuffer(p.buf)
			p = queued
			break
		}
		if len(s.walks) == 0 {
			s.keepBuffer(p.buf)
			return io.EOF
		}
		w := s.walks[0]
		mask := ShardMask(1) << w.sh.index
		s.k.Lock(mask)
		if w.stepLocked(p) {
			w.leaveLocked()
			s.walks = s.walks[1:]
		}
		s.k.Unlock(mask)
		if len(p.buf) > 0 {
			break
		}
	}
	b.piece = p
	s.batch = b
	return nil
}

func (s *Snapshot) buffer() []byte {
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, pieceBytes+4<<10)
}

func (s *Snapshot) keepBuffer(b []byte) {
	if len(s.spare) < 2 && cap(b) >= pieceBytes && cap(b) <= 4*pieceBytes {
		s.spare = append(s.spare, b)
	}
}

// recycle takes the pins of a piece off and keeps its buffer.
func (s *Snapshot) recycle(p *piece) {
	if p != nil {
		s.unpin(p)
		if !p.sealed { // it may still be being written
			s.keepBuffer(p.buf)
		}
	}
}

func (s *Snapshot) releaseBatch() {
	if s.batch == nil {
		return
	}
	p := s.batch.piece
	s.batch.piece, s.batch = nil, nil
	s.recycle(p)
}

func (s *Snapshot) unpin(p *piece) {
	for _, pin := range p.pins {
		if pin.sh == nil {
			continue
		}
		mask := ShardMask(1) << pin.sh.index
		s.k.Lock(mask)
		pin.sh.arena.Unpin(pin.ref)
		s.k.Unlock(mask)
	}
	for _, pin := range p.roots {
		pin.release()
	}
	p.pins, p.roots = nil, nil
}

// Close ends the snapshot, finished or not. Calling it again does nothing. The caller
// must not hold any shard.
func (s *Snapshot) Close() {
	if s.k == nil {
		return
	}
	s.releaseBatch()
	for _, w := range s.walks {
		mask := ShardMask(1) << w.sh.index
		s.k.Lock(mask)
		w.leaveLocked()
		s.k.Unlock(mask)
	}
	s.walks = nil
	for _, p := range s.queue.close() {
		s.unpin(p)
	}
	s.k.snapshots.Add(-1)
	s.k = nil
}
