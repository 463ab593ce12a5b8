package table

import (
	"github.com/redwingdb/redwing/internal/engine/arena"
)

const (
	// fill is the average number of records a bucket above which a table doubles: with
	// twelve places a fifth of the chains has an overflow bucket then.
	fill = 10
	// atOnce is the number of buckets up to which a table is rehashed in one go.
	atOnce = 32
	// shrinkMost is the log2 of how much smaller a table gets in one rehash; it bounds
	// the buckets that one step of a scan visits meanwhile.
	shrinkMost = 3
	// stepsAWrite is how many buckets an insertion or deletion moves.
	stepsAWrite = 2
	maxLg       = 28
)

func growAbove(lg uint8) uint32 {
	if lg == 0 {
		return bucketSlots
	}
	return fill << lg
}

func (t *Table) resizeOnInsert() {
	if t.H.aux != 0 {
		t.Step(stepsAWrite)
		return
	}
	if t.H.count.Load() >= growAbove(t.H.lg) && t.H.lg < maxLg {
		t.resize(t.H.lg + 1)
	}
}

func (t *Table) resizeOnDelete() {
	count := t.H.count.Load()
	if count == 0 {
		t.dropArrays()
		return
	}
	if t.H.aux != 0 {
		t.Step(stepsAWrite)
		return
	}
	if t.H.lg == 0 || count >= growAbove(t.H.lg)/8 {
		return
	}
	lg := t.H.lg
	for lg > 0 && t.H.lg-lg < shrinkMost && count <= fill/2<<(lg-1) {
		lg--
	}
	if lg < t.H.lg {
		t.resize(lg)
	}
}

// resize starts a rehash into 1<<lg buckets and finishes it if the table is small. If
// there is no space the table stays as it is, with longer chains.
func (t *Table) resize(lg uint8) {
	aux, err := t.A.Alloc(rehashBytes)
	if err != nil {
		return
	}
	arr, err := t.A.Alloc(BucketBytes << lg)
	if err != nil {
		t.A.Free(aux)
		return
	}
	*(*rehash)(t.A.At(aux)) = rehash{old: t.H.arr, lg: t.H.lg}
	small := t.H.lg <= 5 // log2 of atOnce
	t.H.arr, t.H.lg, t.H.aux = arr, lg, aux
	if small {
		t.Step(atOnce)
	}
}

// Step moves at most n buckets of a rehash in progress and reports whether it is over.
//
// Buckets of the new array are not cleared when it is made, which for a long one would
// take too long, but when the first bucket that may go there moves. So a bucket i of the
// new array is there only if valid(i).
func (t *Table) Step(n int) (done bool) {
	for ; n > 0 && t.H.aux != 0; n-- {
		m := t.rehash()
		if m.pos < 1<<m.lg && !t.moveBucket(m) {
			return false
		}
		if m.pos == 1<<m.lg {
			old, aux := m.old, t.H.aux
			if t.W != nil {
				t.W.ArrayGone(old)
			}
			t.H.aux = 0
			t.A.Free(aux)
			t.A.Free(old)
		}
	}
	return t.H.aux == 0
}

// moveBucket moves the chain of bucket m.pos of the old array. It returns false, with
// nothing changed, if there is no space.
func (t *Table) moveBucket(m *rehash) bool {
	var spare arena.Ref // overflow buckets at hand, linked by next
	if m.lg > t.H.lg {
		// A chain that joins others may need one overflow bucket more than it brings;
		// one that splits never does.
		ref, err := t.A.Alloc(BucketBytes)
		if err != nil {
			return false
		}
		spare = ref
		overflow(t.A, ref).next = 0
	}
	if t.W != nil {
		t.W.BeforeChange(m.old, m.pos)
	}
	t.clearTargets(m)
	mask := uint32(1)<<t.H.lg - 1
	moving := *bucketAt(t.A, m.old, m.pos)
	for {
		for i := range moving.len() {
			hash := t.Hash.Sum(RecAt(t.A, moving.refs[i]).Key())
			spare = t.append(uint32(hash)&mask, moving.tags[i], moving.refs[i], spare)
		}
		if moving.next == 0 {
			break
		}
		// Copied, an overflow bucket may serve the records that it brings.
		ref := moving.next
		b := overflow(t.A, ref)
		moving = *b
		b.next, spare = spare, ref
	}
	*bucketAt(t.A, m.old, m.pos) = bucket{}
	m.pos++
	for spare != 0 {
		next := overflow(t.A, spare).next
		t.A.Free(spare)
		spare = next
	}
	return true
}

// clearTargets clears the buckets of the new array to which m.pos is the first to move.
func (t *Table) clearTargets(m *rehash) {
	if m.lg > t.H.lg { // shrinking
		if m.pos < 1<<t.H.lg {
			*bucketAt(t.A, t.H.arr, m.pos) = bucket{}
		}
		return
	}
	for i := m.pos; i < 1<<t.H.lg; i += 1 << m.lg {
		*bucketAt(t.A, t.H.arr, i) = bucket{}
	}
}

// append adds a record to the chain of bucket i of the new array, taking an overflow bucket from
// spare if it needs one, and returns what is left of spare.
func (t *Table) append(i uint32, tag uint8, ref, spare arena.Ref) arena.Ref {
	if t.W != nil {
		t.W.BeforeChange(t.H.arr, i)
	}
	b := bucketAt(t.A, t.H.arr, i)
	for b.next != 0 {
		b = overflow(t.A, b.next)
	}
	n := b.len()
	if n == bucketSlots {
		b.next = spare
		b, n = overflow(t.A, spare), 0
		spare = b.next
		*b = bucket{}
	}
	b.tags[n], b.refs[n] = tag, ref
	return spare
}

// dropArrays frees the arrays of a table without records.
func (t *Table) dropArrays() {
	if t.H.aux != 0 {
		old := t.rehash().old
		if t.W != nil {
			t.W.ArrayGone(old)
		}
		t.A.Free(old)
		t.A.Free(t.H.aux)
	}
	if t.H.arr != 0 {
		if t.W != nil {
			t.W.ArrayGone(t.H.arr)
		}
		t.A.Free(t.H.arr)
	}
	t.H.arr, t.H.aux, t.H.lg = 0, 0, 0
}

// Progress returns how many buckets a rehash in progress has moved, 0 if there is none.
func (t *Table) Progress() uint32 {
	if t.H.aux == 0 {
		return 0
	}
	return t.rehash().pos
}
