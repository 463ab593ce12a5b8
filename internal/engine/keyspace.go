// Package engine is the data engine of a node: the keyspace of a set of numbered
// databases, cut by hash slot into data shards, with expiry and with snapshots at
// an instant. It owns the memory of keys and values, the locks that guard them and
// the rules by which keys expire. It never reads the wall clock (background steps read
// the monotonic one for their budget), does no I/O but to a file that a snapshot is given
// to spill to, and knows neither the wire protocol nor who may run what. Commands call it
// under the locks of their shards; persistence, replication and slot moves read it through
// Snapshot.
package engine

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// KeepTTL as an expireAt keeps the expiry that the key has.
const KeepTTL int64 = -1

// ErrNoSpace is returned when the address range of a data shard (32 GiB, or what the
// system's limits allowed) is exhausted, or a value is too long for a record. Nothing
// was changed.
var ErrNoSpace = errors.New("engine: data shard out of space")

// Options are the settings of a Keyspace, fixed for its life.
type Options struct {
	// Shards is the number of data shards, a power of two from 1 to 64.
	// 0: 16 x GOMAXPROCS rounded up to a power of two, at most 64.
	Shards int
	// Databases is the number of visible databases, at least 1 (0: 1). The keyspace
	// keeps one more, hidden, for slots that are being received.
	Databases int
	// Seed keys the hash of the tables, so that users cannot flood a bucket.
	Seed uint64
	// ShardBytes is the range of addresses reserved for a shard, at most and by default
	// (0) 32 GiB; less if the system's limits allow only less.
	ShardBytes int64
	// Sink takes what the engine changes on its own account. May be nil.
	Sink Sink
}

// Sink takes what the engine changes on its own account (expiry, eviction). Append is called
// with the slot's shard locked, before the record goes; it must not call back.
type Sink interface {
	Append(slot slots.Slot, db int, e Effect)
}

// EffectKind is what an Effect does.
type EffectKind uint8

const (
	// EffectDelete is the deletion of an expired key.
	EffectDelete EffectKind = iota + 1
	// EffectEvict is the deletion of a key to make room.
	EffectEvict
	// EffectDeleteField is the deletion of an expired field of a hash. With the last one
	// the key goes, without a word of its own.
	EffectDeleteField
)

// Effect is a change made by the engine itself. Key and Field alias the record: they must
// be copied by whoever keeps them after Append returns.
type Effect struct {
	Kind  EffectKind
	Key   []byte
	Field []byte
}

// Validate names every bad field.
func (o *Options) Validate() error {
	var errs []error
	if o.Shards < 0 || o.Shards > 64 || o.Shards&(o.Shards-1) != 0 {
		errs = append(errs, fmt.Errorf("engine: Shards %d is not a power of two from 1 to 64", o.Shards))
	}
	if o.Databases < 0 || o.Databases > 1<<16 {
		errs = append(errs, fmt.Errorf("engine: Databases %d is not from 1 to 65536", o.Databases))
	}
	if o.ShardBytes < 0 {
		errs = append(errs, fmt.Errorf("engine: ShardBytes %d is negative", o.ShardBytes))
	}
	return errors.Join(errs...)
}

func (o *Options) withDefaults() Options {
	d := *o
	if d.Shards == 0 {
		d.Shards = min(64, 1<<bits.Len(uint(16*runtime.GOMAXPROCS(0)-1)))
	}
	if d.Databases == 0 {
		d.Databases = 1
	}
	return d
}

