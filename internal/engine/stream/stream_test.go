package stream

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

func newStream(t testing.TB, a *arena.Arena) Stream {
	t.Helper()
	ref, err := a.Alloc(RootBytes)
	if err != nil {
		t.Fatal(err)
	}
	clear(a.Bytes(ref, RootBytes))
	s := Stream{A: a, Root: (*Root)(a.At(ref))}
	s.Init()
	t.Cleanup(func() {
		for !s.Free(10) {
		}
		a.Free(ref)
		if a.Used() != 0 {
			t.Errorf("%d bytes used when all is freed", a.Used())
		}
	})
	return s
}

// checkInvariants validates every node and counts.
func (s Stream) checkInvariants() error {
	if err := s.nodes.checkInvariants(s.A); err != nil {
		return err
	}
	n, last := 0, ID{}
	var bad error
	s.EachNode(func(master ID, lp []byte) bool {
		live, _, end, err := Validate(master, lp)
		if err == nil && !last.Less(master) {
			err = fmt.Errorf("node of %v behind %v", master, last)
		}
		n, last, bad = n+live, end, err
		return bad == nil
	})
	if bad == nil && n != s.Len() {
		bad = fmt.Errorf("%d entries, counted %d", n, s.Len())
	}
	if bad == nil && s.Last.Less(last) {
		bad = fmt.Errorf("last id is %v, an entry has %v", s.Last, last)
	}
	for i := range s.Groups() {
		if bad == nil {
			bad = s.GroupAt(i).checkInvariants()
		}
	}
	return bad
}

func (g Group) checkInvariants() error {
	if err := g.g.pending.checkInvariants(g.a); err != nil {
		return err
	}
	n, name := 0, []byte(nil)
	for i := range g.Consumers() {
		c := g.ConsumerAt(i)
		if i > 0 && bytes.Compare(name, c.Name()) >= 0 {
			return fmt.Errorf("consumer %q behind %q", c.Name(), name)
		}
		name = c.Name()
		if err := c.c.pending.checkInvariants(g.a); err != nil {
			return err
		}
		for p := c.c.pending.front(g.a); p.ok(); p.step(g.a, true) {
			if x, ok := g.Lookup(p.id()); !ok || !x.Consumer.Is(c) {
				return fmt.Errorf("%v is pending for %s alone", p.id(), c.Name())
			}
			n++
		}
	}
	if n != g.Pending() {
		return fmt.Errorf("%d pending, %d by consumers", g.Pending(), n)
	}
	return nil
}

// modelEntry is an entry as the test knows it.
type modelEntry struct {
	id    ID
	pairs []string
}

func (e modelEntry) String() string { return e.id.String() + " " + strings.Join(e.pairs, " ") }

func byteSlices(words []string) (out [][]byte) {
	for _, w := range words {
		out = append(out, []byte(w))
	}
	return out
}

func read(s Stream, from, to ID, reverse bool) (out []modelEntry) {
	var it Iter
	for it.Start(s, from, to, reverse); it.Next(); {
		e := modelEntry{id: it.ID}
		for range it.Fields {
			var a, b [20]byte
			name, value := it.Field(a[:0], b[:0])
			e.pairs = append(e.pairs, string(name), string(value))
		}
		out = append(out, e)
	}
	return out
}

