package persist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/slots"
)

const testNow = 1_700_000_000_000

func newKeyspace(t testing.TB) *engine.Keyspace {
	k, err := engine.New(engine.Options{Shards: 4, Databases: 2, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// draw returns an element, of any length and kind of content.
func draw(rnd *rand.Rand, i int) []byte {
	switch rnd.IntN(6) {
	case 0:
		return fmt.Append(nil, int64(rnd.Uint64())>>rnd.IntN(64), "x")
	case 1:
		return append(fmt.Append(nil, i, ":"), bytes.Repeat([]byte("long"), rnd.IntN(200))...)
	}
	return fmt.Append(nil, i)
}

// sizes are the numbers of elements of the values of a type, past all thresholds.
var sizes = []int{1, 2, 10, 128, 129, 512, 513, 3000}

// fill makes keys of every type in database 0 and returns their names.
func fill(t testing.TB, k *engine.Keyspace, rnd *rand.Rand) (keys []string) {
	for _, m := range makers {
		for _, n := range sizes {
			key := fmt.Sprint(m.name, n)
			slot := slots.Of([]byte(key))
			k.Lock(k.Mask(slot))
			a := k.Access(0, testNow, engine.ModePrimary)
			if err := m.make(&a, slot, []byte(key), n, rnd); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if n%2 == 0 {
				if _, err := a.SetExpireAt(slot, []byte(key), testNow+int64(n)); err != nil {
					t.Fatal(err)
				}
			}
			k.Unlock(k.Mask(slot))
			keys = append(keys, key)
		}
	}
	return keys
}

// maker makes a value of n elements.
type maker struct {
	name string
	make func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error
}

var makers = []maker{
	{"string", func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
		return a.SetString(s, key, bytes.Repeat(draw(rnd, n), n), 0)
	}},
	{"list", func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
		var l engine.List
		if _, err := l.Open(a, s, key); err != nil {
			return err
		}
		for i := range n {
			e := draw(rnd, i)
			if i == 9 {
				e = bytes.Repeat([]byte("p"), 9000) // a node of its own
			}
			if err := l.PushTail(e); err != nil {
				return err
			}
		}
		return nil
	}},
	{"set", func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
		return makeSet(a, s, key, n, func(i int) []byte { return draw(rnd, i) })
	}},
	{"integers", func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
		return makeSet(a, s, key, n, func(int) []byte { return strconv.AppendInt(nil, int64(rnd.Uint64())>>rnd.IntN(64), 10) })
	}},
	{"hash", func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
		var h engine.Hash
		if _, err := h.Open(a, s, key); err != nil {
			return err
		}
		for i := range n {
			if _, err := h.Put(draw(rnd, i), draw(rnd, i), 0); err != nil {
				return err
			}
		}
		return nil
	}},
	{"expiring", func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
		var h engine.Hash
		if _, err := h.Open(a, s, key); err != nil {
			return err
		}
		for i := range n {
			at := int64(0)
			if i == 0 || rnd.IntN(2) == 0 {
				at = testNow + 1 + rnd.Int64N(1_000_000)
			}
			if _, err := h.Put(fmt.Append(nil, i), []byte("v"), at); err != nil {
				return err
			}
		}
		return nil
	}},
	{"zset", func(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
		var z engine.ZSet
		if _, err := z.Open(a, s, key); err != nil {
			return err
		}
		scores := []float64{0, -1.5, 0.1, 1e300, math.Inf(1), math.Inf(-1), 3}
		for i := range n {
			if _, _, err := z.Add(draw(rnd, i), scores[rnd.IntN(len(scores))]*float64(1+rnd.IntN(3)), 0); err != nil {
				return err
			}
		}
		return nil
	}},
	{"stream", makeStream},
}

