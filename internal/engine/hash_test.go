package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// modelField is what a field is to be.
type modelField struct {
	value string
	at    int64 // expiry, 0: none
}

// hashWorld is a hash, what it is to be, and a clock.
type hashWorld struct {
	t    *testing.T
	rnd  *rand.Rand
	k    *Keyspace
	key  []byte
	slot slots.Slot
	now  int64
	want map[string]modelField
	seed uint64
	told int // fields whose expiry the sink has heard of
}

func (w *hashWorld) Append(_ slots.Slot, _ int, e Effect) {
	if e.Kind == EffectDeleteField {
		w.told++
	}
}

// A hash against a map, through its encodings, expiring fields, renames, copies and
// deletion; nothing is left in the arena at the end.
func TestHashModel(t *testing.T) {
	for seed := range uint64(20) {
		w := &hashWorld{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), key: []byte("hash"), now: 1_000_000, want: map[string]modelField{}, seed: seed}
		w.slot = slots.Of(w.key)
		w.k = newKeyspace(t, Options{Shards: 2, Seed: seed, Sink: w})
		w.k.SetLimits(Limits{HashEntries: int(w.rnd.Uint64() % 20), HashValue: 8})
		for range 2000 {
			w.step()
			w.check()
		}
		w.end()
	}
}

func (w *hashWorld) step() {
	a := w.k.Access(0, w.now, ModePrimary)
	all := w.k.AllShards()
	w.k.Lock(all)
	defer w.k.Unlock(all)
	var h Hash
	if _, err := h.Open(&a, w.slot, w.key); err != nil {
		w.t.Fatal(err)
	}
	name := fmt.Sprint(w.rnd.IntN(60))
	field := []byte(name)
	value := fmt.Appendf(nil, "%0*d", 1+w.rnd.IntN(12), w.rnd.IntN(1000))
	if w.rnd.IntN(200) == 0 {
		value = make([]byte, 40<<10)
	}
	at := int64(0)
	if w.rnd.IntN(3) == 0 {
		at = w.now + w.rnd.Int64N(2000)
	}
	old, had := w.want[name]
	switch w.rnd.IntN(12) {
	case 0, 1, 2, 3:
		if keep := w.rnd.IntN(3) == 0; keep {
			at = KeepTTL
		}
		added, err := h.Put(field, value, at)
		if err != nil || added == had {
			w.t.Fatalf("seed %d: added %v, had %v, %v", w.seed, added, had, err)
		}
		if at == KeepTTL {
			at = old.at
		}
		w.want[name] = modelField{string(value), at}
	case 4, 5:
		found, err := h.SetFieldExpireAt(field, at)
		if err != nil || found != had {
			w.t.Fatalf("seed %d: expiry of %q set: %v, had %v, %v", w.seed, name, found, had, err)
		}
		if had {
			w.want[name] = modelField{old.value, at}
		}
	case 6, 7:
		if h.Delete(field) != had {
			w.t.Fatalf("seed %d: deletion of %q, had %v", w.seed, name, had)
		}
		delete(w.want, name)
	case 8:
		other := fmt.Appendf(nil, "other%d", w.rnd.IntN(4))
		if err := a.Copy(w.slot, w.key, 0, slots.Of(other), other); err != nil {
			w.t.Fatal(err)
		}
		if w.rnd.IntN(2) == 0 {
			if err := a.Rename(slots.Of(other), other, w.slot, w.key); err != nil {
				w.t.Fatal(err)
			}
		}
	case 9:
		got, gotAt, ok := h.Get(field)
		if ok != had || string(got) != old.value || gotAt != old.at {
			w.t.Fatalf("seed %d: got %q %d %v, want %v", w.seed, got, gotAt, ok, old)
		}
	case 10:
		w.pass(w.rnd.Int64N(500))
	case 11:
		w.k.Unlock(all)
		w.k.ExpireStep(w.now, time.Second)
		w.k.BackgroundStep(w.now, time.Second)
		w.k.Lock(all)
	}
}

// pass lets time pass.
func (w *hashWorld) pass(millis int64) {
	w.now += millis
	for name, f := range w.want {
		if f.at != 0 && w.now > f.at {
			delete(w.want, name)
		}
	}
}

func (w *hashWorld) check() {
	w.t.Helper()
	all := w.k.AllShards()
	w.k.Lock(all)
	defer w.k.Unlock(all)
	a := w.k.Access(0, w.now, ModePrimary)
	var h Hash
	if _, err := h.Open(&a, w.slot, w.key); err != nil || h.Live() != len(w.want) {
		w.t.Fatalf("seed %d: %d live of %d fields, want %d (%v)", w.seed, h.Live(), h.Len(), len(w.want), err)
	}
	seen := 0
	h.Each(func(field, value []byte, at int64) bool {
		if f, ok := w.want[string(field)]; !ok || f.value != string(value) || f.at != at {
			w.t.Fatalf("seed %d: field %q is %q until %d, want %v", w.seed, field, value, at, f)
		}
		seen++
		return true
	})
	if field, _, ok := h.Random(w.rnd.Uint64); ok != (len(w.want) > 0) || ok && w.want[string(field)].value == "" {
		w.t.Fatalf("seed %d: random field %q %v", w.seed, field, ok)
	}
	var b Batch
	exported := 0
	if e, ok := a.Entry(w.slot, w.key, &b); ok {
		_ = e.EachField(func(field, value []byte, at int64) error {
			if f, ok := w.want[string(field)]; ok && f.value == string(value) && f.at == at {
				exported++
			}
			return nil
		})
	}
	if seen != len(w.want) || exported != len(w.want) {
		w.t.Fatalf("seed %d: %d fields seen, %d exported, want %d", w.seed, seen, exported, len(w.want))
	}
}

// end lets everything expire, deletes what is left, and looks for what is left then.
func (w *hashWorld) end() {
	w.pass(10_000)
	w.k.ExpireStep(w.now, time.Minute)
	all := w.k.AllShards()
	w.k.Lock(all)
	a := w.k.Access(0, w.now, ModePrimary)
	for _, name := range []string{"hash", "other0", "other1", "other2", "other3"} {
		var h Hash
		if found, _ := h.Open(&a, slots.Of([]byte(name)), []byte(name)); found {
			if h.Len() != h.Live() {
				w.t.Errorf("seed %d: %q: %d of %d fields are still to be deleted", w.seed, name, h.Len()-h.Live(), h.Len())
			}
			h.Remove()
		}
	}
	w.k.Unlock(all)
	for w.k.PendingFrees() > 0 {
		w.k.BackgroundStep(w.now, time.Second)
	}
	w.k.ExpireStep(w.now+1e6, time.Minute) // empties the wheel
	for i := range w.k.shards {
		if used := w.k.shards[i].arena.Used(); used != 0 {
			w.t.Errorf("seed %d: %d bytes left in shard %d", w.seed, used, i)
		}
	}
	if w.told == 0 {
		w.t.Errorf("seed %d: no field's expiry was told", w.seed)
	}
}
