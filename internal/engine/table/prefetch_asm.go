//go:build amd64 || arm64

package table

import "unsafe"

// prefetch asks for the cache lines at p. It never faults and never waits.
//
//go:noescape
func prefetch(p unsafe.Pointer)
