package engine

import (
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// First working stand-in for the engine's internals; the API is the final one.

type entry struct {
	val    []byte
	n      int64
	enc    Encoding
	expire int64
	touch  int64
}

type Keyspace struct {
	o         Options
	shards    []shard
	shardBits uint32
	mu        sync.Mutex
	data      []map[slots.Slot]map[string]*entry
	expired   atomic.Int64
}

type shard struct{ lock shardLock }

func New(o Options) (*Keyspace, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	k := &Keyspace{o: o, shards: make([]shard, o.Shards), shardBits: uint32(o.Shards - 1)}
	for range o.Databases + 1 {
		k.data = append(k.data, map[slots.Slot]map[string]*entry{})
	}
	return k, nil
}
func (k *Keyspace) Close()         {}
func (k *Keyspace) Databases() int { return k.o.Databases }
func (k *Keyspace) StagingDB() int { return k.o.Databases }

type AccessMode uint8

const (
	ModePrimary AccessMode = iota
	ModeReplica
	ModeApply
)

type Access struct {
	k       *Keyspace
	db      int
	now     int64
	mode    AccessMode
	noTouch bool
}

func (k *Keyspace) Access(db int, nowMillis int64, mode AccessMode) Access {
	return Access{k: k, db: db, now: nowMillis, mode: mode}
}
func (a *Access) DB() int           { return a.db }
func (a *Access) Now() int64        { return a.now }
func (a *Access) SetNoTouch(b bool) { a.noTouch = b }

type Type uint8

const TypeString Type = 0

func (t Type) String() string { return "string" }

type Encoding uint8

const (
	EncRaw    Encoding = 0
	EncInt    Encoding = 1
	EncEmbstr Encoding = 8
)

func (e Encoding) String() string {
	switch e {
	case EncInt:
		return "int"
	case EncEmbstr:
		return "embstr"
	}
	return "raw"
}

type Record struct{ e *entry }

func (r Record) Type() Type         { return TypeString }
func (r Record) Encoding() Encoding { return r.e.enc }
func (r Record) ExpireAt() int64    { return r.e.expire }
func (r Record) Int() (int64, bool) { return r.e.n, r.e.enc == EncInt }
func (r Record) Len() int {
	var b [20]byte
	return len(r.Bytes(b[:0]))
}
func (r Record) Append(dst []byte) []byte {
	if r.e.enc == EncInt {
		return strconv.AppendInt(dst, r.e.n, 10)
	}
	return append(dst, r.e.val...)
}
func (r Record) Bytes(scratch []byte) []byte {
	if r.e.enc == EncInt {
		return strconv.AppendInt(scratch[:0], r.e.n, 10)
	}
	return r.e.val
}
func (r Record) Idle(now int64) int64 { return max(0, now-r.e.touch) / 1000 * 1000 }
func (r Record) Freq() uint8          { return 0 }
func (r Record) RefSize() int64       { return int64(len(r.e.val) + 16) }

func (a *Access) find(s slots.Slot, key []byte) *entry {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	return a.findLocked(s, key)
}
func (a *Access) findLocked(s slots.Slot, key []byte) *entry {
	e := a.k.data[a.db][s][string(key)]
	if e == nil || e.expire == 0 || e.expire > a.now || a.mode == ModeApply {
		return e
	}
	if a.mode == ModePrimary {
		if a.k.o.Sink != nil {
			a.k.o.Sink.Append(s, a.db, Effect{EffectDelete, key})
		}
		a.k.expired.Add(1)
		delete(a.k.data[a.db][s], string(key))
	}
	return nil
}
func (a *Access) put(s slots.Slot, key []byte, e *entry) {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	if e.expire == KeepTTL {
		e.expire = 0
		if o := a.findLocked(s, key); o != nil {
			e.expire = o.expire
		}
	}
	e.touch = a.now
	m := a.k.data[a.db][s]
	if m == nil {
		m = map[string]*entry{}
		a.k.data[a.db][s] = m
	}
	m[string(key)] = e
}
func (a *Access) Find(s slots.Slot, key []byte) (Record, bool) {
	e := a.find(s, key)
	if e != nil && !a.noTouch {
		e.touch = a.now
	}
	return Record{e}, e != nil
}
func (a *Access) Peek(s slots.Slot, key []byte) (Record, bool) {
	e := a.find(s, key)
	return Record{e}, e != nil
}
func (a *Access) SetString(s slots.Slot, key, val []byte, expireAt int64) error {
	if n, err := strconv.ParseInt(string(val), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(val) {
		return a.SetInt(s, key, n, expireAt)
	}
	enc := EncRaw
	if len(val) <= 44 {
		enc = EncEmbstr
	}
	a.put(s, key, &entry{val: append([]byte(nil), val...), enc: enc, expire: expireAt})
	return nil
}
func (a *Access) SetInt(s slots.Slot, key []byte, v, expireAt int64) error {
	a.put(s, key, &entry{n: v, enc: EncInt, expire: expireAt})
	return nil
}
func (a *Access) SetRaw(s slots.Slot, key, val []byte, expireAt int64) error {
	a.put(s, key, &entry{val: append([]byte(nil), val...), expire: expireAt})
	return nil
}
func (a *Access) AppendString(s slots.Slot, key, suffix []byte) (int, error) {
	var v []byte
	if r, ok := a.Find(s, key); ok {
		v = r.Append(nil)
	}
	v = append(v, suffix...)
	return len(v), a.SetRaw(s, key, v, KeepTTL)
}
func (a *Access) SetRange(s slots.Slot, key []byte, off int, val []byte) (int, error) {
	var v []byte
	if r, ok := a.Find(s, key); ok {
		v = r.Append(nil)
	}
	if n := off + len(val) - len(v); n > 0 {
		v = append(v, make([]byte, n)...)
	}
	copy(v[off:], val)
	return len(v), a.SetRaw(s, key, v, KeepTTL)
}
func (a *Access) Delete(s slots.Slot, key []byte) bool {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	if a.findLocked(s, key) == nil {
		return false
	}
	delete(a.k.data[a.db][s], string(key))
	return true
}
func (a *Access) SetExpireAt(s slots.Slot, key []byte, at int64) (bool, error) {
	e := a.find(s, key)
	if e == nil {
		return false, nil
	}
	e.expire = at
	return true, nil
}
func (a *Access) Rename(ss slots.Slot, src []byte, ds slots.Slot, dst []byte) error {
	e := a.find(ss, src)
	if e == nil {
		return nil
	}
	a.Delete(ss, src)
	a.put(ds, dst, e)
	return nil
}
func (a *Access) Copy(ss slots.Slot, src []byte, dstDB int, ds slots.Slot, dst []byte) error {
	e := a.find(ss, src)
	if e == nil {
		return nil
	}
	b := *a
	b.db = dstDB
	c := *e
	b.put(ds, dst, &c)
	return nil
}
func (k *Keyspace) ScanShard(db int, cursor uint64) ShardMask {
	return k.Mask(slots.Slot(cursor & (slots.Count - 1)))
}
func (a *Access) Scan(cursor uint64, visit func(key []byte, r Record)) (next uint64) {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	s := slots.Slot(cursor & (slots.Count - 1))
	for key, e := range a.k.data[a.db][s] {
		visit([]byte(key), Record{e})
	}
	for s++; s < slots.Count; s++ {
		if len(a.k.data[a.db][s]) > 0 {
			return uint64(s)
		}
	}
	return 0
}
func (a *Access) RandomKey(rnd func() uint64) (key []byte, ok bool) {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	for _, m := range a.k.data[a.db] {
		for key := range m {
			return []byte(key), true
		}
	}
	return nil, false
}
func (a *Access) SlotKeys(s slots.Slot, limit int, visit func(key []byte)) {
	a.k.mu.Lock()
	defer a.k.mu.Unlock()
	for key := range a.k.data[a.db][s] {
		if limit--; limit < 0 {
			return
		}
		visit([]byte(key))
	}
}
func (k *Keyspace) Len(db int) (n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.data[db] {
		n += int64(len(m))
	}
	return n
}
func (k *Keyspace) SlotLen(db int, s slots.Slot) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.data[db][s])
}
func (k *Keyspace) Expires(db int) (n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.data[db] {
		for _, e := range m {
			if e.expire != 0 {
				n++
			}
		}
	}
	return n
}
func (k *Keyspace) Flush(db int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data[db] = map[slots.Slot]map[string]*entry{}
}
func (k *Keyspace) FlushAll() {
	for db := range k.o.Databases {
		k.Flush(db)
	}
}
func (k *Keyspace) SwapDB(a, b int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data[a], k.data[b] = k.data[b], k.data[a]
}
func (k *Keyspace) ExpireStep(now int64, budget time.Duration) (expired int) {
	all := k.AllShards()
	k.Lock(all)
	defer k.Unlock(all)
	for db := range k.o.Databases {
		a := k.Access(db, now, ModePrimary)
		for s, m := range k.data[db] {
			for key := range m {
				if _, ok := a.Peek(s, []byte(key)); !ok {
					expired++
				}
			}
		}
	}
	return expired
}
func (k *Keyspace) BackgroundStep(budget time.Duration) (more bool) { return false }
func (k *Keyspace) UsedMemory() int64                               { return 0 }

