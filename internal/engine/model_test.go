package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/slots"
)

// The model of a keyspace: maps of strings.
type modelKey struct {
	db   int
	slot slots.Slot
	key  string
}

type modelValue struct {
	val    []byte
	expire int64
}

type modelSnapshot struct {
	s    *Snapshot
	b    Batch
	now  int64
	want map[modelKey]modelValue
	seen map[modelKey]bool
}

// history runs a keyspace and its model side by side.
type history struct {
	k       *Keyspace
	r       *rand.Rand
	now     int64
	model   map[modelKey]modelValue
	snaps   []*modelSnapshot
	slots   int // slots in use
	keys    int // keys a slot
	big     bool
	rough   bool // tables grow, shrink and change hands all the time
	sinkErr error
}

func newHistory(seed uint64, keys int) *history {
	h := &history{
		r:     rand.New(rand.NewPCG(seed, 1)),
		now:   1_700_000_000_000,
		model: map[modelKey]modelValue{},
		slots: 6,
		keys:  keys,
	}
	k, err := New(Options{Shards: 2, Databases: 3, Seed: seed, Sink: h})
	if err != nil {
		panic(err)
	}
	h.k = k
	return h
}

// Append implements Sink: what the engine expires must have expired in the model.
func (h *history) Append(s slots.Slot, db int, e Effect) {
	mk := modelKey{db, s, string(e.Key)}
	if v, ok := h.model[mk]; !ok || v.expire == 0 || v.expire >= h.now {
		h.sinkErr = fmt.Errorf("expired %v, which the model has as %v (%v) at %d", mk, v.expire, ok, h.now)
	}
	delete(h.model, mk)
}

func (h *history) anyKey() (slots.Slot, []byte) {
	s := slots.Slot(h.r.IntN(h.slots))
	// Slots hold very different numbers of keys, so that some tables are rehashed in steps.
	n := max(1, h.keys>>(2*int(s)))
	return s, []byte("key:" + strconv.Itoa(h.r.IntN(n)) + longTail[:h.r.IntN(2)*300])
}

var longTail = string(bytes.Repeat([]byte("x"), 300))

func (h *history) anyValue() []byte {
	switch n := h.r.IntN(20); {
	case n < 4:
		return strconv.AppendInt(nil, int64(h.r.Uint64()>>h.r.IntN(64)), 10)
	case n == 4 && h.big:
		return bytes.Repeat([]byte{byte(h.r.Uint32())}, 20_000+h.r.IntN(60_000))
	default:
		return bytes.Repeat([]byte{byte('a' + h.r.IntN(26))}, h.r.IntN(80))
	}
}

func (h *history) anyExpire() int64 {
	switch h.r.IntN(6) {
	case 0:
		return h.now + int64(h.r.IntN(5_000))
	case 1:
		return h.now + int64(h.r.IntN(100_000_000))
	}
	return 0
}

// get is the model's Find: expired keys are not there.
func (h *history) get(mk modelKey) (modelValue, bool) {
	v, ok := h.model[mk]
	if ok && v.expire != 0 && h.now > v.expire {
		return modelValue{}, false
	}
	return v, ok
}

// locked runs f with the shards of the slots locked.
func (h *history) locked(f func(), s ...slots.Slot) {
	var m ShardMask
	for _, s := range s {
		m |= h.k.Mask(s)
	}
	h.k.Lock(m)
	f()
	h.k.Unlock(m)
}

