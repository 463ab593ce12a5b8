package sorting

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// pattern names a value that belongs to an element: the element itself (#), the string at
// a key or a field of the hash at a key, the element in the place of the first star
// (Redis 7.2, sort.c, lookupKeyByPattern).
type pattern struct {
	self           bool
	names          bool // there is a star
	before, behind []byte
	field          []byte // nil: none
}

func newPattern(b []byte) (p pattern) {
	p.self = len(b) == 1 && b[0] == '#'
	star := bytes.IndexByte(upToNul(b), '*')
	if star < 0 {
		return p
	}
	p.names, p.before, p.behind = true, b[:star], b[star+1:]
	if arrow := bytes.Index(upToNul(p.behind), []byte("->")); arrow >= 0 && arrow+2 < len(upToNul(p.behind)) {
		p.field = p.behind[arrow+2:]
		p.behind = p.behind[:arrow]
	}
	return p
}

// finder looks patterns up. What it returns is good until its next use, or a change.
type finder struct {
	c      *command.Ctx
	key    []byte
	digits [20]byte
	hash   engine.Hash
}

// find returns the value that p names for elem.
func (f *finder) find(p *pattern, elem []byte) (val []byte, ok bool) {
	if p.self {
		return elem, true
	}
	if !p.names {
		return nil, false
	}
	f.key = append(append(append(f.key[:0], p.before...), elem...), p.behind...)
	slot := slots.Of(f.key)
	r, there := f.c.DB.Find(slot, f.key)
	f.c.Count(there)
	switch {
	case !there:
		return nil, false
	case p.field == nil:
		if r.Type() != engine.TypeString {
			return nil, false
		}
		return r.Bytes(f.digits[:0]), true
	case r.Type() != engine.TypeHash:
		return nil, false
	}
	if found, err := f.hash.Open(&f.c.DB, slot, f.key); err != nil || !found {
		return nil, false
	}
	val, _, ok = f.hash.Get(p.field)
	return val, ok
}
