package command

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Watches knows which keys are watched by which transactions. A key's watchers are
// guarded by the lock of its data shard, so that a change of the key and the word of
// it are one; while nobody watches anything a write pays one atomic load.
type Watches struct {
	ks     *engine.Keyspace
	count  atomic.Int64 // watched keys
	shards []map[watchKey][]*Watch
}

// Hearers are told of keys that change; each may be nil.
type Hearers struct {
	Watches *Watches
	Waits   *Waits
	Events  *Events
	// Publish sends a message of a stream to the subscribers of this node.
	Publish func(shard bool, channel, payload []byte)
}

// watchKey is the database (four bytes, little endian) and the key.
type watchKey string

// Watch is what one connection watches between its first WATCH and its EXEC, DISCARD
// or UNWATCH. It is never used again once dropped. All but the dirty mark belongs to
// the connection.
type Watch struct {
	table *Watches
	keys  []watched
	mask  engine.ShardMask
	dirty atomic.Bool
}

type watched struct {
	id      watchKey
	slot    slots.Slot
	existed bool // at the time of WATCH
}

// NewWatches returns the table of the keys of ks.
func NewWatches(ks *engine.Keyspace) *Watches {
	return &Watches{ks: ks, shards: make([]map[watchKey][]*Watch, ks.NumShards())}
}

// Active reports whether any key is watched.
func (t *Watches) Active() bool { return t.count.Load() != 0 }

// NewWatch returns a Watch of no keys.
func (t *Watches) NewWatch() *Watch { return &Watch{table: t} }

// Touch makes all transactions that watch key of database db fail. REQUIRES: the
// slot's shard locked or owned.
func (t *Watches) Touch(db int, slot slots.Slot, key []byte) {
	if !t.Active() {
		return
	}
	var room [128]byte
	id := appendWatchKey(room[:0], db, key)
	keys := t.shards[t.ks.ShardOf(slot)]
	watchers, ok := keys[watchKey(id)]
	if !ok {
		return
	}
	for _, w := range watchers {
		w.dirty.Store(true)
	}
	delete(keys, watchKey(id))
	t.count.Add(-1)
}

// DirtySlots makes the transactions fail that watch a key of set: the slots have left
// this node. It locks one data shard after the other and may block.
func (t *Watches) DirtySlots(set *slots.Set) {
	for shard := range t.shards {
		if !t.Active() {
			return
		}
		m := engine.ShardMask(1) << shard
		t.ks.Lock(m)
		for id, watchers := range t.shards[shard] {
			if !set.Has(slots.Of([]byte(id[4:]))) {
				continue
			}
			for _, w := range watchers {
				w.dirty.Store(true)
			}
			delete(t.shards[shard], id)
			t.count.Add(-1)
		}
		t.ks.Unlock(m)
	}
}

// TouchKeys makes all transactions fail that watch a key of the databases a or b:
// their keys have changed places. REQUIRES: all shards locked or owned.
func (t *Watches) TouchKeys(a, b int) {
	for _, keys := range t.shards {
		for id, watchers := range keys {
			if db := int(binary.LittleEndian.Uint32([]byte(id[:4]))); db != a && db != b {
				continue
			}
			for _, w := range watchers {
				w.dirty.Store(true)
			}
			delete(keys, id)
			t.count.Add(-1)
		}
	}
}

// Add watches key in the database of a. REQUIRES: the slot's shard locked.
func (w *Watch) Add(a *engine.Access, slot slots.Slot, key []byte) {
	t := w.table
	id := watchKey(appendWatchKey(nil, a.DB(), key))
	for i := range w.keys {
		if w.keys[i].id == id {
			return
		}
	}
	_, existed := a.Peek(slot, key)
	w.keys = append(w.keys, watched{id, slot, existed})
	w.mask |= t.ks.Mask(slot)
	if w.dirty.Load() {
		return // it will fail whatever happens to this key
	}
	shard := t.ks.ShardOf(slot)
	if t.shards[shard] == nil {
		t.shards[shard] = make(map[watchKey][]*Watch)
	}
	if len(t.shards[shard][id]) == 0 {
		t.count.Add(1)
	}
	t.shards[shard][id] = append(t.shards[shard][id], w)
}

