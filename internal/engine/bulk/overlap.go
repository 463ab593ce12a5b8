package bulk

import "unsafe"

// overlapsForward reports whether dst begins inside src, past its start, so that
// copying upwards would overwrite bytes of src before they are read.
func overlapsForward(dst, src []byte) bool {
	d, s := uintptr(unsafe.Pointer(unsafe.SliceData(dst))), uintptr(unsafe.Pointer(unsafe.SliceData(src)))
	return d > s && d < s+uintptr(len(src))
}
