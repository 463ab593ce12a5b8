package quicklist

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

func newList(t testing.TB, limitBytes int64) List {
	t.Helper()
	a, err := arena.New(limitBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return newListIn(t, a)
}

func newListIn(t testing.TB, a *arena.Arena) List {
	ref, err := a.Alloc(HeadBytes)
	if err != nil {
		t.Fatal(err)
	}
	h := (*Head)(a.At(ref))
	*h = Head{}
	return Open(a, h)
}

// check holds the invariants of a list, and its elements against want.
func check(t *testing.T, l List, want []string) {
	t.Helper()
	if l.Len() != len(want) {
		t.Fatalf("%d elements, want %d", l.Len(), len(want))
	}
	if l.h.size&(l.h.size-1) != 0 || l.h.nodes > l.h.size || (l.h.nodes == 0) != (l.h.size == 0) {
		t.Fatalf("ring of %d for %d nodes", l.h.size, l.h.nodes)
	}
	var got []string
	for i := range l.h.nodes {
		n := l.node(i)
		if int64(n.start+n.bytes) > l.a.Size(n.ref) {
			t.Fatalf("node %d: %d bytes from %d in a block of %d", i, n.bytes, n.start, l.a.Size(n.ref))
		}
		b, plain := l.Node(int(i))
		if plain {
			if n.start != 0 {
				t.Fatalf("plain node %d starts at %d", i, n.start)
			}
			got = append(got, string(b))
			continue
		}
		if err := listpack.Validate(b, true, nil); err != nil {
			t.Fatalf("node %d: %v", i, err)
		}
		if listpack.Len(b) != int(n.count) || n.count == 0 {
			t.Fatalf("node %d: %d entries, counted %d", i, listpack.Len(b), n.count)
		}
		for off := listpack.First(b); off >= 0; off = listpack.Next(b, off) {
			got = append(got, string(listpack.Get(b, off, nil)))
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("elements differ:\n%.60q\n%.60q", got, want)
	}
}

func text(str []byte, v int64, isInt bool) string {
	if isInt {
		return strconv.FormatInt(v, 10)
	}
	return string(str)
}

// model is a list beside a slice that should be the same.
type model struct {
	t    *testing.T
	r    *rand.Rand
	l    List
	o    Limits
	want []string
}

func (m *model) elem() string {
	switch m.r.IntN(12) {
	case 0:
		return strings.Repeat("l", m.r.IntN(5000))
	case 1:
		if m.r.IntN(20) == 0 {
			return strings.Repeat("h", m.r.IntN(70_000))
		}
	case 2, 3, 4:
		return strconv.Itoa(m.r.IntN(5))
	}
	return strings.Repeat("s", m.r.IntN(60))
}

// do makes one random change. A refusal for want of memory must leave the order alone.
func (m *model) do() {
	e := m.elem()
	n := len(m.want)
	i := m.r.IntN(n + 1)
	to := min(n, i+m.r.IntN(1+m.r.IntN(40)))
	switch op := m.r.IntN(17); {
	case op < 6:
		front := op%2 == 0
		if m.l.Push(m.o, []byte(e), front) == nil {
			if front {
				m.want = slices.Insert(m.want, 0, e)
			} else {
				m.want = append(m.want, e)
			}
		}
	case op < 8 && n > 0:
		if m.l.Pop(op == 6); op == 6 {
			m.want = m.want[1:]
		} else {
			m.want = m.want[:n-1]
		}
	case op < 11 && i < n:
		after := m.r.IntN(2) == 0
		if m.l.Insert(m.o, m.l.Seek(i), after, []byte(e)) == nil {
			if after {
				i++
			}
			m.want = slices.Insert(m.want, i, e)
		}
	case op < 13 && i < n:
		if m.l.Set(m.o, m.l.Seek(i), []byte(e)) == nil {
			m.want[i] = e
		}
	case op == 13 && i < n:
		m.l.Delete(i, to-i)
		m.want = slices.Delete(m.want, i, to)
	case op == 14 && i < n:
		m.remove(m.want[i], 1+m.r.IntN(4), m.r.IntN(2) == 0)
	case op == 16 && n > 0:
		front := m.r.IntN(2) == 0
		if m.l.Rotate(m.o, front) == nil {
			if front {
				m.want = append(slices.Clone(m.want[1:]), m.want[0])
			} else {
				m.want = append([]string{m.want[n-1]}, m.want[:n-1]...)
			}
		}
	case op == 15 && i < n:
		m.look(i)
	}
}

func (m *model) remove(e string, limit int, back bool) {
	kept, gone := []string{}, 0
	in := slices.Clone(m.want)
	if back {
		slices.Reverse(in)
	}
	for _, x := range in {
		if x == e && gone < limit {
			gone++
			continue
		}
		kept = append(kept, x)
	}
	if back {
		slices.Reverse(kept)
	}
	if got := m.l.Remove([]byte(e), limit, back); got != gone {
		m.t.Fatalf("%d removed, want %d", got, gone)
	}
	m.want = kept
}

// look reads by every way that there is.
func (m *model) look(i int) {
	if got := text(m.l.At(m.l.Seek(i))); got != m.want[i] {
		m.t.Fatalf("element %d is %.40q, want %.40q", i, got, m.want[i])
	}
	p, ok := m.l.Find([]byte(m.want[i]))
	if first := slices.Index(m.want, m.want[i]); !ok || m.l.indexOf(p) != first {
		m.t.Fatalf("found at %d, want %d", m.l.indexOf(p), first)
	}
	if _, ok := m.l.Find([]byte("none")); ok {
		m.t.Fatal("found what is not there")
	}
	for _, back := range []bool{false, true} {
		w := m.l.From(i, back)
		for j := i; ; {
			str, v, isInt, ok := w.Next()
			if !ok {
				if back && j != -1 || !back && j != len(m.want) {
					m.t.Fatalf("walk ends before %d of %d", j, len(m.want))
				}
				break
			}
			if got := text(str, v, isInt); got != m.want[j] {
				m.t.Fatalf("walk meets %.40q as %d, want %.40q", got, j, m.want[j])
			}
			if back {
				j--
			} else {
				j++
			}
		}
	}
	bytes := 0
	for _, e := range m.want[i:] {
		bytes += len(e)
	}
	if got := m.l.Bytes(i, len(m.want), 1<<30); got < bytes-20*len(m.want) {
		m.t.Fatalf("%d bytes, there are %d", got, bytes)
	}
}

func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	fills := []int{-1, -2, -5, -100, 0, 1, 2, 7, 128, 40_000}
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for round := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		limit := int64(0)
		if round%4 == 3 {
			limit = 1 << 20 // memory runs out
		}
		m := &model{t: t, r: r, l: newList(t, limit), o: Limits{Fill: fills[r.IntN(len(fills))]}}
		if r.IntN(3) == 0 {
			m.o.Plain = 1 + r.IntN(100)
		}
		for step := range 1200 {
			if r.IntN(300) == 0 {
				m.o.Fill = fills[r.IntN(len(fills))]
			}
			m.do()
			if step%16 == 0 {
				check(t, m.l, m.want)
			}
		}
		check(t, m.l, m.want)
		finish(t, m)
	}
}

