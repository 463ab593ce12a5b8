package failover

import "golang.org/x/sys/unix"

// suspendedNanos is how long the machine has been suspended since boot.
func suspendedNanos() int64 {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return boot.Nano() - mono.Nano()
}
