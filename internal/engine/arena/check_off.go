//go:build !race && !arenacheck

package arena

import "unsafe"

// Checked says whether blocks are poisoned and dereferences checked.
const Checked = false

type checker struct{}

func (*checker) init()                              {}
func (*checker) deref(Ref)                          {}
func (*checker) allocated(Ref, unsafe.Pointer, int) {}
func (*checker) unpoison(Ref, unsafe.Pointer, int)  {}
func (*checker) freed(Ref, unsafe.Pointer, int)     {}
func (*checker) freedSpan(Ref, unsafe.Pointer, int) {}