func (h *history) step() error {
	db := h.r.IntN(h.k.Databases())
	a := h.k.Access(db, h.now, ModePrimary)
	s, key := h.anyKey()
	mk := modelKey{db, s, string(key)}
	old, exists := h.get(mk)
	var err error
	fail := func(format string, args ...any) { err = fmt.Errorf(format, args...) }
	op := h.r.IntN(1000)
	if h.rough && h.r.IntN(4) == 0 {
		op = 938 + h.r.IntN(22) // staging, bursts, cuts and pulls
	}
	switch {
	case op < 300:
		v, at := h.anyValue(), h.anyExpire()
		if h.r.IntN(5) == 0 {
			at = KeepTTL
		}
		h.locked(func() {
			if h.r.IntN(4) == 0 {
				err = a.SetRaw(s, key, v, at)
			} else {
				err = a.SetString(s, key, v, at)
			}
		}, s)
		if at == KeepTTL {
			at = old.expire
		}
		h.model[mk] = modelValue{v, at}
	case op < 400:
		h.locked(func() {
			if got := a.Delete(s, key); got != exists {
				fail("delete %v: %v, model %v", mk, got, exists)
			}
		}, s)
		delete(h.model, mk)
	case op < 470:
		at := h.anyExpire()
		h.locked(func() {
			var got bool
			if got, err = a.SetExpireAt(s, key, at); got != exists {
				fail("expire %v: %v, model %v", mk, got, exists)
			}
		}, s)
		if exists {
			h.model[mk] = modelValue{old.val, at}
		}
	case op < 540:
		v := h.anyValue()
		h.locked(func() {
			n, e := a.AppendString(s, key, v)
			if err = e; n != len(old.val)+len(v) {
				fail("append %v: %d, model %d", mk, n, len(old.val)+len(v))
			}
		}, s)
		h.model[mk] = modelValue{append(bytes.Clone(old.val), v...), old.expire}
	case op < 600:
		v, off := h.anyValue(), h.r.IntN(200)
		if h.big && h.r.IntN(10) == 0 {
			off = h.r.IntN(50_000)
		}
		if len(v) == 0 {
			v = []byte("z")
		}
		h.locked(func() { _, err = a.SetRange(s, key, off, v) }, s)
		nv := make([]byte, max(len(old.val), off+len(v)))
		copy(nv, old.val)
		copy(nv[off:], v)
		h.model[mk] = modelValue{nv, old.expire}
	case op < 700:
		s2, key2 := h.anyKey()
		db2 := db
		kind := h.r.IntN(3)
		if kind > 0 {
			db2 = h.r.IntN(h.k.Databases())
		}
		if kind == 2 {
			s2, key2 = s, key
		}
		mk2 := modelKey{db2, s2, string(key2)}
		h.locked(func() {
			switch kind {
			case 0:
				err = a.Rename(s, key, s2, key2)
			case 1:
				err = a.Copy(s, key, db2, s2, key2)
			case 2:
				err = a.Move(s, key, db2)
			}
		}, s, s2)
		if exists && mk != mk2 {
			h.model[mk2] = old
			if kind != 1 {
				delete(h.model, mk)
			}
		}
	case op < 850:
		h.locked(func() {
			r, ok := a.Find(s, key)
			if ok != exists {
				fail("find %v: %v, model %v", mk, ok, exists)
			} else if ok {
				if got := r.Append(nil); !bytes.Equal(got, old.val) || r.Len() != len(old.val) || r.ExpireAt() != old.expire {
					fail("find %v: %d bytes (%d) expire %d, model %d bytes expire %d", mk, len(got), r.Len(), r.ExpireAt(), len(old.val), old.expire)
				}
			}
		}, s)
	case op < 880:
		h.now += int64(h.r.IntN(2_000))
	case op < 900:
		h.k.ExpireStep(h.now, time.Duration(h.r.IntN(int(time.Millisecond))))
	case op < 930:
		h.k.BackgroundStep(h.now, time.Duration(h.r.IntN(100_000)))
	case op < 932:
		h.k.Lock(h.k.AllShards())
		if h.r.IntN(4) == 0 {
			h.k.FlushAll()
			h.dropModel(func(k modelKey) bool { return k.db != h.k.StagingDB() })
		} else {
			h.k.Flush(db)
			h.dropModel(func(k modelKey) bool { return k.db == db })
		}
		h.k.Unlock(h.k.AllShards())
	case op < 936:
		h.swap(db, h.r.IntN(h.k.Databases()))
	case op < 938:
		h.locked(func() {
			n := h.k.DropSlot(db, s)
			if m := h.dropModel(func(k modelKey) bool { return k.db == db && k.slot == s }); n != m {
				fail("drop slot %d of db %d: %d keys, model %d", s, db, n, m)
			}
		}, s)
	case op < 942:
		err = h.stage(s)
	case op < 945:
		err = h.burst(db)
	case op < 949:
		if len(h.snaps) < 3 {
			err = h.cut()
		}
	case op < 990:
		if n := len(h.snaps); n > 0 {
			err = h.pull(h.r.IntN(n))
		}
	default:
		err = h.scan(db)
	}
	if err == nil {
		err = h.sinkErr
	}
	return err
}

func (h *history) dropModel(f func(modelKey) bool) (n int) {
	for k := range h.model {
		if f(k) {
			delete(h.model, k)
			n++
		}
	}
	return n
}

func (h *history) swap(x, y int) {
	h.k.Lock(h.k.AllShards())
	h.k.SwapDB(x, y)
	h.k.Unlock(h.k.AllShards())
	swapped := map[modelKey]modelValue{}
	for k, v := range h.model {
		switch k.db {
		case x:
			k.db = y
		case y:
			k.db = x
		}
		swapped[k] = v
	}
	h.model = swapped
}

