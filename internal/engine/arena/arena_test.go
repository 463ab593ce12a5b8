package arena

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// checkInvariants walks the runs of the arena in the order of their addresses.
func (a *Arena) checkInvariants() error {
	free, dirty, used := 0, int64(0), int64(0)
	for page := uint32(1); page < a.top; {
		id := a.mem.runOf(page)
		r := &a.runs[id]
		if id == 0 {
			page++ // the rest of a chunk that was too short (heap-backed only)
			continue
		}
		if r.start != page || r.pages == 0 || a.mem.runOf(page+r.pages-1) != id {
			return fmt.Errorf("page %d names run %d, which is %d+%d", page, id, r.start, r.pages)
		}
		switch r.kind {
		case runFree:
			free++
			dirty += int64(r.used)
			if r.used > r.pages {
				return fmt.Errorf("free run %d of %d pages has %d dirty ones", id, r.pages, r.used)
			}
			if next := page + r.pages; next < a.top && a.runs[a.mem.runOf(next)].kind == runFree && !a.mem.boundary(next) {
				return fmt.Errorf("free runs %d and %d are not merged", id, a.mem.runOf(next))
			}
		case runSlab:
			used += int64(r.used) * int64(classBytes(int(r.class)))
			n := uint32(0)
			for ref := r.freeHead; ref != 0; ref = *(*Ref)(a.mem.at(ref)) {
				if n++; n > r.blocks {
					return fmt.Errorf("free list of slab %d is a circle", id)
				}
			}
			if r.used+n != r.bump || r.bump > r.blocks {
				return fmt.Errorf("slab %d: %d live + %d free of %d handed out, %d blocks", id, r.used, n, r.bump, r.blocks)
			}
		case runSpan:
			used += int64(r.used) << pageShift
		default:
			return fmt.Errorf("run %d at page %d is of kind %d", id, page, r.kind)
		}
		page += r.pages
	}
	listed := 0
	for bin, id := range a.bins.head {
		if (id != 0) != (a.bins.some[bin>>6]&(1<<(bin&63)) != 0) {
			return fmt.Errorf("bin %d: head %d, bit differs", bin, id)
		}
		for ; id != 0; id = a.runs[id].next {
			if listed++; a.runs[id].kind != runFree || binOf(a.runs[id].pages) != bin {
				return fmt.Errorf("bin %d lists run %d of kind %d, %d pages", bin, id, a.runs[id].kind, a.runs[id].pages)
			}
		}
	}
	if listed != free || dirty != a.dirty.Load() || used != a.Used() {
		return fmt.Errorf("%d free runs (%d listed), %d dirty pages (%d counted), %d bytes used (%d counted)",
			free, listed, dirty, a.dirty.Load(), used, a.Used())
	}
	return nil
}

// The model of an arena: what each block should hold.
type modelBlock struct {
	ref  Ref
	size int
	fill byte
	span bool
	pins int
	dead bool
}

func (m *modelBlock) ends(a *Arena) (first, last []byte) {
	n := min(m.size, 64)
	// A dead span may be read through its pin alone, as its reader does.
	p := a.mem.at(m.ref)
	return unsafe.Slice((*byte)(p), n), unsafe.Slice((*byte)(unsafe.Add(p, m.size-n)), n)
}

func (m *modelBlock) write(a *Arena, fill byte) {
	m.fill = fill
	first, last := m.ends(a)
	for i := range first {
		first[i], last[i] = fill, fill
	}
}

func (m *modelBlock) check(a *Arena) error {
	first, last := m.ends(a)
	want := bytes.Repeat([]byte{m.fill}, len(first))
	if !bytes.Equal(first, want) || !bytes.Equal(last, want) {
		return fmt.Errorf("block %#x of %d bytes holds %x ... %x, should be all %#x", m.ref, m.size, first, last, m.fill)
	}
	return nil
}