func makeStream(a *engine.Access, s slots.Slot, key []byte, n int, rnd *rand.Rand) error {
	var x engine.Stream
	if _, err := x.Open(a, s, key); err != nil {
		return err
	}
	if err := x.Make(); err != nil {
		return err
	}
	id := stream.ID{Ms: 5}
	var ids []stream.ID
	for i := range n {
		id.Ms += uint64(rnd.IntN(3))
		id.Seq++
		pairs := [][]byte{[]byte("name"), draw(rnd, i)}
		if rnd.IntN(4) == 0 {
			pairs = append(pairs, []byte("more"), draw(rnd, i))
		}
		if err := x.Edit().Append(id, pairs, x.StreamLimits()); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for i := range ids {
		if rnd.IntN(5) == 0 {
			if _, err := x.Edit().Delete(ids[i]); err != nil {
				return err
			}
		}
	}
	for i := range rnd.IntN(3) {
		g, _, err := x.Edit().CreateGroup(fmt.Append(nil, "group", i), ids[len(ids)/2], int64(rnd.IntN(5)-1))
		if err != nil {
			return err
		}
		for j := range 1 + rnd.IntN(4) {
			c, _, err := g.CreateConsumer(fmt.Append(nil, "consumer", j), testNow+int64(j))
			if err != nil {
				return err
			}
			if j > 0 {
				c.SetActive(testNow - int64(j))
			}
			for _, id := range ids {
				if rnd.IntN(3) == 0 {
					if err := g.Deliver(id, c, testNow+int64(j), uint64(1+j)); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func makeSet(a *engine.Access, s slots.Slot, key []byte, n int, member func(i int) []byte) error {
	var set engine.Set
	if _, err := set.Open(a, s, key); err != nil {
		return err
	}
	for i := range n {
		if _, err := set.Add(member(i)); err != nil {
			return err
		}
	}
	return nil
}

// entry returns a key as text: the type, the expiry and all contents, of a stream those
// that k can hold.
func entry(e *engine.Entry, k rdb.Kind) string {
	lines := []string{}
	add := func(a ...any) { lines = append(lines, fmt.Sprintf("%q", a)) }
	switch e.Type {
	case engine.TypeString:
		add(e.Value)
	case engine.TypeList:
		_ = e.EachElement(func(b []byte) error {
			add(b)
			return nil
		})
	case engine.TypeSet:
		_ = e.EachMember(func(b []byte) error {
			add(b)
			return nil
		})
	case engine.TypeHash:
		_ = e.EachField(func(f, v []byte, at int64) error {
			add(f, v, at)
			return nil
		})
	case engine.TypeZSet:
		_ = e.EachScored(func(m []byte, score float64) error {
			add(m, score)
			return nil
		})
	case engine.TypeStream:
		w := rdb.NewBody()
		WriteValue(w, e, k)
		add(w.Body())
	default:
		add(e.Type)
	}
	if e.Type == engine.TypeHash || e.Type == engine.TypeSet || e.Type == engine.TypeZSet {
		sort.Strings(lines)
	}
	return fmt.Sprintf("%s %s %d\n%s", e.Type, e.Encoding, e.ExpireAt, strings.Join(lines, "\n"))
}

// contents returns every key of database db as text.
func contents(t testing.TB, k *engine.Keyspace, db int, version int) map[string]string {
	out := map[string]string{}
	each(t, k, db, func(e engine.Entry) error {
		out[string(e.Key)] = entry(&e, KindOf(&e, version))
		return nil
	})
	return out
}

func each(t testing.TB, k *engine.Keyspace, db int, f func(engine.Entry) error) {
	t.Helper()
	snap, err := k.Snapshot(engine.SnapshotOptions{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	var b engine.Batch
	for {
		err := snap.Next(&b)
		if err == io.EOF {
			return
		}
		if err == nil {
			err = b.Each(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t testing.TB, want, got map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
	for key, w := range want {
		if g := got[key]; g != w {
			t.Errorf("%s is\n%.300s\nwant\n%.300s", key, g, w)
		}
	}
}

// A file written at either version holds everything.
func TestFileRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	k := newKeyspace(t)
	fill(t, k, rand.New(rand.NewPCG(seed, 1)))
	for _, version := range []int{rdb.Version, rdb.VersionLatest} {
		var file bytes.Buffer
		w := rdb.NewWriter(&file, rdb.WriterOptions{Version: version, Compress: version == rdb.Version, Checksum: true})
		s := Saver{Out: w, Version: version, NowMillis: testNow}
		want := contents(t, k, 0, version)
		each(t, k, 0, func(e engine.Entry) error {
			err := s.Save(&e)
			if version == rdb.Version && strings.HasPrefix(string(e.Key), "expiring") {
				if delete(want, string(e.Key)); !errors.Is(err, ErrVersion) {
					t.Errorf("%s at version %d: %v", e.Key, version, err)
				}
				return nil
			}
			return err
		})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		k2 := newKeyspace(t)
		l := Loader{Keyspace: k2}
		r := rdb.NewReader(bufio.NewReader(&file), rdb.ReaderOptions{})
		for {
			ev, err := r.Next()
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if ev == rdb.EventEnd {
				break
			}
			l.Access = k2.Access(r.Key.DB, testNow, engine.ModeApply)
			if err := l.Load(r); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		compare(t, want, contents(t, k2, 0, version))
		if t.Failed() {
			t.Fatalf("seed %d, version %d", seed, version)
		}
	}
}

// Values cut into pieces are put together again, and no piece is longer than asked for by
// more than an element.
func TestPieces(t *testing.T) {
	seed := rand.Uint64()
	k, k2 := newKeyspace(t), newKeyspace(t)
	fill(t, k, rand.New(rand.NewPCG(seed, 2)))
	l := Loader{Keyspace: k2, Continue: true, Access: k2.Access(0, testNow, engine.ModeApply)}
	r := rdb.NewReader(nil, rdb.ReaderOptions{Partial: true})
	longest := 0
	var p Pieces
	each(t, k, 0, func(e engine.Entry) error {
		p.Bytes = 500
		p.Emit = func(kind rdb.Kind, first bool, body []byte) error {
			if e.Rooted() {
				longest = max(longest, len(body))
			}
			if err := r.UseBody(kind, bytes.Clone(body)); err != nil {
				return err
			}
			r.Key.ExpireAt = e.ExpireAt
			return l.LoadAs(r, e.Key)
		}
		if err := p.Cut(&e); err != nil {
			return fmt.Errorf("seed %d, %s: %w", seed, e.Key, err)
		}
		return nil
	})
	compare(t, contents(t, k, 0, rdb.VersionLatest), contents(t, k2, 0, rdb.VersionLatest))
	if longest > 32<<10 || t.Failed() {
		t.Fatalf("seed %d, longest piece %d", seed, longest)
	}
}

// A key that is there already is not loaded over.
func TestKeyTwice(t *testing.T) {
	k := newKeyspace(t)
	w := rdb.NewPayload(nil, rdb.KindString, false)
	w.Bytes([]byte("v"))
	payload := w.Payload(rdb.Version)
	l := Loader{Keyspace: k, Access: k.Access(0, testNow, engine.ModeApply)}
	for _, want := range []error{nil, ErrKeyTwice} {
		r, err := rdb.NewPayloadReader(payload, rdb.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.LoadAs(r, []byte("k")); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
}
