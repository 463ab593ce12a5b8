package engine

import (
	"github.com/redwingdb/redwing/internal/engine/table"
	"github.com/redwingdb/redwing/internal/slots"
)

// The 24-bit access field of a record is a clock of seconds (record.go) or, under an LFU
// policy, a counter of accesses and when it was last looked at, as in Redis (evict.c):
//
//	| minutes of Unix time, 16 bits | counter, 8 bits |
//
// The counter grows by chance, the less likely the higher it is, and loses one for each
// decay time that has passed. Where the policy changes between the two kinds, fields
// mean nothing until their keys are used again.

// lfuFirst is the counter of a new key: it lets it live long enough to be used again.
const lfuFirst = 5

// lfu are the parameters of the counter.
type lfu struct {
	logFactor    int64 // how much less likely each further step is
	decayMinutes int64 // 0: counters stay
}

func lfuMinutes(nowMillis int64) uint32 { return uint32(nowMillis/60_000) & 0xffff }

// decayed returns the counter of field as it is now.
func (l *lfu) decayed(field uint32, nowMillis int64) uint8 {
	counter := field & 0xff
	if l.decayMinutes == 0 {
		return uint8(counter)
	}
	// Redis: the clock that has wrapped is one short.
	then, now := field>>8, lfuMinutes(nowMillis)
	passed := int64(now) - int64(then)
	if now < then {
		passed += 0xffff
	}
	return uint8(int64(counter) - min(int64(counter), passed/l.decayMinutes))
}

// touched returns field after one more access, by the 64 random bits of draw.
func (l *lfu) touched(field uint32, nowMillis int64, draw uint64) uint32 {
	counter := l.decayed(field, nowMillis)
	if counter < 0xff {
		above := float64(max(int64(counter)-lfuFirst, 0))
		if float64(draw>>11)*(above*float64(l.logFactor)+1) < 1<<53 {
			counter++
		}
	}
	return lfuMinutes(nowMillis)<<8 | uint32(counter)
}

// freshField returns the access field of a key that comes into being.
func (a *Access) freshField() uint32 {
	if a.lfu != nil {
		return lfuMinutes(a.now)<<8 | lfuFirst
	}
	return lruClock(a.now)
}

// fieldAt returns the access field that the record at p gets by being written: it counts
// as an access, unless the command has looked at the key before.
func (a *Access) fieldAt(p *spot) uint32 {
	switch {
	case !p.found():
		a.touched = p.hash
		return a.freshField()
	case a.lfu == nil:
		return lruClock(a.now)
	case a.touched == p.hash:
		return p.rec.LRU()
	}
	a.touched = p.hash
	return a.lfu.touched(p.rec.LRU(), a.now, p.sh.draw())
}

// touch notes an access to the record rec of shard sh.
func (a *Access) touch(sh *shard, rec table.Rec) {
	if a.noTouch {
		return
	}
	if a.lfu == nil {
		rec.SetLRU(lruClock(a.now))
		return
	}
	a.touched = a.k.hash.Sum(rec.Key())
	rec.SetLRU(a.lfu.touched(rec.LRU(), a.now, sh.draw()))
}

// draw returns 64 random bits. REQUIRES: the shard locked.
func (sh *shard) draw() uint64 { return splitmix(&sh.seed) }

// splitmix returns 64 random bits and moves state on (splitmix64).
func splitmix(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	x := *state
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Freq returns the logarithmic access counter of r, and false unless the policy is LFU.
func (a *Access) Freq(r Record) (uint8, bool) {
	if a.lfu == nil {
		return 0, false
	}
	return a.lfu.decayed(r.rec.LRU(), a.now), true
}

// SetIdle makes key look as if it was last used idleSeconds ago (RESTORE IDLETIME, and
// what a dump says); it does nothing under an LFU policy.
func (a *Access) SetIdle(s slots.Slot, key []byte, idleSeconds int64) {
	if a.lfu == nil {
		a.setField(s, key, lruClock(a.now-1000*min(max(idleSeconds, 0), lruMax)))
	}
}

// SetFreq sets the access counter of key; it does nothing unless the policy is LFU.
func (a *Access) SetFreq(s slots.Slot, key []byte, counter uint8) {
	if a.lfu != nil {
		a.setField(s, key, lfuMinutes(a.now)<<8|uint32(counter))
	}
}

// setField needs no Touch: the field is not part of what a snapshot promises.
func (a *Access) setField(s slots.Slot, key []byte, field uint32) {
	var p spot
	if a.seekLocked(&p, s, key); p.found() {
		p.rec.SetLRU(field)
	}
}
