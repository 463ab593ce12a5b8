package table

import "github.com/redwingdb/redwing/internal/engine/arena"

// MoveChains is Scan for defragmentation: renew is given the ref of each record and
// returns the one it has from now on, and overflow buckets in sparse slabs are moved.
// REQUIRES: nobody watches the table.
func (t *Table) MoveChains(cursor uint64, renew func(arena.Ref) arena.Ref) uint64 {
	return t.scan(cursor, func(x *Array, i uint32) {
		if !x.Uses(i) {
			return
		}
		for b := bucketAt(t.A, x.Ref, i); ; b = overflow(t.A, b.next) {
			for j := range b.len() {
				b.refs[j] = renew(b.refs[j])
			}
			if b.next == 0 {
				return
			}
			b.next, _ = t.A.Move(b.next)
		}
	})
}

// MoveArrays moves what the table has beside chains out of sparse slabs. REQUIRES: nobody
// watches the table, since snapshots know arrays by their refs.
func (t *Table) MoveArrays() {
	if t.H.arr == 0 {
		return
	}
	t.H.arr, _ = t.A.Move(t.H.arr)
	if t.H.aux != 0 {
		t.H.aux, _ = t.A.Move(t.H.aux)
		m := t.rehash()
		m.old, _ = t.A.Move(m.old)
	}
}
