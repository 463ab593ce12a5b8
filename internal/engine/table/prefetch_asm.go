//go:build amd64 || arm64

package table

import "unsafe"

// prefetchBucket asks for the cache line at p. It never faults and never waits.
//
//go:noescape
func prefetchBucket(p unsafe.Pointer)

// prefetchRecord asks for the four cache lines from p on, which is what most records of
// packed collections take. It never faults and never waits.
//
//go:noescape
func prefetchRecord(p unsafe.Pointer)
