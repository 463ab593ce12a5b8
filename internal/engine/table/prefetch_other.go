//go:build !amd64 && !arm64

package table

import "unsafe"

func prefetchBucket(unsafe.Pointer) {}

func prefetchRecord(unsafe.Pointer) {}