// Keyspace is the data of a node. Its methods are safe for concurrent use; those that
// need locks of data shards say REQUIRES.
type Keyspace struct {
	shards    []shard
	shardBits uint32 // len(shards) - 1
	shardLog  uint8
	databases int
	hash      table.Hasher
	sink      Sink
	onField   func() // see OnFieldExpiry; may be nil
	limits    atomic.Pointer[Limits]

	counted     arena.Account // what UsedMemory returns and CountBytes has added, nearly
	headerBytes atomic.Int64  // of all spaces
	eviction    eviction
	defrag      defrag

	awaited       atomic.Int32 // waits for memory to be freed
	expired       atomic.Int64 // keys deleted because they had expired
	expiredFields atomic.Int64 // fields of hashes, likewise
	snapshots     atomic.Int32 // live ones
	stride        stride
	pressure      pressure
	nextStep      atomic.Uint32
}

// New returns an empty keyspace.
func New(o Options) (*Keyspace, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	k := &Keyspace{
		shards:    make([]shard, o.Shards),
		shardBits: uint32(o.Shards - 1),
		shardLog:  uint8(bits.TrailingZeros(uint(o.Shards))),
		databases: o.Databases,
		hash:      table.NewHasher(o.Seed),
		sink:      o.Sink,
		stride:    defaultStride,
	}
	k.SetLimits(DefaultLimits())
	if err := k.reserve(o.ShardBytes); err != nil {
		return nil, err
	}
	for i := range k.shards {
		k.shards[i].index = i
		k.shards[i].seed = o.Seed + uint64(i)
		k.shards[i].arena.Join(&k.counted)
		k.shards[i].spaces = make([]atomic.Pointer[space], o.Databases+1)
	}
	for i := range k.eviction.evictors {
		k.eviction.evictors[i].mu.seed = ^(o.Seed + uint64(i))
	}
	k.SetEviction(EvictionSettings{})
	return k, nil
}

// leastShardBytes is the smallest range of a shard worth starting with.
const leastShardBytes = 64 << 20

// reserve gives every shard an arena of bytes, or if the system's limits refuse that, of
// half of the largest power of two that they allow, since the rest of the process needs
// addresses too.
func (k *Keyspace) reserve(bytes int64) error {
	if bytes == 0 {
		bytes = arena.MaxBytes
	}
	err := k.tryReserve(bytes)
	if err == nil {
		return nil
	}
	for half := bytes / 2; half/2 >= leastShardBytes; half /= 2 {
		if k.tryReserve(half) == nil {
			k.Close()
			return k.tryReserve(half / 2)
		}
	}
	return err
}

func (k *Keyspace) tryReserve(bytes int64) error {
	for i := range k.shards {
		a, err := arena.New(bytes)
		if err != nil {
			k.Close()
			return fmt.Errorf("engine: shard %d of %d: %w", i, len(k.shards), err)
		}
		k.shards[i].arena = a
	}
	return nil
}

// Close gives all memory back. Nothing of the keyspace may be in use or used again.
func (k *Keyspace) Close() {
	for i := range k.shards {
		if a := k.shards[i].arena; a != nil {
			// Unmapping what New mapped fails only if the arena is corrupt.
			if err := a.Close(); err != nil {
				panic(fmt.Sprintf("engine: release shard %d: %v", i, err))
			}
			k.shards[i].arena = nil
		}
	}
}

// Databases returns the number of visible databases.
func (k *Keyspace) Databases() int { return k.databases }

// StagingDB returns the number of the hidden database, where slots being received wait.
func (k *Keyspace) StagingDB() int { return k.databases }

// Len returns the number of keys of database db, expired ones that still lie there
// included. It needs no lock.
func (k *Keyspace) Len(db int) (n int64) {
	for i := range k.shards {
		if sp := k.shards[i].spaces[db].Load(); sp != nil {
			n += sp.keys.Load()
		}
	}
	return n
}

// Expires returns the number of keys of database db that have an expiry. It needs no lock.
func (k *Keyspace) Expires(db int) (n int64) {
	for i := range k.shards {
		if sp := k.shards[i].spaces[db].Load(); sp != nil {
			n += sp.volatile.Load()
		}
	}
	return n
}