// Mask returns the data shards of the watched keys.
func (w *Watch) Mask() engine.ShardMask { return w.mask }

// Slots yields the slots of the watched keys.
func (w *Watch) Slots(yield func(slots.Slot) bool) {
	for i := range w.keys {
		if !yield(w.keys[i].slot) {
			return
		}
	}
}

// Failed reports whether a watched key has changed, or expired since it was watched.
// at gives access to a database. REQUIRES: the shards of Mask locked or owned.
func (w *Watch) Failed(at func(db int) engine.Access) bool {
	if w.dirty.Load() {
		return true
	}
	for i := range w.keys {
		k := &w.keys[i]
		a := at(int(binary.LittleEndian.Uint32([]byte(k.id[:4]))))
		if _, exists := a.Peek(k.slot, []byte(k.id[4:])); exists != k.existed {
			return true
		}
	}
	return false
}

// DropLocked ends the watch of the keys in the shards of m. REQUIRES: the shards of m
// locked or owned.
func (w *Watch) DropLocked(m engine.ShardMask) {
	t := w.table
	for i := range w.keys {
		k := &w.keys[i]
		if t.ks.Mask(k.slot)&m == 0 {
			continue
		}
		keys := t.shards[t.ks.ShardOf(k.slot)]
		watchers := keys[k.id]
		for j, other := range watchers {
			if other != w {
				continue
			}
			watchers[j] = watchers[len(watchers)-1]
			watchers[len(watchers)-1] = nil
			watchers = watchers[:len(watchers)-1]
			if len(watchers) == 0 {
				delete(keys, k.id)
				t.count.Add(-1)
			} else {
				keys[k.id] = watchers
			}
			break
		}
	}
	w.mask &^= m
}

// TryDrop ends the watch where no shard has an owner. It returns false if one has;
// Drop, which may block, then does the rest. REQUIRES: no shard locked by the caller.
func (w *Watch) TryDrop() bool {
	for rest := w.mask; rest != 0; rest &= rest - 1 {
		m := rest & -rest
		if w.table.ks.TryLock(m, nil) {
			w.DropLocked(m)
			w.table.ks.Unlock(m)
		}
	}
	return w.mask == 0
}

// Drop ends the watch; it parks while a shard has an owner.
func (w *Watch) Drop() {
	for w.mask != 0 {
		m := w.mask & -w.mask
		w.table.ks.Lock(m)
		w.DropLocked(m)
		w.table.ks.Unlock(m)
	}
}

func appendWatchKey(dst []byte, db int, key []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(db)), key...)
}

// touchKeys tells the watchers of the keys that the command may have changed.
func (c *Ctx) touchKeys() {
	if i := c.onlyArg; i != 0 {
		c.Watches.Touch(c.DB.DB(), c.Slot(i), c.Args[i])
		return
	}
	var room [16]KeyRef
	keys, _ := c.Spec.AppendKeys(room[:0], c.Args)
	for _, k := range keys {
		if k.Flags&(KeyRO|NotKey) == 0 {
			c.Watches.Touch(c.DB.DB(), c.Slot(k.Arg), c.Args[k.Arg])
		}
	}
}

// TouchIn says that the key at argument i changed in another database than the
// connection's (MOVE, COPY with DB); who waits for it there is served. REQUIRES: as for
// Changed.
func (c *Ctx) TouchIn(db, i int) {
	c.ReadyIn(db, c.Slot(i), c.Args[i])
	if c.Watches != nil {
		c.Watches.Touch(db, c.Slot(i), c.Args[i])
	}
}
