package failover

import (
	"math"

	"golang.org/x/sys/unix"
)

// suspendTries bounds how often the two clocks are read until they are read close
// together.
const suspendTries = 8

// suspendedNanos is how long the machine has been suspended since boot. The clocks are
// read again where this thread was stopped between the readings: on a busy machine that
// would look like a suspension.
func suspendedNanos() int64 {
	const close = 100_000
	best, window := int64(0), int64(math.MaxInt64)
	for range suspendTries {
		var before, boot, after unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &before) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil ||
			unix.ClockGettime(unix.CLOCK_MONOTONIC, &after) != nil {
			return 0
		}
		if w := after.Nano() - before.Nano(); w < window {
			best, window = boot.Nano()-before.Nano(), w
		}
		if window < close {
			break
		}
	}
	return best
}
