package command

import (
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Waits knows which blocked commands wait for which keys, in the order in which they
// blocked. What concerns a key is guarded by the lock of its data shard, so that to find
// nothing there and to wait for it are one; while nobody waits a write pays one atomic
// load.
type Waits struct {
	ks     *engine.Keyspace
	count  atomic.Int64 // places in queues
	keys   atomic.Int64 // queues
	gone   atomic.Int64 // queues with somebody who waits for the key's end, too
	shards []map[watchKey]*waitQueue
}

// waitQueue are those who wait for one key. Guarded by the key's data shard.
type waitQueue struct {
	id          watchKey
	slot        slots.Slot
	first, last *waitPlace
	gone        int    // those that are served when the key goes, too
	wide        *needs // of those that need more than the key's shard; nil: none ever did
	ready       bool   // in the list of somebody who will serve it
}

// waitPlace is the place of a Wait in the queue of one of its keys.
type waitPlace struct {
	w          *Wait
	id         watchKey
	slot       slots.Slot
	q          *waitQueue // nil once left
	prev, next *waitPlace
}

// needs sums up what the waiters of a key need beyond its shard.
type needs struct {
	shards  [64]int // how many need this shard
	mask    engine.ShardMask
	targets map[watchKey]int // keys that their commands may make ready in turn
}

// NewWaits returns the table of the keys of ks.
func NewWaits(ks *engine.Keyspace) *Waits {
	return &Waits{ks: ks, shards: make([]map[watchKey]*waitQueue, ks.NumShards())}
}

// Active reports whether anybody waits for a key.
func (t *Waits) Active() bool { return t.count.Load() != 0 }

// Keys returns the number of keys waited for, and of those whose end is waited for too.
func (t *Waits) Keys() (all, gone int64) { return t.keys.Load(), t.gone.Load() }

// find returns the queue of a key, or nil. REQUIRES: the slot's shard locked or owned.
func (t *Waits) find(db int, slot slots.Slot, key []byte) *waitQueue {
	var room [128]byte
	return t.shards[t.ks.ShardOf(slot)][watchKey(appendWatchKey(room[:0], db, key))]
}

// enter puts w at the end of the queue of each of its keys. REQUIRES: the shards of w
// locked or owned.
func (t *Waits) enter(w *Wait) {
	for i := range w.places {
		p := &w.places[i]
		shard := t.ks.ShardOf(p.slot)
		if t.shards[shard] == nil {
			t.shards[shard] = make(map[watchKey]*waitQueue)
		}
		q := t.shards[shard][p.id]
		if q == nil {
			q = &waitQueue{id: p.id, slot: p.slot}
			t.shards[shard][p.id] = q
			t.keys.Add(1)
		}
		p.w, p.q, p.prev = w, q, q.last
		if q.last != nil {
			q.last.next = p
		} else {
			q.first = p
		}
		q.last = p
		t.count.Add(1)
		t.weigh(q, w, 1)
	}
}

// leave takes a place out of its queue. REQUIRES: the shard of its key locked or owned.
func (t *Waits) leave(p *waitPlace) {
	q := p.q
	if q == nil {
		return
	}
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		q.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		q.last = p.prev
	}
	p.q, p.prev, p.next = nil, nil, nil
	t.count.Add(-1)
	t.weigh(q, p.w, -1)
	if q.first == nil {
		delete(t.shards[t.ks.ShardOf(q.slot)], q.id)
		t.keys.Add(-1)
	}
}

// weigh adds what w needs to q's sums, or takes it off.
func (t *Waits) weigh(q *waitQueue, w *Wait, sign int) {
	if w.whenGone {
		before := q.gone
		if q.gone += sign; (before == 0) != (q.gone == 0) {
			t.gone.Add(int64(sign))
		}
	}
	if w.need == t.ks.Mask(q.slot) && len(w.targets) == 0 {
		return
	}
	if q.wide == nil {
		q.wide = &needs{targets: make(map[watchKey]int)}
	}
	for i := range q.wide.shards {
		m := engine.ShardMask(1) << i
		if w.need&m == 0 {
			continue
		}
		if q.wide.shards[i] += sign; q.wide.shards[i] > 0 {
			q.wide.mask |= m
		} else {
			q.wide.mask &^= m
		}
	}
	for _, id := range w.targets {
		if q.wide.targets[id] += sign; q.wide.targets[id] == 0 {
			delete(q.wide.targets, id)
		}
	}
}

// db returns the database of the key.
func (q *waitQueue) db() int { return watchDB(q.id) }

// Gone has those who wait for the end of a key run again from their gates: the engine
// has deleted it. REQUIRES: the slot's shard locked or owned.
func (t *Waits) Gone(db int, slot slots.Slot, key []byte) {
	if t.gone.Load() == 0 {
		return
	}
	if q := t.find(db, slot, key); q != nil {
		for p := q.first; p != nil; p = p.next {
			if p.w.whenGone {
				p.w.again()
			}
		}
	}
}

// RetryAll has every blocked command of the keys that which names, or of all keys if it
// is nil, run again from its gates: what it was admitted by may hold no more. It locks
// one data shard after the other and may block.
func (t *Waits) RetryAll(which func(db int, slot slots.Slot) bool) {
	for shard := range t.shards {
		if !t.Active() {
			return
		}
		m := engine.ShardMask(1) << shard
		t.ks.Lock(m)
		for _, q := range t.shards[shard] {
			if which == nil || which(q.db(), q.slot) {
				for p := q.first; p != nil; p = p.next {
					p.w.again()
				}
			}
		}
		t.ks.Unlock(m)
	}
}
