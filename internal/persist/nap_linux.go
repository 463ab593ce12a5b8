package persist

import (
	"syscall"
	"time"
)

// nap sleeps as exactly as the system can; time.Sleep rounds up to a millisecond where
// nobody is running.
func nap(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // a signal ends it early, which is no harm
}
