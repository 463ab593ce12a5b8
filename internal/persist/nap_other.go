//go:build !linux

package persist

import "time"

func nap(d time.Duration) { time.Sleep(d) }
