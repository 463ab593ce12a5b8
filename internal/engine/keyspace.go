// Package engine is the data engine of a node: the keyspace of a set of numbered
// databases, cut by hash slot into data shards, with expiry and with snapshots at
// an instant. It owns the memory of keys and values, the locks that guard them and
// the rules by which keys expire. It never reads a clock, never does I/O, and knows
// neither the wire protocol nor who may run what. Commands call it under the locks
// of their shards; persistence, replication and slot moves read it through Snapshot.
package engine

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"

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
