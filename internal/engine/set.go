package engine

import (
	"strconv"
	"unsafe"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// Set is a key that holds a set, or will. Integers alone lie in an intset, few and short
// members in a listpack, all others in a table of elements without values. A set never
// goes back to a smaller form (Redis 7.2, t_set.c).
//
//	absent --Add--> intset --other than an integer--> listpack --Limits exceeded--> hashtable
//	                   `-----------Limits exceeded---------------------------------^
//	any --last member goes--> absent
type Set struct {
	Value
	scratch [intDigits]byte
	hint    int       // Expect
	drawn   table.Pos // of the member that Random has returned last, in a table
	at      int       // its offset in a listpack, or its index in an intset
}

// setRoot is the root of a set that is a table.
type setRoot struct {
	members table.Header
}

const setRootBytes = int(unsafe.Sizeof(setRoot{}))

// Open opens the set at key and reports whether it is there; ErrWrongType if the key
// holds something else.
func (s *Set) Open(a *Access, slot slots.Slot, key []byte) (found bool, err error) {
	return s.open(a, slot, key, TypeSet)
}

func (s *Set) members() Elements { return s.Elements(&(*setRoot)(s.Root()).members) }

// Len returns the number of members.
func (s *Set) Len() int {
	switch {
	case !s.Exists():
		return 0
	case s.Rooted():
		return (*setRoot)(s.Root()).members.Len()
	case s.Encoding() == EncIntset:
		return intset.Len(s.Packed())
	}
	return listpack.Len(s.Packed())
}

// Has reports whether member is in the set.
func (s *Set) Has(member []byte) bool {
	switch {
	case !s.Exists():
		return false
	case s.Rooted():
		e := s.members()
		return e.Find(member).Ref != 0
	case s.Encoding() == EncIntset:
		v, ok := parseInt(member)
		if ok {
			_, ok = intset.Find(s.Packed(), v)
		}
		return ok
	}
	lp := s.Packed()
	return listpack.Find(lp, listpack.First(lp), member, 0) >= 0
}

// Each calls f with every member until f returns false: an intset in ascending order, a
// listpack in its own, a table in none. A member is good for its call of f alone, which
// must not change the set.
func (s *Set) Each(f func(member []byte) bool) {
	if !s.Exists() {
		return
	}
	if s.Rooted() {
		e := s.members()
		e.Each(func(r table.Rec) bool { return f(r.Key()) })
		return
	}
	eachPacked(s.Packed(), s.Encoding(), f)
}

func eachPacked(b []byte, e Encoding, f func(member []byte) bool) {
	var digits [intDigits]byte
	if e == EncIntset {
		for i := range intset.Len(b) {
			if !f(strconv.AppendInt(digits[:0], intset.At(b, i), 10)) {
				return
			}
		}
		return
	}
	for off := listpack.First(b); off >= 0; off = listpack.Next(b, off) {
		if !f(listpack.Get(b, off, digits[:0])) {
			return
		}
	}
}

// Scan visits the members of one step of a scan and returns the next cursor, 0 after the
// last, with the guarantees of Access.Scan. A packed set is one step. visit must not
// change the set.
func (s *Set) Scan(cursor uint64, visit func(member []byte)) (next uint64) {
	if s.Exists() && s.Rooted() {
		e := s.members()
		return e.Scan(cursor, func(r table.Rec) { visit(r.Key()) })
	}
	s.Each(func(member []byte) bool {
		visit(member)
		return true
	})
	return 0
}

// setRoots implements rootOps.
type setRoots struct{}

func (setRoots) members(sh *shard, hash *table.Hasher, root arena.Ref) Elements {
	return elementsOf(sh, hash, &(*setRoot)(sh.arena.At(root)).members)
}

func (x setRoots) free(sh *shard, root arena.Ref, pos uint64, n int) (next uint64, done bool) {
	e := x.members(sh, nil, root)
	if next, done = e.free(pos, n); done {
		sh.arena.Free(root)
	}
	return next, done
}

func (x setRoots) copy(k *Keyspace, from *shard, root arena.Ref, to *shard) (arena.Ref, error) {
	ref, err := to.arena.Alloc(setRootBytes)
	if err != nil {
		return 0, ErrNoSpace
	}
	clear(to.arena.Bytes(ref, setRootBytes))
	src, dst := x.members(from, &k.hash, root), x.members(to, &k.hash, ref)
	if err := src.copyTo(&dst, nil); err != nil {
		to.buryRootLocked(deadRoot{typ: TypeSet, root: ref})
		return 0, err
	}
	return ref, nil
}

func (x setRoots) size(sh *shard, root arena.Ref, samples int) int64 {
	e := x.members(sh, nil, root)
	return sh.arena.Size(root) + e.size(samples)
}

func (x setRoots) parts(sh *shard, root arena.Ref, p *piece) {
	e := x.members(sh, nil, root)
	e.parts(p)
}

func (x setRoots) brief(sh *shard, root arena.Ref) bool {
	e := x.members(sh, nil, root)
	return e.brief()
}

func (setRoots) pin(x *pinnedRoot, pin *rootPin) pinnedPast { return pinElements(x, pin) }

func (x setRoots) len(sh *shard, root arena.Ref) int {
	e := x.members(sh, nil, root)
	return e.Len()
}

// moveBlocks implements blockMover: no block but the table names a member's record.
func (x setRoots) moveBlocks(sh *shard, root arena.Ref, pos uint64, n int, m *mover) (next uint64, done bool) {
	e := x.members(sh, nil, root)
	return e.moveBlocks(pos, n, m, nil)
}

// EachMember calls f with every member of a set until f returns an error, which it
// returns.
func (e *Entry) EachMember(f func(member []byte) error) (err error) {
	if !e.rooted {
		eachPacked(e.Value, e.Encoding, func(member []byte) bool {
			err = f(member)
			return err == nil
		})
		return err
	}
	for parts := e.parts; err == nil; {
		r, _, ok := parts.nextElement()
		if !ok {
			return parts.Err()
		}
		err = f(r.Key())
	}
	return err
}
