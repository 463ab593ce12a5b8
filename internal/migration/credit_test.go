package migration

import (
	"testing"
	"time"
)

// At any rate of writes and any speed of the target, the credit brings the lag to where
// a hold is worth trying, and then the writers are not slower than half the target.
func TestCreditConverges(t *testing.T) {
	for _, speed := range []int64{100 << 10, 1 << 20, 50 << 20} {
		for _, write := range []int64{10 << 10, 1 << 20, 100 << 20, 1 << 40} {
			for _, overhead := range []int64{1, 3} { // bytes on the wire for one of an effect
				c := newCredit()
				var made, taken, applied int64 // effect bytes written, and applied; wire bytes
				lag := func() int64 { return made - taken }
				near := int64(0)
				const copying = int64(3 * time.Second)
				for now := int64(1); now < int64(60*time.Second); now += int64(creditStep) {
					room := speed * int64(creditStep) / int64(time.Second)
					if now < copying {
						applied += room // the snapshot
					} else {
						c.copied.Store(true)
						n := min(lag(), room/overhead)
						taken += n
						applied += n * overhead
					}
					c.acked.Store(applied)
					c.sent.Store(applied)
					if c.reckonAt(now, lag()) && near == 0 {
						near = now
					}
					if free := c.limit.Load() - lag(); free > 0 {
						made += min(free, write/1000*int64(creditStep)/int64(time.Millisecond))
					}
				}
				if near == 0 {
					t.Errorf("speed %d, writes %d, overhead %d: never near; lag %d, limit %d", speed, write, overhead, lag(), c.limit.Load())
				}
				if most := 3 * int64(copyHigh); lag() > most {
					t.Errorf("speed %d, writes %d: lag %d", speed, write, lag())
				}
			}
		}
	}
}

// Writers are let on, slowly, where a target applies nothing for long.
func TestCreditOfAStuckTarget(t *testing.T) {
	c := newCredit()
	c.copied.Store(true)
	first := int64(0)
	for now := int64(1); now < int64(3*time.Second); now += int64(creditStep) {
		c.reckonAt(now, 1<<30)
		if first == 0 {
			first = c.limit.Load()
		}
	}
	if got := c.limit.Load(); got <= 2*first || got > readerBytes {
		t.Errorf("limit %d after %d", got, first)
	}
}
