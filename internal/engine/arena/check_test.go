//go:build race || arenacheck

package arena

import "testing"

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s went unnoticed", what)
		}
	}()
	f()
}

func TestChecks(t *testing.T) {
	a, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	alloc := func() Ref {
		ref, err := a.Alloc(100)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	keep, ref := alloc(), alloc()
	mustPanic(t, "a ref into the middle of a block", func() { a.At(keep + 1) })
	stale := a.Bytes(ref, 100)
	a.Free(ref)
	mustPanic(t, "a use after free", func() { a.At(ref) })
	mustPanic(t, "a double free", func() { a.Free(ref) })
	if stale[50] != poisonFree {
		t.Error("a freed block is not poisoned")
	}
	stale[50] = 'x'
	mustPanic(t, "a write after free", func() { alloc() })
}
