package zset

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/table"
)

// checkInvariants walks the whole tree. A tree that was ever refused space may be less
// dense than others.
func (t *Tree) checkInvariants(dense bool) error {
	if t.H.root == 0 {
		if t.H.count != 0 {
			return fmt.Errorf("no root, %d entries counted", t.H.count)
		}
		return nil
	}
	n, err := t.checkNode(t.H.root, int(t.node(t.H.root).level), dense, true, true)
	if err == nil && n != int(t.H.count) {
		err = fmt.Errorf("%d entries, %d counted", n, t.H.count)
	}
	if x := t.node(t.H.root); err == nil && x.level > 0 && x.n < 2 {
		err = fmt.Errorf("root of level %d has %d children", x.level, x.n)
	}
	if err != nil {
		return err
	}
	var last float64
	var member []byte
	seen := 0
	for c := t.First(); c.Valid(); c.Next() {
		m := t.member(c.Ref())
		if seen > 0 && (c.Score() < last || c.Score() == last && bytes.Compare(m, member) <= 0) {
			return fmt.Errorf("entry %d: (%v, %q) behind (%v, %q)", seen, c.Score(), m, last, member)
		}
		last, member = c.Score(), m
		seen++
	}
	if seen != n {
		return fmt.Errorf("%d of %d entries met", seen, n)
	}
	return nil
}

func (t *Tree) checkNode(ref arena.Ref, level int, dense, first, last bool) (int, error) {
	x := t.node(ref)
	if int(x.level) != level || x.n == 0 || int(x.n) > x.room() {
		return 0, fmt.Errorf("node of level %d at level %d holds %d of %d", x.level, level, x.n, x.room())
	}
	if dense && x.class >= 2 && int(x.n) <= room(x.level, x.class-2) {
		return 0, fmt.Errorf("node of level %d holds %d in room for %d", level, x.n, x.room())
	}
	if level == 0 {
		return int(x.n), nil
	}
	total := 0
	_, merge := t.node(x.kid(0)).bounds()
	least, _ := t.node(x.kid(0)).bounds()
	for i, kid := range x.kids() {
		n, err := t.checkNode(kid, level-1, dense, first && i == 0, last && i == int(x.n)-1)
		if err != nil {
			return 0, err
		}
		y := t.node(kid)
		if n != int(x.counts()[i]) || y.scores()[0] != x.scores()[i] || y.refs()[0] != x.refs()[i] {
			return 0, fmt.Errorf("child %d of level %d: %d entries from (%v, %#x), parent says %d from (%v, %#x)", i, level,
				n, y.scores()[0], y.refs()[0], x.counts()[i], x.scores()[i], x.refs()[i])
		}
		edge := first && i == 0 || last && i == int(x.n)-1
		if dense && i > 0 && !edge && int(y.n) < least && int(y.n+t.node(x.kid(i-1)).n) <= merge/2 {
			return 0, fmt.Errorf("children %d and %d of level %d hold %d and %d", i-1, i, level, t.node(x.kid(i-1)).n, y.n)
		}
		total += n
	}
	return total, nil
}

// world is a tree with its records.
type world struct {
	Tree
	h     Header
	dense bool
}

func newWorld(t testing.TB, limit int64) *world {
	a, err := arena.New(limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{dense: limit == 0}
	w.Tree = Tree{A: a, H: &w.h}
	return w
}

func (w *world) record(member []byte) (arena.Ref, error) {
	l := table.Layout{KeyLen: len(member), ValueLen: 8}
	ref, err := w.A.Alloc(l.Size())
	if err == nil {
		table.RecAt(w.A, ref).Init(l, 0, member)
	}
	return ref, err
}

type entry struct {
	score  float64
	member string
	ref    arena.Ref
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.member, b.member))
}