type Stats struct {
	ExpiredKeys int64
	UsedBytes   int64
}

func (k *Keyspace) Stats() Stats { return Stats{ExpiredKeys: k.expired.Load()} }

func (k *Keyspace) AttachStaged(s slots.Slot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data[0][s] = k.data[k.o.Databases][s]
	delete(k.data[k.o.Databases], s)
}
func (k *Keyspace) DropSlot(db int, s slots.Slot) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(k.data[db][s])
	delete(k.data[db], s)
	return n
}

var ErrSnapshotOverrun = errors.New("engine: snapshot queue over its bound")

type SnapshotOptions struct {
	Slots      *slots.Set
	DB         int
	AtCut      func()
	QueueBytes int64
}
type Entry struct {
	DB         int
	Slot       slots.Slot
	Key        []byte
	ExpireAt   int64
	Type       Type
	Encoding   Encoding
	Value      []byte
	IdleMillis int64
	Freq       uint8
}
type Batch struct{ entries []Entry }

func (b *Batch) Each(f func(Entry) error) error {
	for _, e := range b.entries {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

type Snapshot struct{ entries []Entry }

func (k *Keyspace) Snapshot(o SnapshotOptions) (*Snapshot, error) {
	all := k.AllShards()
	k.Lock(all)
	defer k.Unlock(all)
	if o.AtCut != nil {
		o.AtCut()
	}
	sn := &Snapshot{}
	for db := range k.o.Databases + 1 {
		if o.DB == -1 && db == k.o.Databases || o.DB >= 0 && db != o.DB {
			continue
		}
		for s, m := range k.data[db] {
			if o.Slots != nil && !o.Slots.Has(s) {
				continue
			}
			for key, e := range m {
				r := Record{e}
				sn.entries = append(sn.entries, Entry{DB: db, Slot: s, Key: []byte(key), ExpireAt: e.expire, Encoding: e.enc, Value: r.Append(nil)})
			}
		}
	}
	return sn, nil
}
func (s *Snapshot) Next(b *Batch) error {
	if len(s.entries) == 0 {
		return io.EOF
	}
	n := min(len(s.entries), 100)
	b.entries, s.entries = s.entries[:n], s.entries[n:]
	return nil
}
func (s *Snapshot) Close() {}
