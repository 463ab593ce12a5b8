//go:build !linux

package failover

// suspendedNanos is not known here: such a machine must not be suspended.
func suspendedNanos() int64 { return 0 }
