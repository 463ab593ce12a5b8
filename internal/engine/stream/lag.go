package stream

import "math"

// How far a group is behind its stream can be told from counters alone only where nothing
// was deleted in between; otherwise it is unknown (t_stream.c,
// streamEstimateDistanceFromFirstEverEntry, and the documentation of XINFO GROUPS).

// Ordinal returns how many entries were ever added up to the one of id, that included, or
// Unknown.
func (s Stream) Ordinal(id ID) int64 {
	if s.Added == 0 {
		return 0
	}
	if s.length == 0 && !s.Last.Less(id) {
		return known(s.Added)
	}
	switch c := id.Compare(s.Last); {
	case c == 0:
		return known(s.Added)
	case c > 0:
		return Unknown
	}
	if s.MaxDeleted.IsZero() || s.MaxDeleted.Less(s.First) {
		// Nothing is missing from the first entry on.
		switch c := id.Compare(s.First); {
		case c < 0:
			return known(s.Added - s.length)
		case c == 0:
			return known(s.Added - s.length + 1)
		}
	}
	return Unknown
}

// known returns a count, or Unknown for one that no ENTRIESREAD can say: ENTRIESADDED lets
// clients begin near the end of all counts.
func known(count uint64) int64 {
	if count > math.MaxInt64 {
		return Unknown
	}
	return int64(count)
}

// gapsFrom reports whether among what is there an entry from id on may have been deleted
// (t_stream.c, streamRangeHasTombstones).
func (s Stream) gapsFrom(id ID) bool {
	return s.length > 0 && !s.MaxDeleted.IsZero() && !s.MaxDeleted.Less(s.First) && !s.MaxDeleted.Less(id)
}

// ReadOn counts the delivery of the entry id, which lies behind g.Last, and makes it that.
func (g Group) ReadOn(s Stream, id ID) {
	read := g.g.read
	switch {
	case read != Unknown && !s.gapsFrom(id):
		read = known(uint64(read) + 1)
	case s.Added > 0:
		read = s.Ordinal(id)
	}
	g.Advance(id, read)
}

// Lag returns the number of entries that the group has still to read, and false where it
// cannot be told.
func (g Group) Lag(s Stream) (int64, bool) {
	if s.Added == 0 {
		return 0, true
	}
	if g.g.read != Unknown && !s.gapsFrom(g.g.last) {
		return int64(s.Added) - g.g.read, true
	}
	n := s.Ordinal(g.g.last)
	return int64(s.Added) - n, n != Unknown
}
