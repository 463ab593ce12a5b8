// Package clock is the one place that reads time. Wall time is for expiry and for
// what users see; monotonic time is for durations and leases. Code that must be
// tested in virtual time takes a Clock; the data path calls Mono and WallMillis.
package clock

import (
	"time"
	_ "unsafe" // for go:linkname
)

//go:linkname nanotime runtime.nanotime
func nanotime() int64

// Mono returns nanoseconds of the process' monotonic clock. It costs about half of
// time.Now, which is why the data path uses it (one reading a command).
func Mono() int64 { return nanotime() }

// WallMillis returns Unix time in milliseconds.
func WallMillis() int64 { return time.Now().UnixMilli() }

// Clock is time as a driver sees it: real, or a simulation's.
type Clock interface {
	// Now returns the wall time.
	Now() time.Time
	// Mono returns monotonic nanoseconds; only differences mean anything.
	Mono() int64
	// After returns a channel that receives once d has passed.
	After(d time.Duration) <-chan time.Time
}

// Real is the machine's clock.
type Real struct{}

// Now returns time.Now().
func (Real) Now() time.Time { return time.Now() }

// Mono returns the monotonic clock.
func (Real) Mono() int64 { return Mono() }

// After returns time.After(d).
func (Real) After(d time.Duration) <-chan time.Time { return time.After(d) }