// runModel makes random calls, drawn by next, and holds the tree against a sorted slice.
func runModel(w *world, steps, scores int, grow int, next func(n int) int) error {
	var model []entry
	byMember := map[string]float64{}
	draw := func() float64 {
		switch s := next(scores); s {
		case 0:
			return math.Inf(-1)
		case 1:
			return math.Inf(1)
		default:
			return float64(s-scores/2) / 4
		}
	}
	for step := range steps {
		op := next(100)
		switch {
		case op < grow:
			e := entry{score: draw(), member: fmt.Sprint(next(steps))}
			if _, ok := byMember[e.member]; ok {
				continue
			}
			var err error
			if e.ref, err = w.record([]byte(e.member)); err != nil {
				continue
			}
			if err := w.Insert(e.score, e.ref); err != nil {
				if !errors.Is(err, arena.ErrNoSpace) {
					return err
				}
				w.A.Free(e.ref)
				continue
			}
			i, _ := slices.BinarySearchFunc(model, e, compareEntries)
			model = slices.Insert(model, i, e)
			byMember[e.member] = e.score
		case len(model) == 0:
		case op < 80:
			i := next(len(model))
			if next(4) == 0 {
				i = next(2) * (len(model) - 1) // an end
			}
			e := model[i]
			if next(3) == 0 {
				score, ref := w.DeleteRank(i)
				if score != e.score || ref != e.ref {
					return fmt.Errorf("step %d: rank %d was %v %#x, should be %v", step, i, score, ref, e)
				}
			} else if !w.Delete(e.score, e.ref) {
				return fmt.Errorf("step %d: %v not found", step, e)
			}
			if w.Delete(e.score, e.ref) {
				return fmt.Errorf("step %d: %v deleted twice", step, e)
			}
			w.A.Free(e.ref)
			model = slices.Delete(model, i, i+1)
			delete(byMember, e.member)
		case op < 90:
			i := next(len(model))
			e := model[i]
			to := draw()
			if next(2) == 0 {
				to = e.score + float64(next(3)-1)/8
			}
			if ok, err := w.Update(e.score, e.ref, to); err != nil && !errors.Is(err, arena.ErrNoSpace) || !ok {
				return fmt.Errorf("step %d: update of %v: %v, %w", step, e, ok, err)
			} else if err != nil {
				continue
			}
			model = slices.Delete(model, i, i+1)
			e.score = to
			i, _ = slices.BinarySearchFunc(model, e, compareEntries)
			model = slices.Insert(model, i, e)
			byMember[e.member] = to
		case op < 92:
			i := next(len(model))
			e := &model[i]
			ref, err := w.record([]byte(e.member))
			if err != nil {
				continue
			}
			w.Replace(e.score, e.ref, ref)
			w.A.Free(e.ref)
			e.ref = ref
		default:
			if err := compare(w, model, draw(), fmt.Sprint(next(steps)), next); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
	}
	if err := w.checkInvariants(w.dense); err != nil {
		return err
	}
	for _, e := range model {
		w.A.Free(e.ref)
	}
	for !w.Drain(1 + next(5)) {
	}
	if w.A.Used() != 0 || w.H.Len() != 0 {
		return fmt.Errorf("%d bytes, %d entries left when all is drained", w.A.Used(), w.H.Len())
	}
	return nil
}

// compare asks everything about one bound.
func compare(w *world, model []entry, score float64, member string, next func(int) int) error {
	if w.H.Len() != len(model) {
		return fmt.Errorf("%d entries, should be %d", w.H.Len(), len(model))
	}
	if next(10) == 0 {
		if err := w.checkInvariants(w.dense); err != nil {
			return err
		}
	}
	key := entry{score: score, member: member}
	index := func(behind func(e entry) bool) int {
		if i := slices.IndexFunc(model, behind); i >= 0 {
			return i
		}
		return len(model)
	}
	for _, c := range []struct {
		what string
		got  Cursor
		rank int
		want int
	}{
		{"score >=", w.SeekScore(score, false), w.RankScore(score, false), index(func(e entry) bool { return e.score >= score })},
		{"score >", w.SeekScore(score, true), w.RankScore(score, true), index(func(e entry) bool { return e.score > score })},
		{"key >=", w.Seek(score, []byte(member), false), w.Rank(score, []byte(member)), index(func(e entry) bool { return compareEntries(e, key) >= 0 })},
		{"key >", w.Seek(score, []byte(member), true), -1, index(func(e entry) bool { return compareEntries(e, key) > 0 })},
	} {
		if c.rank >= 0 && c.rank != c.want {
			return fmt.Errorf("%s (%v, %q): rank %d, should be %d", c.what, score, member, c.rank, c.want)
		}
		cur := c.got
		if cur.Valid() != (c.want < len(model)) || cur.Valid() && (cur.Rank() != c.want || cur.Ref() != model[c.want].ref) {
			return fmt.Errorf("%s (%v, %q): not at %d", c.what, score, member, c.want)
		}
		back := next(2) == 0
		for i := c.want; cur.Valid(); {
			if cur.Score() != model[i].score || cur.Ref() != model[i].ref {
				return fmt.Errorf("%s: %v %#x at %d, should be %v", c.what, cur.Score(), cur.Ref(), i, model[i])
			}
			if back {
				cur.Prev()
				i--
			} else {
				cur.Next()
				i++
			}
			if cur.Valid() != (i >= 0 && i < len(model)) {
				return fmt.Errorf("%s: cursor ends at %d of %d", c.what, i, len(model))
			}
		}
	}
	return nil
}

func TestModel(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 12
	}
	for seed := range seeds {
		w := newWorld(t, 0)
		r := rand.New(rand.NewPCG(seed, 11))
		scores := []int{3, 20, 400, 1 << 20}[seed%4]
		if err := runModel(w, 3000+int(seed%3)*3000, scores, 40+int(seed%5)*8, r.IntN); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// Without space nothing changes and nothing is lost.
func TestModelNoSpace(t *testing.T) {
	for seed := range uint64(4) {
		w := newWorld(t, 256<<10)
		r := rand.New(rand.NewPCG(seed, 12))
		if err := runModel(w, 20000, 1000, 60, r.IntN); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"), uint8(3))
	f.Add(bytes.Repeat([]byte{1, 200, 90, 33, 250, 4, 96, 99, 60}, 40), uint8(100))
	f.Fuzz(func(t *testing.T, data []byte, scores uint8) {
		steps := min(len(data)/4, 3000)
		next := func(n int) int {
			v := 0
			for range min(2, len(data)) {
				v = v<<8 | int(data[0])
				data = data[1:]
			}
			return v % n
		}
		if err := runModel(newWorld(t, 16<<20), steps, 3+int(scores), 60, next); err != nil {
			t.Fatal(err)
		}
	})
}

// One score for all: the order is that of the members.
func TestMembers(t *testing.T) {
	w := newWorld(t, 0)
	const n = 5000
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(n) {
		ref, err := w.record(binary.BigEndian.AppendUint16(nil, uint16(2*i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Insert(1, ref); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2*n + 2 {
		key := binary.BigEndian.AppendUint16(nil, uint16(i))
		for after, want := range map[bool]int{false: (i + 1) / 2, true: i/2 + 1} {
			want = min(want, n)
			if got := w.RankMember(key, after); got != want {
				t.Fatalf("rank of %d, after %v: %d, want %d", i, after, got, want)
			}
			c := w.SeekMember(key, after)
			if c.Valid() != (want < n) || c.Valid() && c.Rank() != want {
				t.Fatalf("seek of %d, after %v: not at %d", i, after, want)
			}
		}
	}
}

// Trees are dense however they are built.
func TestDensity(t *testing.T) {
	const n = 100_000
	for name, f := range map[string]struct {
		score func(i int) float64
		max   float64
	}{
		"ascending":  {func(i int) float64 { return float64(i) }, 12.8},
		"descending": {func(i int) float64 { return float64(-i) }, 12.8},
		"random":     {func(i int) float64 { return rand.Float64() }, 14.6},
	} {
		w := newWorld(t, 0)
		for i := range n {
			ref, err := w.record([]byte(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Insert(f.score(i), ref); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.checkInvariants(w.dense); err != nil {
			t.Fatal(err)
		}
		if per := float64(w.Bytes()) / n; per > f.max {
			t.Errorf("%s: %.2f bytes an entry, at most %v", name, per, f.max)
		} else {
			t.Logf("%s: %.2f bytes an entry", name, per)
		}
		for i := range n - 100 {
			w.DeleteRank(w.H.Len() * (i % 7) / 7)
		}
		if err := w.checkInvariants(w.dense); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppend(t *testing.T) {
	w := newWorld(t, 0)
	for i := range 10_000 {
		ref, err := w.record([]byte(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Append(float64(i), ref); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.checkInvariants(w.dense); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkTree(b *testing.B) {
	for _, n := range []int{200, 10_000, 1_000_000} {
		w := newWorld(b, 0)
		r := rand.New(rand.NewPCG(1, 1))
		refs, scores := make([]arena.Ref, n), make([]float64, n)
		for i := range n {
			var err error
			if refs[i], err = w.record([]byte(fmt.Sprintf("member:%d", i))); err != nil {
				b.Fatal(err)
			}
			scores[i] = r.Float64()
			if err := w.Insert(scores[i], refs[i]); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("insert-delete-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				i := r.IntN(n)
				w.Delete(scores[i], refs[i])
				scores[i] = r.Float64()
				if err := w.Insert(scores[i], refs[i]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("pop-insert-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, ref := w.DeleteRank(0)
				if err := w.Insert(r.Float64()+1, ref); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("rank-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.RankScore(r.Float64(), false)
			}
		})
	}
}