// runModel makes random calls, drawn by next, and holds the arena against the model.
func runModel(limit int64, steps int, next func(n int) int) error {
	a, err := New(limit)
	if err != nil {
		return err
	}
	var blocks []*modelBlock
	remove := func(i int) {
		blocks[i] = blocks[len(blocks)-1]
		blocks = blocks[:len(blocks)-1]
	}
	for step := range steps {
		op := next(100)
		if len(blocks) == 0 {
			op = 0
		}
		var m *modelBlock
		i := 0
		if op >= 45 {
			i = next(len(blocks))
			m = blocks[i]
			if err := m.check(a); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
		switch {
		case op < 40:
			m = &modelBlock{size: 1 + next(1<<next(16))}
			m.ref, err = a.Alloc(m.size)
			m.span = m.size > MaxBlock
		case op < 45:
			m = &modelBlock{size: 1 + next(200_000), span: true}
			m.ref, err = a.AllocSpan(int64(m.size), 300_000)
		case op < 85:
			if !m.dead {
				a.Free(m.ref)
				m.dead = true
			}
			if m.pins == 0 {
				remove(i)
			}
			continue
		case op < 90:
			if m.span && !m.dead {
				a.Pin(m.ref)
				m.pins++
			}
			continue
		case op < 95:
			if m.pins > 0 {
				a.Unpin(m.ref)
				if m.pins--; m.pins == 0 && m.dead {
					remove(i)
				}
			}
			continue
		case op < 98:
			if room := 0; m.span && !m.dead && !a.Pinned(m.ref) {
				if room = int(a.SpanRoom(m.ref)); room < m.size {
					return fmt.Errorf("span of %d bytes has room for %d", m.size, room)
				}
				m.size += next(room - m.size + 1)
				a.GrowSpan(m.ref, int64(m.size))
				m.write(a, m.fill)
			}
			continue
		default:
			if idle, ok := a.TakeIdle(); ok {
				a.Advise(idle)
				a.PutBack(idle)
			}
			if err := a.checkInvariants(); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
			continue
		}
		if errors.Is(err, ErrNoSpace) && limit > 0 {
			continue
		}
		if err != nil {
			return fmt.Errorf("step %d: allocate %d bytes: %w", step, m.size, err)
		}
		if m.size%64 == 0 && !m.span && uint32(m.ref)%8 != 0 {
			return fmt.Errorf("block of %d bytes at %#x is not aligned to 64", m.size, m.ref)
		}
		m.write(a, byte(next(256)))
		blocks = append(blocks, m)
	}
	for _, m := range blocks {
		if err := m.check(a); err != nil {
			return err
		}
		if !m.dead {
			a.Free(m.ref)
		}
		for range m.pins {
			a.Unpin(m.ref)
		}
	}
	if err := a.checkInvariants(); err != nil {
		return err
	}
	if a.Used() != 0 {
		return fmt.Errorf("%d bytes used when all is freed", a.Used())
	}
	return a.Close()
}

func TestModel(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		limit := int64(0)
		if seed%2 == 0 {
			limit = 64 << 20
		}
		if err := runModel(limit, 5000, r.IntN); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzArena(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add(bytes.Repeat([]byte{1, 200, 90, 33, 250, 4, 96, 99, 60}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Each draw takes three bytes; the draws that a step needs are at most five.
		next := func(n int) int {
			v := 0
			for range min(3, len(data)) {
				v = v<<8 | int(data[0])
				data = data[1:]
			}
			return v % n
		}
		if err := runModel(64<<20, min(len(data)/6, 2000), next); err != nil {
			t.Fatal(err)
		}
	})
}

func TestClasses(t *testing.T) {
	for class := range numClasses {
		n := classBytes(class)
		if classOf(n) != class || (class > 0 && classOf(classBytes(class-1)+1) != class) {
			t.Errorf("class %d of %d bytes: classOf gives %d", class, n, classOf(n))
		}
		if n%Unit != 0 {
			t.Errorf("class %d is of %d bytes, no whole number of units", class, n)
		}
		if pages := slabPages(class, 0); pages*pageSize < uint32(n) || pages > maxSlabPages {
			t.Errorf("class %d of %d bytes: slab of %d pages", class, n, pages)
		}
	}
	for n := 64; n <= MaxBlock; n *= 2 {
		if ClassSize(n) != n {
			t.Errorf("%d bytes is not a class", n)
		}
	}
	if classBytes(numClasses-1) != MaxBlock {
		t.Errorf("the largest class is %d bytes", classBytes(numClasses-1))
	}
}

// An exhausted range refuses, and serves again what was freed.
func TestExhaustion(t *testing.T) {
	a, err := New(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	var refs []Ref
	for {
		ref, err := a.Alloc(30 << 10)
		if err != nil {
			if !errors.Is(err, ErrNoSpace) {
				t.Fatal(err)
			}
			break
		}
		refs = append(refs, ref)
	}
	if n := len(refs) * 30 << 10; n < 50<<20 {
		t.Fatalf("64 MiB gave %d bytes", n)
	}
	if _, err := a.AllocSpan(1<<40, 1<<40); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("a span longer than the range: %v", err)
	}
	for _, ref := range refs {
		a.Free(ref)
	}
	if err := a.checkInvariants(); err != nil {
		t.Fatal(err)
	}
	n := int64(10 << 20)
	if Checked {
		n = 512 << 10 // heap-backed ranges merge within a chunk only
	}
	if _, err := a.AllocSpan(n, n); err != nil {
		t.Fatalf("a span after everything was freed: %v", err)
	}
}

// Pages given back come back as zeros, and the rest keeps its contents.
func TestIdle(t *testing.T) {
	a, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	big, err := a.AllocSpan(8<<20, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	keep, err := a.AllocSpan(1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	copy(a.Bytes(keep, 4), "keep")
	clear(a.Bytes(big, 8<<20))
	a.Free(big)
	before := a.IdleBytes()
	idle, ok := a.TakeIdle()
	if !ok || before < 8<<20 {
		t.Fatalf("nothing idle of %d bytes", before)
	}
	// What is off the lists must not be handed out meanwhile.
	other, err := a.AllocSpan(8<<20, 8<<20)
	if err != nil || other == big {
		t.Fatalf("allocated %#x while its pages are given back: %v", other, err)
	}
	a.Advise(idle)
	a.PutBack(idle)
	if a.IdleBytes() != 0 || string(a.Bytes(keep, 4)) != "keep" {
		t.Fatalf("%d idle bytes left, neighbour holds %q", a.IdleBytes(), a.Bytes(keep, 4))
	}
	if again, err := a.AllocSpan(8<<20, 8<<20); err != nil || again != big {
		t.Fatalf("the range at %#x was not used again: %#x, %v", big, again, err)
	}
	if err := a.checkInvariants(); err != nil {
		t.Fatal(err)
	}
}

// Giving back comes to an end, whatever the length of a run.
func TestIdleEnds(t *testing.T) {
	a, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	const size = 300 << 20
	ref, err := a.AllocSpan(size, size)
	if err != nil {
		t.Fatal(err)
	}
	a.Free(ref)
	for n := 0; ; n++ {
		idle, ok := a.TakeIdle()
		if !ok {
			break
		}
		a.Advise(idle)
		a.PutBack(idle)
		if n > 10 {
			t.Fatalf("%d bytes idle after giving back %d times", a.IdleBytes(), n)
		}
	}
	if a.IdleBytes() != 0 {
		t.Fatalf("%d bytes left idle", a.IdleBytes())
	}
}

func BenchmarkAllocFree(b *testing.B) {
	a, err := New(0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for range b.N {
		ref, err := a.Alloc(88)
		if err != nil {
			b.Fatal(err)
		}
		a.Free(ref)
	}
}
