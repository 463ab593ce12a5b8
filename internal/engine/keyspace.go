// Package engine is the data engine of a node: the keyspace of a set of numbered
// databases, cut by hash slot into data shards, with expiry and with snapshots at
// an instant. It owns the memory of keys and values, the locks that guard them and
// the rules by which keys expire. It never reads the wall clock (background steps read
// the monotonic one for their budget), never does I/O, and knows neither the wire
// protocol nor who may run what. Commands call it under the locks of their shards;
// persistence, replication and slot moves read it through Snapshot.
package engine

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sync/atomic"

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

// Sink takes what the engine changes on its own account (expiry). Append is called
// with the slot's shard locked, before the record goes; it must not call back.
type Sink interface {
	Append(slot slots.Slot, db int, e Effect)
}

// EffectKind is what an Effect does.
type EffectKind uint8

// EffectDelete is the deletion of an expired key.
const EffectDelete EffectKind = 1

// Effect is a change made by the engine itself. Key aliases the record: it must be
// copied by whoever keeps it after Append returns.
type Effect struct {
	Kind EffectKind
	Key  []byte
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

	expired   atomic.Int64 // keys deleted because they had expired
	snapshots atomic.Int32 // live ones
	nextStep  atomic.Uint32
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
	}
	if err := k.reserve(o.ShardBytes); err != nil {
		return nil, err
	}
	for i := range k.shards {
		k.shards[i].index = i
		k.shards[i].spaces = make([]atomic.Pointer[space], o.Databases+1)
	}
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

// UsedMemory returns the bytes of all allocated blocks and tables. It needs no lock.
func (k *Keyspace) UsedMemory() (n int64) {
	for i := range k.shards {
		n += k.shards[i].arena.Used()
		for db := range k.shards[i].spaces {
			if sp := k.shards[i].spaces[db].Load(); sp != nil {
				n += sp.headerBytes()
			}
		}
	}
	return n
}

// Stats are counters of a keyspace since its birth and sizes as they are.
type Stats struct {
	ExpiredKeys int64 // keys deleted because they had expired
	UsedBytes   int64 // as UsedMemory
	LimitBytes  int64 // addresses reserved for all shards
	Snapshots   int   // live ones
}

// Stats returns the counters. It needs no lock.
func (k *Keyspace) Stats() Stats {
	st := Stats{ExpiredKeys: k.expired.Load(), UsedBytes: k.UsedMemory(), Snapshots: int(k.snapshots.Load())}
	for i := range k.shards {
		st.LimitBytes += k.shards[i].arena.Limit()
	}
	return st
}

// local returns the number of slot s within its shard.
func (k *Keyspace) local(s slots.Slot) uint32 { return uint32(s) >> k.shardLog }

// slotOf is the reverse of ShardOf and local.
func (k *Keyspace) slotOf(shard int, local uint32) slots.Slot {
	return slots.Slot(local<<k.shardLog | uint32(shard))
}
