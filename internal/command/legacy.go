package command

import "math"

// setLegacyRange derives the one range of keys that COMMAND reports as first key,
// last key and step, and the movablekeys flag where that range is not the whole
// truth (Redis 7.2, server.c, populateCommandLegacyRangeSpec).
func (s *Spec) setLegacyRange() {
	if len(s.Keys) == 0 {
		return
	}
	if k := &s.Keys[0]; len(s.Keys) == 1 && k.plainRange() {
		s.legacy = legacyRange{k.Begin, k.Last, k.Step}
		s.markMovable(k.Flags&Incomplete != 0)
		return
	}
	first, last, prev := math.MaxInt32, 0, 0
	for i := range s.Keys {
		k := &s.Keys[i]
		if !k.plainRange() || k.Step != 1 || prev != 0 && prev != k.Begin-1 {
			s.markMovable(true)
			continue
		}
		s.markMovable(k.Flags&Incomplete != 0)
		first = min(first, k.Begin)
		end := k.Last
		if end >= 0 {
			end += k.Begin
		}
		if uint32(end) > uint32(last) { // negative counts as furthest
			last = end
		}
		prev = last
	}
	if first == math.MaxInt32 {
		return
	}
	if last >= 0 {
		last -= first
	}
	s.legacy = legacyRange{first, last, 1}
}

// legacyRange is a range of key arguments; last is relative to first, or from the
// end if negative.
type legacyRange struct{ first, last, step int }

func (s *Spec) markMovable(yes bool) {
	if yes {
		s.Flags |= MovableKeys
		s.movable = true
	}
}

func (k *KeySpec) plainRange() bool { return k.Keyword == "" && !k.UseCount && !k.Unknown }

// LegacyRange returns the first key, last key and step that COMMAND reports; all
// zero where there is no key.
func (s *Spec) LegacyRange() (first, last, step int) {
	r := s.legacy
	if r.last >= 0 {
		r.last += r.first
	}
	return r.first, r.last, r.step
}