// burst adds or deletes many keys of one slot, so that its table is rehashed in steps.
func (h *history) burst(db int) (err error) {
	s := slots.Slot(h.r.IntN(2))
	a := h.k.Access(db, h.now, ModePrimary)
	n, add := h.r.IntN(1500), h.r.IntN(2) == 0
	h.locked(func() {
		for i := 0; i < n && err == nil; i++ {
			key := []byte("burst:" + strconv.Itoa(i))
			mk := modelKey{db, s, string(key)}
			if _, exists := h.get(mk); add {
				err = a.SetString(s, key, key, 0)
				h.model[mk] = modelValue{key, 0}
			} else if a.Delete(s, key) != exists {
				err = fmt.Errorf("burst delete of %v, model %v", mk, exists)
			} else {
				delete(h.model, mk)
			}
		}
	}, s)
	return err
}

// stage receives some keys of a slot in the hidden database, attaches what it received
// before, or gives that up.
func (h *history) stage(s slots.Slot) (err error) {
	db := h.k.StagingDB()
	a := h.k.Access(db, h.now, ModeApply)
	choice := h.r.IntN(5)
	h.locked(func() {
		switch choice {
		case 0, 1, 2:
			for range h.r.IntN(400) {
				key := []byte("staged:" + strconv.Itoa(h.r.IntN(500)))
				v := modelValue{h.anyValue(), h.anyExpire()}
				if err == nil {
					err = a.SetString(s, key, v.val, v.expire)
				}
				h.model[modelKey{db, s, string(key)}] = v
			}
		case 3:
			h.k.AttachStaged(s)
		case 4:
			h.k.DropSlot(db, s)
		}
	}, s)
	if choice < 3 {
		return err
	}
	staged := map[modelKey]modelValue{}
	for k, v := range h.model {
		if k.db == db && k.slot == s {
			staged[modelKey{0, s, k.key}] = v
		}
	}
	h.dropModel(func(k modelKey) bool { return k.db == db && k.slot == s })
	if choice == 3 {
		h.dropModel(func(k modelKey) bool { return k.db == 0 && k.slot == s })
		for k, v := range staged {
			h.model[k] = v
		}
	}
	return err
}

func (h *history) scan(db int) error {
	seen := map[modelKey]bool{}
	a := h.k.Access(db, h.now, ModePrimary)
	for cursor, steps := uint64(0), 0; ; steps++ {
		m := h.k.ScanShard(db, cursor)
		h.k.Lock(m)
		s := slots.Slot(cursor & (slots.Count - 1))
		cursor = a.Scan(cursor, func(key []byte, r Record) { seen[modelKey{db, s, string(key)}] = true })
		h.k.Unlock(m)
		if cursor == 0 {
			break
		}
		if steps > 100_000 {
			return errors.New("scan does not end")
		}
	}
	want := 0
	for mk := range h.model {
		if _, ok := h.get(mk); ok && mk.db == db {
			if want++; !seen[mk] {
				return fmt.Errorf("scan missed %v", mk)
			}
		}
	}
	if len(seen) != want {
		return fmt.Errorf("scan of db %d saw %d keys, model %d", db, len(seen), want)
	}
	return nil
}

// cut starts a snapshot of everything, of one database or of some slots.
func (h *history) cut() (err error) {
	o := SnapshotOptions{DB: -1}
	var set slots.Set
	switch h.r.IntN(3) {
	case 0:
		o.DB = h.r.IntN(h.k.Databases() + 1)
	case 1:
		for s := range h.slots {
			if h.r.IntN(2) == 0 {
				set.Add(slots.Slot(s))
			}
		}
		o.Slots = &set
	}
	m := &modelSnapshot{now: h.now, want: map[modelKey]modelValue{}, seen: map[modelKey]bool{}}
	o.AtCut = func() {
		for k, v := range h.model {
			if (o.DB < 0 && k.db != h.k.StagingDB() || o.DB == k.db) && (o.Slots == nil || o.Slots.Has(k.slot)) {
				m.want[k] = v
			}
		}
	}
	m.s, err = h.k.Snapshot(o)
	h.snaps = append(h.snaps, m)
	return err
}

// pull takes a batch of snapshot i and holds it against the cut.
func (h *history) pull(i int) error {
	m := h.snaps[i]
	err := m.s.Next(&m.b)
	if err == io.EOF || h.r.IntN(300) == 0 {
		h.snaps = append(h.snaps[:i], h.snaps[i+1:]...)
		m.s.Close()
		if err == io.EOF {
			return m.finish()
		}
		return err
	}
	if err != nil {
		return err
	}
	return m.b.Each(func(e Entry) error {
		mk := modelKey{e.DB, e.Slot, string(e.Key)}
		want, ok := m.want[mk]
		switch {
		case m.seen[mk]:
			return fmt.Errorf("snapshot gave %v twice", mk)
		case !ok:
			return fmt.Errorf("snapshot gave %v, which was not there at the cut", mk)
		case !bytes.Equal(want.val, e.Value) || want.expire != e.ExpireAt:
			return fmt.Errorf("snapshot gave %v as %d bytes %.20q expire %d, at the cut %d bytes %.20q expire %d", mk, len(e.Value), e.Value, e.ExpireAt, len(want.val), want.val, want.expire)
		}
		m.seen[mk] = true
		return nil
	})
}

