package arena

import (
	"cmp"
	"slices"

	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// Moving blocks out of sparse slabs gives their pages back. A plan names the slabs of each
// class whose blocks all fit into the gaps of the others:
//
//	slabs of a class, fullest first   | ####### | ######. | ####... | #...... | #...... |
//	                                    full      gaps to be filled   sparse: to be emptied
//
// The list of slabs with room is put in that order, so that Alloc fills the gaps of the
// fullest slab first, for Move and for everybody else.

// PlanMoves marks the sparse slabs and returns how many blocks lie in them. The plan holds
// until EndMoves.
func (a *Arena) PlanMoves() (blocks int) {
	var ids []uint32
	for class := range a.partial {
		ids = ids[:0]
		for id := a.partial[class]; id != 0; id = a.runs[id].next {
			ids = append(ids, id)
		}
		if len(ids) < 2 {
			continue
		}
		slices.SortFunc(ids, func(x, y uint32) int {
			r, s := &a.runs[x], &a.runs[y]
			return cmp.Or(cmp.Compare(uint64(s.used)*uint64(r.blocks), uint64(r.used)*uint64(s.blocks)), cmp.Compare(x, y))
		})
		gaps := 0
		for _, id := range ids {
			gaps += int(a.runs[id].blocks - a.runs[id].used)
		}
		// From the sparsest up: one is emptied if all that is emptied fits into the rest.
		moving, last := 0, len(ids)
		for ; last > 1; last-- {
			r := &a.runs[ids[last-1]]
			gaps -= int(r.blocks - r.used)
			if moving+int(r.used) > gaps {
				break
			}
			moving += int(r.used)
		}
		blocks += moving
		a.partial[class] = 0
		for i := len(ids) - 1; i >= 0; i-- {
			a.linkPartial(class, ids[i])
			a.runs[ids[i]].sparse = i >= last
		}
	}
	return blocks
}

// EndMoves forgets the plan.
func (a *Arena) EndMoves() {
	for id := range a.runs {
		a.runs[id].sparse = false
	}
}

// MayMove reports whether ref is a block of a sparse slab.
func (a *Arena) MayMove(ref Ref) bool {
	return a.runs[a.mem.runOf(uint32(ref)/pageUnits)].sparse
}

// Twin copies the block ref into a gap of a fuller slab and returns the copy's ref. It
// returns false if there is no gap, or the block does not lie in a sparse slab. The caller
// frees the block once nothing points to it any more.
func (a *Arena) Twin(ref Ref) (Ref, bool) {
	r := &a.runs[a.mem.runOf(uint32(ref)/pageUnits)]
	if !r.sparse {
		return ref, false
	}
	size := classBytes(int(r.class))
	if to := a.partial[r.class]; to == 0 || a.runs[to].sparse {
		return ref, false
	}
	twin, err := a.Alloc(size)
	if err != nil {
		return ref, false
	}
	bulk.Copy(a.Bytes(twin, size), a.Bytes(ref, size))
	return twin, true
}

// Move is Twin for a block that nothing points to but what the caller changes now: it is
// freed, and the ref to use from now on returned.
func (a *Arena) Move(ref Ref) (Ref, bool) {
	twin, ok := a.Twin(ref)
	if ok {
		a.Free(ref)
	}
	return twin, ok
}
