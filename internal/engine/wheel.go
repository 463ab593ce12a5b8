package engine

import (
	"math"
	"math/bits"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

const (
	// tickMillis is the resolution of active expiry.
	tickMillis = 128
	// wheelLevels levels of 64 places reach 64^6 ticks, past the year 2200.
	wheelLevels = 6
	wheelPlaces = 64
	// chunkEntries makes a chunk 256 bytes.
	chunkEntries = 31
)

// wheelEntry says that a key may expire: its local slot number in the high 14 bits, 50
// bits of the hash of its key in the rest. Never a ref: records move and refs are reused.
type wheelEntry uint64

const hashBits = 50

func entryOf(local uint32, hash uint64) wheelEntry {
	return wheelEntry(uint64(local)<<hashBits | hash&(1<<hashBits-1))
}

func (e wheelEntry) local() uint32 { return uint32(e >> hashBits) }
func (e wheelEntry) hash() uint64  { return uint64(e) & (1<<hashBits - 1) }

// wheelChunk is a block of the arena that holds entries of one place.
type wheelChunk struct {
	next    arena.Ref
	n       uint32
	entries [chunkEntries]wheelEntry
}

const chunkBytes = 8 + 8*chunkEntries

// wheel is a hierarchical timing wheel in absolute ticks. An entry for tick t stands at
// the level of the highest group of six bits in which t differs from the present tick,
// in the place that t's bits there name:
//
//	level 0: the ticks of the present 64    level 1: the 64s of the present 4096    ...
//
// When the present tick reaches a place its entries are fired; those of higher levels,
// and those whose key lives longer by now, are put in again by who fires them. Firing
// looks at the key's record, so entries carry no time and stale ones do no harm.
type wheel struct {
	tick   int64 // the next tick to work on; all before are done
	n      int   // entries
	filled [wheelLevels]uint64
	places [wheelLevels][wheelPlaces]arena.Ref
}

// dueTick is the first tick at which a key with expiry at has expired: now > at.
func dueTick(at int64) int64 { return at/tickMillis + 1 }

// insert adds an entry for a key with expiry at. If there is no space it is left out:
// the key still expires when it is touched.
func (w *wheel) insert(a *arena.Arena, e wheelEntry, at, now int64) bool {
	if w.n == 0 {
		w.tick = now / tickMillis
	}
	t := min(max(dueTick(at), w.tick), w.tick|(1<<(6*wheelLevels)-1))
	level := 0
	if x := uint64(t ^ w.tick); x != 0 {
		level = (bits.Len64(x) - 1) / 6
	}
	i := t >> (6 * level) & (wheelPlaces - 1)
	head := w.places[level][i]
	if head == 0 || (*wheelChunk)(a.At(head)).n == chunkEntries {
		ref, err := a.Alloc(chunkBytes)
		if err != nil {
			return false
		}
		c := (*wheelChunk)(a.At(ref))
		c.next, c.n = head, 0
		w.places[level][i], head = ref, ref
		w.filled[level] |= 1 << i
	}
	c := (*wheelChunk)(a.At(head))
	c.entries[c.n] = e
	c.n++
	w.n++
	return true
}

// pop takes an entry out of a place.
func (w *wheel) pop(a *arena.Arena, level int, i int64) (wheelEntry, bool) {
	head := w.places[level][i]
	if head == 0 {
		return 0, false
	}
	c := (*wheelChunk)(a.At(head))
	c.n--
	w.n--
	e := c.entries[c.n]
	if c.n == 0 {
		w.places[level][i] = c.next
		if c.next == 0 {
			w.filled[level] &^= 1 << i
		}
		a.Free(head)
	}
	return e, true
}

// advance fires at most limit entries due at now and returns how many it fired; fewer
// than limit means that no more are due. fire may insert.
func (w *wheel) advance(a *arena.Arena, now int64, limit int, fire func(wheelEntry)) (fired int) {
	end := now / tickMillis
	for w.n > 0 && w.tick <= end {
		for level := wheelLevels - 1; level >= 0; level-- {
			if w.tick&(1<<(6*level)-1) != 0 {
				continue
			}
			i := w.tick >> (6 * level) & (wheelPlaces - 1)
			for w.places[level][i] != 0 {
				if fired == limit {
					return fired
				}
				e, _ := w.pop(a, level, i)
				fired++
				fire(e)
			}
		}
		w.tick = min(w.nextFilled(), end+1)
	}
	return fired
}

// nextFilled returns the first tick after the present one at which a place with entries
// is reached. Entries of a lower level always come before those of a higher one.
func (w *wheel) nextFilled() int64 {
	for level := range wheelLevels {
		shift := 6 * level
		i := w.tick >> shift & (wheelPlaces - 1)
		if later := w.filled[level] &^ (1<<(i+1) - 1); later != 0 {
			return (w.tick>>(shift+6)<<6 | int64(bits.TrailingZeros64(later))) << shift
		}
	}
	return math.MaxInt64
}

// sample gives some entries of a place drawn by the random bits of draw to use, until it
// has said of n of them that their key is there; entries of which it says that it is not
// are dropped.
func (w *wheel) sample(a *arena.Arena, draw uint64, n int, use func(wheelEntry) bool) {
	places := 0
	for _, f := range w.filled {
		places += bits.OnesCount64(f)
	}
	if places == 0 {
		return
	}
	nth := int(draw % uint64(places))
	for level, f := range w.filled {
		for ; f != 0; f &= f - 1 {
			if nth--; nth < 0 {
				w.samplePlace(a, level, int64(bits.TrailingZeros64(f)), n, use)
				return
			}
		}
	}
}

func (w *wheel) samplePlace(a *arena.Arena, level int, i int64, n int, use func(wheelEntry) bool) {
	c := (*wheelChunk)(a.At(w.places[level][i]))
	for at := int(c.n) - 1; at >= 0 && n > 0; at-- {
		if use(c.entries[at]) {
			n--
			continue
		}
		c.entries[at] = c.entries[c.n-1]
		w.pop(a, level, i)
	}
}

// drain frees at most limit entries and reports whether the wheel is empty.
func (w *wheel) drain(a *arena.Arena, limit int) bool {
	for level := range w.places {
		for w.filled[level] != 0 {
			i := int64(bits.TrailingZeros64(w.filled[level]))
			for w.places[level][i] != 0 {
				if limit--; limit < 0 {
					return false
				}
				w.pop(a, level, i)
			}
		}
	}
	return true
}
