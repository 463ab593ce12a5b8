package engine

import (
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// AccessMode says what an access does with expired keys.
type AccessMode uint8

const (
	// ModePrimary deletes expired keys when it touches them and tells the Sink.
	ModePrimary AccessMode = iota
	// ModeReplica hides expired keys and never deletes them.
	ModeReplica
	// ModeApply, for applying a replicated or staged stream, neither hides nor deletes them.
	ModeApply
)

// Access is one command's use of one database, under the locks of its shards, at one
// frozen time. It is a small value; its methods REQUIRE the lock of the shard of every
// slot they are given. Keys must be of the slot that is given with them.
type Access struct {
	k       *Keyspace
	now     int64
	db      int32
	mode    AccessMode
	noTouch bool
	sink    Sink // nil: the keyspace's own
	news    func(db int, key []byte)
	lfu     *lfu   // nil: the policy is none of LFU
	touched uint64 // hash of the key whose access was noted last; 0: none
}

// Access returns an access to database db at nowMillis, Unix time in milliseconds.
func (k *Keyspace) Access(db int, nowMillis int64, mode AccessMode) Access {
	return Access{k: k, now: nowMillis, db: int32(db), mode: mode, lfu: k.eviction.lfu.Load()}
}

// DB returns the number of the database.
func (a *Access) DB() int { return int(a.db) }

// Now returns the time of the access in Unix milliseconds.
func (a *Access) Now() int64 { return a.now }

// SetNoTouch makes Find leave the access clock as it is (CLIENT NO-TOUCH).
func (a *Access) SetNoTouch(on bool) { a.noTouch = on }

// SetSink makes the access tell s instead of the keyspace's sink of the expired keys that
// it deletes. nil takes that back.
func (a *Access) SetSink(s Sink) { a.sink = s }

// Sink returns what SetSink has set.
func (a *Access) Sink() Sink { return a.sink }

// SetNews has the access tell f of each key that it makes. The bytes lie in the record.
func (a *Access) SetNews(f func(db int, key []byte)) { a.news = f }

// News returns what SetNews has set.
func (a *Access) News() func(db int, key []byte) { return a.news }

// spot is where a key is, or would be.
type spot struct {
	sh    *shard
	sp    *space // nil: the database has nothing in this shard
	t     table.Table
	pos   table.Pos // pos.Ref 0: the key is not there
	rec   table.Rec
	hash  uint64
	local uint32
}

func (p *spot) found() bool { return p.pos.Ref != 0 }

// seekLocked finds key whether it has expired or not.
func (a *Access) seekLocked(p *spot, s slots.Slot, key []byte) {
	p.sh = &a.k.shards[a.k.ShardOf(s)]
	p.sp = p.sh.spaces[a.db].Load()
	p.hash = a.k.hash.Sum(key)
	p.local = a.k.local(s)
	p.pos = table.Pos{}
	if p.sp == nil {
		return
	}
	p.t = a.k.tableLocked(p.sh, p.sp, p.local)
	p.pos = p.t.Find(p.hash, key)
	if p.found() {
		p.rec = table.RecAt(p.sh.arena, p.pos.Ref)
	}
}

// lookLocked finds key as commands see it: an expired one is not there.
func (a *Access) lookLocked(p *spot, s slots.Slot, key []byte) bool {
	a.seekLocked(p, s, key)
	if !p.found() {
		return false
	}
	if !a.expiredLocked(p.rec) {
		return true
	}
	if a.mode == ModePrimary {
		sink := a.sink
		if sink == nil {
			sink = a.k.sink
		}
		a.k.expireLocked(p, s, int(a.db), sink)
	}
	return false
}

func (a *Access) expiredLocked(r table.Rec) bool {
	at := r.ExpireAt()
	return at != 0 && a.now > at && a.mode != ModeApply
}

// expireLocked deletes the expired key at p, after sink, if there is one, has heard of it.
func (k *Keyspace) expireLocked(p *spot, s slots.Slot, db int, sink Sink) {
	if sink != nil {
		sink.Append(s, db, Effect{Kind: EffectDelete, Key: p.rec.Key()})
	}
	k.expired.Add(1)
	p.removeLocked()
}

// removeLocked deletes the key at p.
func (p *spot) removeLocked() {
	wasVolatile := p.rec.Flags()&table.FlagExpiry != 0
	ref := p.pos.Ref
	p.t.Delete(p.pos)
	p.sh.freeRecordLocked(ref)
	p.sp.removedLocked(p.local, wasVolatile)
	p.pos = table.Pos{}
}

// Find returns the record of key and notes the access.
func (a *Access) Find(s slots.Slot, key []byte) (Record, bool) {
	r, ok := a.Peek(s, key)
	if ok {
		a.touch(&a.k.shards[a.k.ShardOf(s)], r.rec)
	}
	return r, ok
}

// Peek returns the record of key and notes no access.
func (a *Access) Peek(s slots.Slot, key []byte) (Record, bool) {
	// lookLocked without the spot, which a read does not need.
	sh := &a.k.shards[a.k.ShardOf(s)]
	sp := sh.spaces[a.db].Load()
	if sp == nil {
		return Record{}, false
	}
	t := table.Table{A: sh.arena, H: &sp.headers[a.k.local(s)], Hash: &a.k.hash}
	pos := t.Find(a.k.hash.Sum(key), key)
	if pos.Ref == 0 {
		return Record{}, false
	}
	r := Record{table.RecAt(sh.arena, pos.Ref), sh.arena}
	if a.expiredLocked(r.rec) {
		var p spot
		a.lookLocked(&p, s, key)
		return Record{}, false
	}
	return r, true
}

// Delete deletes key and reports whether it was there. An expired key was not.
func (a *Access) Delete(s slots.Slot, key []byte) bool {
	var p spot
	if !a.lookLocked(&p, s, key) {
		return false
	}
	p.removeLocked()
	return true
}

// Writable reports whether the access may change data by itself: on a replica what
// changes arrives from the primary alone.
func (a *Access) Writable() bool { return a.mode != ModeReplica }