func same(got, want []modelEntry) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d entries, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].String() != want[i].String() {
			return fmt.Errorf("entry %d: %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

func TestStreamModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(strconv.Itoa(int(seed)), func(t *testing.T) {
			if err := streamModel(t, seed); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
	}
}

func streamModel(t *testing.T, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 3))
	a := newArena(t)
	s := newStream(t, a)
	l := Limits{NodeBytes: []int64{0, 64, 300, 4096, 100_000}[r.IntN(5)], NodeEntries: []int64{0, 1, 7, 100, 1000}[r.IntN(5)]}
	var model []modelEntry
	last := ID{}
	value := func() string {
		switch r.IntN(6) {
		case 0:
			return strconv.Itoa(r.IntN(1<<r.IntN(30)) - 50)
		case 1:
			return strconv.FormatInt(int64(r.Uint64()), 10)
		case 2:
			return strings.Repeat("v", r.IntN(100))
		case 3:
			if r.IntN(20) == 0 {
				return strings.Repeat("w", r.IntN(50_000))
			}
		}
		return "some-value"
	}
	index := func(id ID) (int, bool) {
		return slices.BinarySearchFunc(model, id, func(e modelEntry, id ID) int { return e.id.Compare(id) })
	}
	for step := range 1500 {
		switch op := r.IntN(100); {
		case op < 70:
			id := last
			switch r.IntN(5) {
			case 0:
				id.Ms += r.Uint64N(1 << r.IntN(40))
				id.Seq = r.Uint64N(5)
				if !last.Less(id) {
					id.Ms++
				}
			default:
				id.Seq++
			}
			var pairs []string
			for i := range 1 + r.IntN(3) {
				name := "field" + strconv.Itoa(i)
				if r.IntN(30) == 0 {
					name = value()
				}
				pairs = append(pairs, name, value())
			}
			if err := s.Append(id, byteSlices(pairs), l); err != nil {
				return err
			}
			last = id
			model = append(model, modelEntry{id, pairs})
		case op < 85:
			id := ID{r.Uint64N(last.Ms + 1), 0}
			if len(model) > 0 && r.IntN(4) != 0 {
				id = model[r.IntN(len(model))].id
			}
			i, had := index(id)
			ok, err := s.Delete(id)
			if err != nil || ok != had || s.Has(id) {
				return fmt.Errorf("step %d: delete %v: %v %v, had %v", step, id, ok, err, had)
			}
			if had {
				model = slices.Delete(model, i, i+1)
			}
		case op < 92 && len(model) > 0:
			tr := Trim{MaxLen: int64(len(model) - r.IntN(min(len(model), 30)+1)), Approx: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				tr.MaxLen, tr.MinID = -1, model[r.IntN(min(len(model), 60))].id
			}
			if tr.Approx && r.IntN(2) == 0 {
				tr.Limit = r.Int64N(20)
			}
			n, _, err := s.Trim(tr)
			if err != nil || n > len(model) {
				return fmt.Errorf("step %d: trim %+v: %d, %v", step, tr, n, err)
			}
			want := 0
			if tr.MaxLen >= 0 {
				want = max(0, len(model)-int(tr.MaxLen))
			} else {
				want, _ = index(tr.MinID)
			}
			if n > want || !tr.Approx && n != want {
				return fmt.Errorf("step %d: trim %+v took %d of %d, want %d", step, tr, n, len(model), want)
			}
			model = model[n:]
		case op < 97:
			from, to := ID{}, MaxID
			if len(model) > 0 && r.IntN(3) != 0 {
				i, j := r.IntN(len(model)), r.IntN(len(model))
				from, to = model[min(i, j)].id, model[max(i, j)].id
			}
			i, _ := index(from)
			j, ok := index(to)
			if ok {
				j++
			}
			want := slices.Clone(model[i:j])
			if err := same(read(s, from, to, false), want); err != nil {
				return fmt.Errorf("step %d: %v to %v: %w", step, from, to, err)
			}
			slices.Reverse(want)
			if err := same(read(s, from, to, true), want); err != nil {
				return fmt.Errorf("step %d: %v to %v backwards: %w", step, from, to, err)
			}
		default:
			if err := s.checkInvariants(); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
		first := ID{}
		if len(model) > 0 {
			first = model[0].id
		}
		if s.First != first || s.Len() != len(model) || s.Last != last {
			return fmt.Errorf("step %d: %d entries from %v, want %d from %v", step, s.Len(), s.First, len(model), first)
		}
	}
	return copies(t, s, model)
}

func copies(t *testing.T, s Stream, model []modelEntry) error {
	twin := newStream(t, newArena(t))
	if err := s.CopyTo(twin); err != nil {
		return err
	}
	if err := twin.checkInvariants(); err != nil {
		return err
	}
	if twin.Last != s.Last || twin.First != s.First || twin.Added != s.Added || twin.MaxDeleted != s.MaxDeleted {
		return fmt.Errorf("copy has other counters")
	}
	return same(read(twin, ID{}, MaxID, false), model)
}

func TestGroupModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(strconv.Itoa(int(seed)), func(t *testing.T) {
			if err := groupModel(t, seed); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
	}
}

type modelPending struct {
	consumer string
	time     int64
	count    uint64
}

func groupModel(t *testing.T, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 5))
	a := newArena(t)
	s := newStream(t, a)
	g, created, err := s.CreateGroup([]byte("group"), ID{5, 5}, 3)
	if err != nil || !created || g.Last() != (ID{5, 5}) || g.Read() != 3 {
		return fmt.Errorf("created %v: %v", created, err)
	}
	model := map[ID]modelPending{}
	ids := []ID{}
	next := ID{1, 0}
	for step := range 4000 {
		name := "consumer" + strconv.Itoa(r.IntN(8))
		switch op := r.IntN(100); {
		case op < 50:
			c, _, err := g.CreateConsumer([]byte(name), int64(step))
			if err != nil {
				return err
			}
			id := next
			next.Seq += 1 + r.Uint64N(3)
			if len(ids) > 0 && r.IntN(3) == 0 {
				id = ids[r.IntN(len(ids))]
			}
			x := modelPending{name, int64(r.Uint64()), r.Uint64()}
			if err := g.Deliver(id, c, x.time, x.count); err != nil {
				return err
			}
			model[id] = x
			ids = append(ids, id)
		case op < 90 && len(ids) > 0:
			id := ids[r.IntN(len(ids))]
			if r.IntN(2) == 0 {
				id, ids = ids[0], ids[1:]
			}
			_, had := model[id]
			if g.Ack(id) != had {
				return fmt.Errorf("step %d: ack %v, had %v", step, id, had)
			}
			delete(model, id)
		case op < 92:
			want := 0
			for id, x := range model {
				if x.consumer == name {
					want++
					delete(model, id)
				}
			}
			if n, _ := g.DeleteConsumer([]byte(name)); n != want {
				return fmt.Errorf("step %d: %s had %d pending, want %d", step, name, n, want)
			}
		case op < 95:
			if _, _, err := s.CreateGroup([]byte(name), ID{}, Unknown); err != nil {
				return err
			}
		case op < 97:
			s.DestroyGroup([]byte(name))
		default:
			if err := s.checkInvariants(); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
		var ok bool
		if g, ok = s.Group([]byte("group")); !ok {
			return fmt.Errorf("step %d: the group is gone", step)
		}
	}
	if err := samePending(g, model); err != nil {
		return err
	}
	twin := newStream(t, newArena(t))
	if err := s.CopyTo(twin); err != nil {
		return err
	}
	if err := twin.checkInvariants(); err != nil {
		return err
	}
	g, _ = twin.Group([]byte("group"))
	return samePending(g, model)
}

