package slots

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"strconv"
	"strings"
)

// Range is the slots From to To, both included.
type Range struct {
	From, To Slot
}

// Len returns the number of slots in r.
func (r Range) Len() int { return int(r.To) - int(r.From) + 1 }

// String returns "From-To", or "From" for a single slot, as CLUSTER NODES writes it.
func (r Range) String() string {
	if r.From == r.To {
		return strconv.Itoa(int(r.From))
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Set is a set of slots. The zero value is empty. It is a value: assignment
// copies it, and == compares it.
type Set [Count / 64]uint64

// All returns the set of all slots.
func All() Set {
	var s Set
	for i := range s {
		s[i] = ^uint64(0)
	}
	return s
}

// SetOf returns the set of the given ranges.
func SetOf(ranges ...Range) Set {
	var s Set
	for _, r := range ranges {
		s.AddRange(r)
	}
	return s
}

// Has reports whether slot is in s.
func (s *Set) Has(slot Slot) bool { return s[slot>>6]&(1<<(slot&63)) != 0 }

// Add puts slot into s.
func (s *Set) Add(slot Slot) { s[slot>>6] |= 1 << (slot & 63) }

// Remove takes slot out of s.
func (s *Set) Remove(slot Slot) { s[slot>>6] &^= 1 << (slot & 63) }

// AddRange puts the slots of r into s.
func (s *Set) AddRange(r Range) {
	for slot := int(r.From); slot <= int(r.To); slot++ {
		s.Add(Slot(slot))
	}
}

// Union puts every slot of other into s.
func (s *Set) Union(other *Set) {
	for i := range s {
		s[i] |= other[i]
	}
}

// Subtract takes every slot of other out of s.
func (s *Set) Subtract(other *Set) {
	for i := range s {
		s[i] &^= other[i]
	}
}

// Intersects reports whether s and other have a slot in common.
func (s *Set) Intersects(other *Set) bool {
	for i := range s {
		if s[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

// Contains reports whether every slot of other is in s.
func (s *Set) Contains(other *Set) bool {
	for i := range s {
		if other[i]&^s[i] != 0 {
			return false
		}
	}
	return true
}

// Len returns the number of slots in s.
func (s *Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether s has no slot.
func (s *Set) Empty() bool { return *s == Set{} }

// Each yields the slots of s in ascending order.
func (s *Set) Each() iter.Seq[Slot] {
	return func(yield func(Slot) bool) {
		for i, w := range s {
			for w != 0 {
				if !yield(Slot(i<<6 + bits.TrailingZeros64(w))) {
					return
				}
				w &= w - 1
			}
		}
	}
}

// Ranges returns the slots of s as ascending, disjoint, maximal ranges.
func (s *Set) Ranges() []Range {
	var out []Range
	for slot := range s.Each() {
		if n := len(out); n > 0 && out[n-1].To+1 == slot {
			out[n-1].To = slot
			continue
		}
		out = append(out, Range{slot, slot})
	}
	return out
}

// String returns the ranges of s separated by spaces, as CLUSTER NODES writes them.
func (s *Set) String() string {
	var b strings.Builder
	for i, r := range s.Ranges() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.String())
	}
	return b.String()
}

// ErrBadSet is returned when a text is not a set of slots.
var ErrBadSet = errors.New("slots: not a set of slots")

// ParseSet reads what String writes: slots and From-To ranges separated by
// spaces or commas, in any order; overlaps are allowed. Anything else is ErrBadSet.
func ParseSet(text string) (Set, error) {
	var s Set
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		from, to, isRange := strings.Cut(field, "-")
		if !isRange {
			to = from
		}
		a, errA := parseSlot(from)
		b, errB := parseSlot(to)
		if errA != nil || errB != nil || a > b {
			return Set{}, fmt.Errorf("%q: %w", field, ErrBadSet)
		}
		s.AddRange(Range{a, b})
	}
	return s, nil
}

func parseSlot(text string) (Slot, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n >= Count {
		return 0, ErrBadSet
	}
	return Slot(n), nil
}

// MarshalText writes s as String does, so that a set in JSON reads as ranges.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Set) UnmarshalText(text []byte) error {
	set, err := ParseSet(string(text))
	if err != nil {
		return err
	}
	*s = set
	return nil
}
