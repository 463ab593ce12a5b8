package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

func newArena(t testing.TB) *arena.Arena {
	t.Helper()
	a, err := arena.New(1 << 30)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// checkInvariants walks the whole tree.
func (t *tree) checkInvariants(a *arena.Arena) error {
	if t.root == 0 {
		if t.count != 0 {
			return fmt.Errorf("empty tree counts %d", t.count)
		}
		return nil
	}
	var leaves []arena.Ref
	total := 0
	var walk func(ref arena.Ref, level int, lo, hi ID) error
	walk = func(ref arena.Ref, level int, lo, hi ID) error {
		width := refBytes
		if level == 0 {
			width = int(t.width)
		}
		b := blockAt(a, ref, width)
		if b.n == 0 || b.n > b.room {
			return fmt.Errorf("level %d: block of %d entries has room for %d", level, b.n, b.room)
		}
		ids := b.ids()
		for i, id := range ids {
			if i > 0 && !ids[i-1].Less(id) {
				return fmt.Errorf("level %d: %v before %v", level, ids[i-1], id)
			}
			if id.Less(lo) || !id.Less(hi) && hi != MaxID {
				return fmt.Errorf("level %d: %v outside of [%v, %v)", level, id, lo, hi)
			}
		}
		if level == 0 {
			leaves = append(leaves, ref)
			total += b.len()
			return nil
		}
		for i, id := range ids {
			low, high := id, hi
			if i == 0 {
				low = lo
			}
			if i+1 < len(ids) {
				high = ids[i+1]
			}
			if err := walk(*b.ref(i), level-1, low, high); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(t.root, int(t.height), ID{}, MaxID); err != nil {
		return err
	}
	if total != t.len() || t.first != leaves[0] || t.last != leaves[len(leaves)-1] {
		return fmt.Errorf("%d entries, counted %d; ends %d %d", t.len(), total, t.first, t.last)
	}
	for i, ref := range leaves {
		b := blockAt(a, ref, int(t.width))
		prev, next := arena.Ref(0), arena.Ref(0)
		if i > 0 {
			prev = leaves[i-1]
		}
		if i+1 < len(leaves) {
			next = leaves[i+1]
		}
		if b.prev != prev || b.next != next {
			return fmt.Errorf("leaf %d is linked to %d and %d", i, b.prev, b.next)
		}
	}
	return nil
}

func TestTreeModel(t *testing.T) {
	for seed := range uint64(24) {
		for _, width := range []uint8{0, 4, 20} {
			if err := treeModel(t, seed, width); err != nil {
				t.Fatalf("seed %d, width %d: %v", seed, width, err)
			}
		}
	}
}

func treeModel(t *testing.T, seed uint64, width uint8) error {
	r := rand.New(rand.NewPCG(seed, uint64(width)))
	a := newArena(t)
	tr := tree{width: width}
	model := map[ID]uint32{}
	var keys []ID
	span := uint64(1) << (3 + r.IntN(14))
	grow := 50 + r.IntN(40)
	last := ID{}
	for step := range 6000 {
		if step%1500 == 1499 {
			grow = 100 - grow
		}
		id := ID{r.Uint64N(span), r.Uint64N(3)}
		switch {
		case r.IntN(100) < grow:
			if seed%3 == 0 { // mostly appended
				last.Seq += r.Uint64N(4)
				id = last
			}
			p, added, err := tr.put(a, id)
			if err != nil {
				return err
			}
			_, had := model[id]
			if added == had || p.id() != id {
				return fmt.Errorf("put %v: added %v, had %v, place of %v", id, added, had, p.id())
			}
			v := uint32(r.Uint64())
			if width >= 4 {
				*(*uint32)(p.value()) = v
			}
			model[id] = v
		case r.IntN(3) == 0 && tr.len() > 0:
			id = tr.front(a).id()
			fallthrough
		default:
			if seed%3 == 0 && r.IntN(2) == 0 {
				if p := tr.ceil(a, ID{0, r.Uint64N(last.Seq + 1)}); p.ok() {
					id = p.id()
				}
			}
			_, had := model[id]
			if tr.remove(a, id) != had {
				return fmt.Errorf("remove %v, had %v", id, had)
			}
			delete(model, id)
		}
		if step%97 == 0 {
			if err := tr.checkInvariants(a); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
		if step%499 == 0 {
			keys = keys[:0]
			for id := range model {
				keys = append(keys, id)
			}
			slices.SortFunc(keys, ID.Compare)
			if err := sameKeys(a, &tr, keys, model, id); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
	}
	n := 0
	freed := 0
	for done := false; !done; {
		n = 1 + r.IntN(40)
		each := func(unsafe.Pointer) { freed++ }
		if seed%2 == 0 {
			each = nil
		}
		done = tr.free(a, &n, each)
		if err := tr.checkInvariants(a); err != nil {
			return fmt.Errorf("while freed: %w", err)
		}
	}
	if seed%2 == 1 && freed != len(model) {
		return fmt.Errorf("%d values freed of %d", freed, len(model))
	}
	if a.Used() != 0 {
		return fmt.Errorf("%d bytes used when all is freed", a.Used())
	}
	return nil
}

func sameKeys(a *arena.Arena, tr *tree, keys []ID, model map[ID]uint32, probe ID) error {
	i := 0
	for p := tr.front(a); p.ok(); p.step(a, true) {
		if i == len(keys) || p.id() != keys[i] || tr.width >= 4 && *(*uint32)(p.value()) != model[keys[i]] {
			return fmt.Errorf("entry %d of %d is %v", i, len(keys), p.id())
		}
		i++
	}
	if i != len(keys) {
		return fmt.Errorf("%d entries of %d", i, len(keys))
	}
	for p := tr.back(a); p.ok(); p.step(a, false) {
		if i--; p.id() != keys[i] {
			return fmt.Errorf("backwards: entry %d is %v", i, p.id())
		}
	}
	at, found := slices.BinarySearchFunc(keys, probe, ID.Compare)
	if p := tr.ceil(a, probe); p.ok() != (at < len(keys)) || p.ok() && p.id() != keys[at] {
		return fmt.Errorf("ceil of %v", probe)
	}
	if !found {
		at--
	}
	if p := tr.floor(a, probe); p.ok() != (at >= 0) || p.ok() && p.id() != keys[at] {
		return fmt.Errorf("floor of %v", probe)
	}
	return nil
}

// An exhausted arena refuses and leaves a whole tree.
func TestTreeWithoutSpace(t *testing.T) {
	a, err := arena.New(64 << 10)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	tr := tree{width: 20}
	r := rand.New(rand.NewPCG(1, 1))
	refused := 0
	for range 20_000 {
		if _, _, err := tr.put(a, ID{r.Uint64N(1 << 40), 0}); err != nil {
			refused++
		}
	}
	if err := tr.checkInvariants(a); err != nil || refused == 0 {
		t.Fatalf("%v; refused %d", err, refused)
	}
}

// Appended entries cost hardly more than their bytes.
func TestTreeDensity(t *testing.T) {
	a := newArena(t)
	tr := tree{width: 20}
	const n = 200_000
	for i := range n {
		if _, _, err := tr.put(a, ID{uint64(i), 0}); err != nil {
			t.Fatal(err)
		}
	}
	if per := float64(a.Used()) / n; per > 38 {
		t.Errorf("%.1f bytes an entry of 36", per)
	}
}