// finish copies the list, frees both, and looks for what is left.
func finish(t *testing.T, m *model) {
	other := newList(t, 0)
	if err := m.l.CopyTo(other); err != nil {
		t.Fatal(err)
	}
	check(t, other, m.want)
	if other.Size(0) > m.l.Size(0)+int64(arena.ClassSize(int(unsafe.Sizeof(node{})*4))) {
		t.Errorf("the copy takes %d bytes, the list %d", other.Size(0), m.l.Size(0))
	}
	for _, l := range []List{m.l, other} {
		for pos, done := uint64(0), false; !done; {
			pos, done = l.Free(pos, 3)
		}
		if used := l.a.Used(); used != int64(HeadBytes) {
			t.Fatalf("%d bytes left", used)
		}
	}
}

func TestAdoptAndSole(t *testing.T) {
	l := newList(t, 0)
	if _, ok := l.Sole(); ok {
		t.Fatal("an empty list has a node")
	}
	lp := listpack.Append(listpack.Append(listpack.New(nil), []byte("a")), []byte("1"))
	if err := l.AdoptListpack(lp); err != nil {
		t.Fatal(err)
	}
	check(t, l, []string{"a", "1"})
	if got, ok := l.Sole(); !ok || !bytes.Equal(got, lp) {
		t.Fatalf("%x, %v", got, ok)
	}
	o := Limits{Fill: -2}
	big := strings.Repeat("x", 100_000)
	if err := l.Push(o, []byte(big), false); err != nil {
		t.Fatal(err)
	}
	check(t, l, []string{"a", "1", big})
	if _, ok := l.NodeSpan(1); !ok {
		t.Fatal("a long element is in no span")
	}
	l.Delete(0, 2)
	if _, ok := l.Sole(); ok {
		t.Fatal("a plain node is taken for a listpack")
	}
}

// A queue stays as small as what is in it.
func TestQueueKeepsSmall(t *testing.T) {
	l := newList(t, 0)
	o := Limits{Fill: -2}
	elem := []byte(strings.Repeat("q", 100))
	for i := range 20_000 {
		if err := l.Push(o, elem, true); err != nil {
			t.Fatal(err)
		}
		if i >= 50 {
			l.Pop(false)
		}
		if size := l.Size(0); size > 24<<10 {
			t.Fatalf("%d bytes for %d elements after %d pushes", size, l.Len(), i)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	l := newList(t, 0)
	o := Limits{Fill: -2}
	elem := []byte("element")
	n := testing.AllocsPerRun(5000, func() {
		_ = l.Push(o, elem, true)
		_ = l.Push(o, elem, false)
		_ = l.Insert(o, l.Seek(l.Len()/2), true, elem)
		w := l.From(0, false)
		w.Next()
		if l.Len() > 2000 {
			l.Pop(true)
			l.Pop(false)
			l.Delete(5, 1)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
