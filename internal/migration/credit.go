package migration

import (
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/effects"
)

// How much the effects that the target has not applied may come to before writers of
// the moving slots wait.
const (
	// While the snapshot is under way: what can be applied in copyTime.
	copyTime, copyLow, copyHigh = time.Second, 256 << 10, 16 << 20
	// Afterwards: half of what can be applied in closeTime; with all of that missing a
	// hold is worth trying, and soon over.
	closeTime, closeLow, closeHigh = 10 * time.Millisecond, 8 << 10, 128 << 10
	// glideShare is which part of the target's speed goes into what has gathered while
	// the snapshot was under way; the rest is for writers, and for the words around
	// their effects.
	glideShare = 4
	// stuckTime is how long writers wait for a target that applies nothing before they
	// are let on by half as much again; past readerBytes the attempt has failed.
	stuckTime = 250 * time.Millisecond
	// sampleTime is over how long the target's speed is measured: acknowledgements come
	// in lumps of a frame.
	sampleTime = 200 * time.Millisecond
	// creditStep is how often the credit is reckoned anew.
	creditStep = 5 * time.Millisecond
)

// credit is the back-pressure on the source's writers of moving slots: they may run
// ahead of the target by so many bytes of effects, so that at any rate of writes the
// target comes as near as a hold needs, and each writer waits only until the bytes before
// its own are applied. Its methods may be called from any goroutine but reckon.
type credit struct {
	reader atomic.Pointer[effects.SlotReader]
	sent   atomic.Int64 // bytes of Data
	acked  atomic.Int64 // of these, applied by the target
	copied atomic.Bool  // the snapshot is over: what is on its way is effects
	limit  atomic.Int64

	// Of reckon alone.
	speed    capacity
	lastAck  int64
	progress int64 // when acked last grew
	extra    int64
	// glide is the limit on its way from that of the copy to that of the end, so that
	// what has gathered is applied without stopping the writers; at is when it moved.
	glide, at int64
}

func newCredit() *credit {
	c := &credit{}
	c.limit.Store(copyLow)
	return c
}

// lag returns the bytes of effects that the target has not applied.
func (c *credit) lag() (lag int64) {
	if r := c.reader.Load(); r != nil {
		lag = r.Lag()
	}
	if c.copied.Load() {
		lag += c.sent.Load() - c.acked.Load()
	}
	return lag
}

// spent reports whether writers have to wait.
func (c *credit) spent() bool { return c.lag() >= c.limit.Load() }

// reckon sets the limit for the speed the target has shown, and reports whether a hold
// is worth trying. now is in monotonic nanoseconds.
func (c *credit) reckon(now int64) (near bool) { return c.reckonAt(now, c.lag()) }

func (c *credit) reckonAt(now, lag int64) (near bool) {
	acked := c.acked.Load()
	c.speed.sample(acked, now)
	base := c.speed.in(copyTime, copyLow, copyHigh)
	if c.copied.Load() {
		base = c.speed.in(closeTime, closeLow, closeHigh) / 2
		if c.at == 0 {
			c.glide = min(lag, c.limit.Load())
		} else {
			c.glide -= int64(c.speed.bytesPerSecond * time.Duration(now-c.at).Seconds() / glideShare)
		}
		c.at = now
		base = max(base, c.glide)
	}
	switch {
	case acked != c.lastAck || lag < base:
		c.lastAck, c.progress, c.extra = acked, now, 0
	case now-c.progress >= int64(stuckTime):
		c.progress = now
		c.extra = min(readerBytes, c.extra+(base+c.extra)/2)
	}
	c.limit.Store(base + c.extra)
	return c.copied.Load() && lag <= c.speed.in(closeTime, closeLow, closeHigh)
}

// capacity is how fast the target applies: the highest rate seen, slowly forgotten.
type capacity struct {
	bytesPerSecond float64
	done, at       int64 // bytes applied, and when that was read
}

// sample takes the bytes applied so far at now (nanoseconds).
func (c *capacity) sample(done, now int64) {
	if c.at == 0 {
		c.done, c.at = done, now
		return
	}
	if d := now - c.at; d >= int64(sampleTime) {
		rate := float64(done-c.done) / time.Duration(d).Seconds()
		c.bytesPerSecond = max(rate, c.bytesPerSecond*0.99)
		c.done, c.at = done, now
	}
}

// in returns how many bytes can be applied in d, at least low and at most high.
func (c *capacity) in(d time.Duration, low, high int64) int64 {
	return min(high, max(low, int64(c.bytesPerSecond*d.Seconds())))
}
