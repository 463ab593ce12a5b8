package node

import (
	"runtime"
	"testing"
)

// TestCollector: garbage that nobody collects goes at the second look, and where the
// runtime has just collected by itself nothing is done.
func TestCollector(t *testing.T) {
	runtime.GC()
	c := newCollector()
	c.step()
	before := c.cycles
	c.step()
	if c.cycles != before {
		t.Errorf("collected without garbage: %d cycles", c.cycles-before)
	}
	keep := make([][]byte, 2)
	for i := range keep {
		keep[i] = make([]byte, garbageBytes)
	}
	keep = nil
	_ = keep
	c.step() // the allocation may have made the runtime collect
	c.step()
	if c.cycles == before {
		t.Errorf("%d bytes of garbage were left", 2*garbageBytes)
	}
	// Garbage that was alive at the last collection.
	keep = [][]byte{make([]byte, 2*garbageBytes)}
	runtime.GC()
	runtime.KeepAlive(keep)
	c.step()
	before = c.cycles
	for range idleSteps {
		c.step()
	}
	if c.cycles == before {
		t.Errorf("%d bytes that were alive once were left", 2*garbageBytes)
	}
}