// SlotLen returns the number of keys of slot s in database db. It needs no lock.
func (k *Keyspace) SlotLen(db int, s slots.Slot) int {
	sp := k.shards[k.ShardOf(s)].spaces[db].Load()
	if sp == nil {
		return 0
	}
	return sp.headers[k.local(s)].Len()
}

// NoteChanges counts n changes of keys or elements that a command has made in slot.
func (k *Keyspace) NoteChanges(s slots.Slot, n int64) { k.shards[k.ShardOf(s)].changes.Add(n) }

// Changes returns the sum of what NoteChanges has counted. It needs no lock; with all
// shards locked, as in AtCut, it is the number for the data as they are.
func (k *Keyspace) Changes() (n int64) {
	for i := range k.shards {
		n += k.shards[i].changes.Load()
	}
	return n
}

// UsedMemory returns the bytes of all allocated blocks and tables. It needs no lock.
func (k *Keyspace) UsedMemory() int64 {
	n := k.headerBytes.Load()
	for i := range k.shards {
		n += k.shards[i].arena.Used()
	}
	return n
}

// Stats are counters of a keyspace since its birth and sizes as they are.
type Stats struct {
	ExpiredKeys   int64 // keys deleted because they had expired
	ExpiredFields int64 // fields of hashes deleted because they had expired
	UsedBytes     int64 // as UsedMemory
	LimitBytes    int64 // addresses reserved for all shards
	HeaderBytes   int64 // of UsedBytes, headers of tables
	ArenaBytes    int64 // of UsedBytes, blocks
	ActiveBytes   int64 // pages that hold blocks
	IdleBytes     int64 // free pages that may still be resident
	Snapshots     int   // live ones
	EvictedKeys   int64 // keys deleted to make room
	// PendingObjects are the detached keys and big values that wait to be freed,
	// FreedObjects those that have been.
	PendingObjects, FreedObjects int64
	// OverLimitNanos is how long memory has been over its limit, in all and, in
	// OverNowNanos, since it last came over it; 0: it is not.
	OverLimitNanos, OverNowNanos int64
}

// Stats returns the counters. It needs no lock.
func (k *Keyspace) Stats() Stats {
	e := &k.eviction
	st := Stats{
		ExpiredKeys: k.expired.Load(), ExpiredFields: k.expiredFields.Load(), UsedBytes: k.UsedMemory(), Snapshots: int(k.snapshots.Load()),
		EvictedKeys: e.evicted.Load(), OverLimitNanos: e.overNanos.Load(),
	}
	st.HeaderBytes = k.headerBytes.Load()
	if since := e.overSince.Load(); since != 0 {
		st.OverNowNanos = clock.Mono() - since
		st.OverLimitNanos += st.OverNowNanos
	}
	for i := range k.shards {
		a := k.shards[i].arena
		st.LimitBytes += a.Limit()
		st.PendingObjects += k.shards[i].burial.objects.Load()
		st.FreedObjects += k.shards[i].burial.freed.Load()
		st.ArenaBytes += a.Used()
		st.ActiveBytes += a.ActiveBytes()
		st.IdleBytes += a.IdleBytes()
	}
	return st
}

// ResetStats zeroes the counters (CONFIG RESETSTAT).
func (k *Keyspace) ResetStats() {
	k.expired.Store(0)
	for i := range k.shards {
		k.shards[i].burial.freed.Store(0)
	}
	for _, c := range []*atomic.Int64{&k.defrag.hits, &k.defrag.misses, &k.defrag.keyHits, &k.defrag.keyMisses} {
		c.Store(0)
	}
	k.eviction.evicted.Store(0)
	k.eviction.overNanos.Store(0)
}

// local returns the number of slot s within its shard.
func (k *Keyspace) local(s slots.Slot) uint32 { return uint32(s) >> k.shardLog }

// slotOf is the reverse of ShardOf and local.
func (k *Keyspace) slotOf(shard int, local uint32) slots.Slot {
	return slots.Slot(local<<k.shardLog | uint32(shard))
}