func (m *modelSnapshot) finish() error {
	for mk := range m.want {
		if !m.seen[mk] {
			return fmt.Errorf("snapshot lacks %v (%d of %d keys)", mk, len(m.seen), len(m.want))
		}
	}
	return nil
}

// end finishes the snapshots, holds every count against the model, empties the keyspace
// and looks for leaks.
func (h *history) end() error {
	for len(h.snaps) > 0 {
		if err := h.pull(0); err != nil {
			return err
		}
	}
	for db := range h.k.Databases() + 1 {
		n := int64(0)
		for mk := range h.model {
			if mk.db == db {
				n++
			}
		}
		if got := h.k.Len(db); got != n {
			return fmt.Errorf("db %d has %d keys, model %d", db, got, n)
		}
	}
	if err := h.k.checkInvariants(); err != nil {
		return err
	}
	for h.k.BackgroundStep(h.now, time.Second) {
	}
	// What has expired goes within a tick, whatever its expiry was before, and if it came
	// by way of the hidden database.
	h.now += tickMillis
	for h.k.ExpireStep(h.now, time.Second) > 0 {
	}
	for mk, v := range h.model {
		if mk.db != h.k.StagingDB() && v.expire != 0 && v.expire < h.now-tickMillis && h.sinkErr == nil {
			return fmt.Errorf("active expiry left %v, expired %d ms ago", mk, h.now-v.expire)
		}
	}
	h.now += 200_000_000
	for i := 0; ; i++ {
		expired := h.k.ExpireStep(h.now, time.Second)
		if !h.k.BackgroundStep(h.now, time.Second) && expired == 0 {
			break
		}
		if i > 10_000 {
			return errors.New("background work does not end")
		}
	}
	if h.sinkErr != nil {
		return h.sinkErr
	}
	for mk, v := range h.model {
		if mk.db != h.k.StagingDB() && v.expire != 0 {
			return fmt.Errorf("active expiry left %v", mk)
		}
	}
	h.k.Lock(h.k.AllShards())
	h.k.FlushAll()
	h.k.Flush(h.k.StagingDB())
	h.k.Unlock(h.k.AllShards())
	for h.k.BackgroundStep(h.now, time.Second) {
	}
	if got := h.k.UsedMemory(); got != 0 {
		return fmt.Errorf("%d bytes leaked", got)
	}
	h.k.Close()
	return nil
}

func runHistory(seed uint64, steps int, rough bool) error {
	h := newHistory(seed, 2000)
	h.big, h.rough = seed%4 == 0, rough
	for i := range steps {
		if err := h.step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if i%1000 == 999 {
			if err := h.k.checkInvariants(); err != nil {
				return fmt.Errorf("after step %d: %w", i, err)
			}
		}
	}
	return h.end()
}

// byteSource draws from a fuzzer's bytes, then from a generator: rand draws again on
// some numbers, and a source of one number only would keep it for ever.
type byteSource struct {
	data []byte
	then *rand.PCG
}

func (s *byteSource) Uint64() uint64 {
	if len(s.data) < 2 {
		return s.then.Uint64()
	}
	x := uint64(s.data[0])<<8 | uint64(s.data[1])
	s.data = s.data[2:]
	// The functions of rand take the high bits for some types, the low for others.
	return x<<48 | x<<16 | x
}

func FuzzSnapshot(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		seed := make([]byte, 4000)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := newHistory(1, 500)
		h.big = len(data)%2 == 0
		h.r = rand.New(&byteSource{data, rand.NewPCG(1, 2)})
		for i := range min(len(data)/8, 3000) {
			if err := h.step(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		h.r = rand.New(rand.NewPCG(1, 2))
		if err := h.end(); err != nil {
			t.Fatal(err)
		}
	})
}

// seeds returns n, or half of it where a seed costs ten times as much.
func seeds(n uint64) uint64 {
	if testing.Short() || arena.Checked {
		return (n + 1) / 2
	}
	return n
}

func TestHistories(t *testing.T) {
	for seed := range seeds(8) {
		if err := runHistory(seed, 4000, false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	for seed := range seeds(12) {
		if err := runHistory(seed, 1500, true); err != nil {
			t.Fatalf("rough seed %d: %v", seed, err)
		}
	}
}