func samePending(g Group, model map[ID]modelPending) error {
	n := 0
	var b Backlog
	for b.Start(g, nil, ID{}, MaxID); b.Next(); n++ {
		if got := (modelPending{string(b.Consumer.Name()), b.Time, b.Count}); got != model[b.ID] {
			return fmt.Errorf("pending %v: %v, want %v", b.ID, got, model[b.ID])
		}
	}
	if n != len(model) || g.Pending() != n {
		return fmt.Errorf("%d pending, want %d", n, len(model))
	}
	n = 0
	for i := range g.Consumers() {
		c := g.ConsumerAt(i)
		for b.Start(g, &c, ID{}, MaxID); b.Next(); n++ {
			if !b.Consumer.Is(c) {
				return fmt.Errorf("%v is not of %s", b.ID, c.Name())
			}
		}
	}
	if n != len(model) {
		return fmt.Errorf("%d pending by consumers, want %d", n, len(model))
	}
	return nil
}

// An exhausted arena refuses, and nothing is half done.
func TestStreamWithoutSpace(t *testing.T) {
	a, err := arena.New(256 << 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	s := newStream(t, a)
	r := rand.New(rand.NewPCG(9, 9))
	g, _, err := s.CreateGroup([]byte("g"), ID{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 20_000 {
		id := ID{uint64(i + 1), 0}
		pairs := byteSlices([]string{"f", strings.Repeat("x", r.IntN(200))})
		if s.Append(id, pairs, Limits{NodeBytes: 4096, NodeEntries: 100}) != nil {
			refused++
		}
		if c, _, err := g.CreateConsumer([]byte(strconv.Itoa(r.IntN(3))), 1); err != nil || g.Deliver(id, c, 1, 1) != nil {
			refused++
		}
		if i%3000 == 0 {
			if _, _, err := s.Trim(Trim{MaxLen: 5}); err != nil {
				refused++
			}
			for j := range 500 {
				g.Ack(ID{uint64(max(0, i-j)), 0})
			}
		}
		if i%500 == 0 {
			if err := s.checkInvariants(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

func TestOrdinalAndLag(t *testing.T) {
	a := newArena(t)
	s := newStream(t, a)
	l := Limits{NodeBytes: 4096, NodeEntries: 100}
	for i := range 10 {
		if err := s.Append(ID{uint64(i + 1), 0}, byteSlices([]string{"f", "v"}), l); err != nil {
			t.Fatal(err)
		}
	}
	check := func(id ID, want int64) {
		t.Helper()
		if got := s.Ordinal(id); got != want {
			t.Errorf("ordinal of %v: %d, want %d", id, got, want)
		}
	}
	check(ID{10, 0}, 10)
	check(ID{1, 0}, 1)
	check(ID{0, 0}, 0)
	check(ID{5, 0}, Unknown)
	check(ID{11, 0}, Unknown)
	g, _, _ := s.CreateGroup([]byte("g"), ID{}, Unknown)
	for i := range 3 {
		g.ReadOn(s, ID{uint64(i + 1), 0})
	}
	if lag, ok := g.Lag(s); g.Read() != 3 || lag != 7 || !ok {
		t.Errorf("read %d, lag %d %v", g.Read(), lag, ok)
	}
	s.Delete(ID{7, 0})
	if _, ok := g.Lag(s); ok {
		t.Error("the lag is known though an entry ahead was deleted")
	}
}

// Counts that no ENTRIESREAD can say become unknown; what a group holds can always be
// written down and read again.
func TestCountsEndAtTheirEnd(t *testing.T) {
	a := newArena(t)
	s := newStream(t, a)
	l := Limits{NodeBytes: 4096, NodeEntries: 100}
	g, _, err := s.CreateGroup([]byte("g"), ID{}, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	s.Added = math.MaxInt64
	if got := s.Ordinal(s.Last); got != math.MaxInt64 {
		t.Errorf("ordinal %d of the last of as many", got)
	}
	if err := s.Append(ID{1, 0}, byteSlices([]string{"f", "v"}), l); err != nil {
		t.Fatal(err)
	}
	if got := s.Ordinal(s.Last); got != Unknown {
		t.Errorf("ordinal %d behind the last count", got)
	}
	if g.ReadOn(s, ID{1, 0}); g.Read() != Unknown {
		t.Errorf("read %d behind the last count", g.Read())
	}
}
