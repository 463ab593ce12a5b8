package engine

import (
	"sync/atomic"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// shard is a data shard: one lock, one arena, and its slots of every database.
type shard struct {
	lock    shardLock
	arena   *arena.Arena
	index   int
	spaces  []atomic.Pointer[space]        // by database; written under lock, nil until its first key
	graves  []*grave                       // guarded by lock: what was detached and is freed in steps
	roots   []deadRoot                     // guarded by lock: big values that are freed in steps, last one first
	seed    uint64                         // guarded by lock: state of draw
	pinned  map[unsafe.Pointer]*pinnedRoot // guarded by lock: by the address of the root
	burial  burial
	buried  atomic.Int32 // len(graves) + len(roots), for those without the lock
	changes atomic.Int64 // what NoteChanges has counted
	digits  pairDigits   // guarded by lock: where integers of a listpack are formatted for callbacks
	_       [32]byte     // keeps the locks of neighbours on different cache lines
}

// space is the slots of one shard in one database. All but the counters is guarded by
// the shard's lock. FLUSH* and SWAPDB move spaces between databases, never their contents.
type space struct {
	headers  []table.Header // by local slot number
	volatil  []uint32       // keys with an expiry, by local slot number
	keys     atomic.Int64
	volatile atomic.Int64
	rehashes bitset // local slots whose table has a rehash in progress

	noWheel     bool // staged slots do not expire
	fieldExpiry bool // a hash here has had fields with an expiry
	wheel       *wheel
	refill      refill

	watches []watch // live snapshots that have this space and are not through with it
	hooks   []hook  // by local slot number; made when first watched
}

// watch is the interest of a snapshot in a space: in all slots that it covers, or in one.
type watch struct {
	walk *walk
	only int32 // local slot number, -1: all
}

// hook is what a table calls before it changes while its space is watched.
type hook struct {
	sp    *space
	local uint32
}

type bitset []uint64

func (b bitset) has(i uint32) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b bitset) set(i uint32)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) clear(i uint32)    { b[i>>6] &^= 1 << (i & 63) }

func (k *Keyspace) newSpace(db int) *space {
	n := slots.Count / len(k.shards)
	return &space{
		headers:  make([]table.Header, n),
		volatil:  make([]uint32, n),
		rehashes: make(bitset, (n+63)/64),
		noWheel:  db == k.StagingDB(),
	}
}

func (sp *space) headerBytes() int64 {
	return int64(len(sp.headers)) * int64(unsafe.Sizeof(table.Header{})+unsafe.Sizeof(uint32(0)))
}

// countHeaders counts n bytes of headers as used.
func (k *Keyspace) countHeaders(n int64) {
	k.headerBytes.Add(n)
	k.counted.Add(n)
}

// spaceLocked returns the space of database db, made if there is none.
func (k *Keyspace) spaceLocked(sh *shard, db int) *space {
	sp := sh.spaces[db].Load()
	if sp == nil {
		sp = k.newSpace(db)
		k.countHeaders(sp.headerBytes())
		sh.spaces[db].Store(sp)
	}
	return sp
}

// tableLocked returns the table of a local slot.
func (k *Keyspace) tableLocked(sh *shard, sp *space, local uint32) table.Table {
	t := table.Table{A: sh.arena, H: &sp.headers[local], Hash: &k.hash}
	if len(sp.watches) != 0 {
		t.W = sp.hookLocked(local)
	}
	return t
}

func (sp *space) hookLocked(local uint32) *hook {
	if sp.hooks == nil {
		sp.hooks = make([]hook, len(sp.headers))
	}
	h := &sp.hooks[local]
	h.sp, h.local = sp, local
	return h
}

// addedLocked counts a key that came into a slot's table.
func (sp *space) addedLocked(local uint32) {
	sp.keys.Add(1)
	if sp.headers[local].Rehashing() {
		sp.rehashes.set(local)
	}
}

// removedLocked counts a key that left a slot's table.
func (sp *space) removedLocked(local uint32, wasVolatile bool) {
	sp.keys.Add(-1)
	if wasVolatile {
		sp.volatileLocked(local, -1)
	}
	if sp.headers[local].Rehashing() {
		sp.rehashes.set(local)
	}
}

func (sp *space) volatileLocked(local uint32, n int) {
	sp.volatil[local] += uint32(n)
	sp.volatile.Add(int64(n))
}

// freeRecordLocked frees a record that no table holds, with its value; what a big one
// has beyond its first blocks is freed in steps behind the commands.
func (sh *shard) freeRecordLocked(ref arena.Ref) {
	if r := table.RecAt(sh.arena, ref); r.Flags()&table.FlagRoot != 0 {
		sh.freeRootLocked(r)
	}
	sh.freeBlocks(ref)
}

// freeBlocks frees a record and the span of its value, but not what is behind a root.
func (sh *shard) freeBlocks(ref arena.Ref) {
	if r := table.RecAt(sh.arena, ref); r.Flags()&table.FlagSpan != 0 {
		span, _ := r.Span()
		sh.arena.Free(span)
	}
	sh.arena.Free(ref)
}
