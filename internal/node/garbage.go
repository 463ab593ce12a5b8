package node

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// garbageBytes is how much may be allocated on the Go heap, which holds buffers and
	// no keys, while nothing is collected for a second.
	garbageBytes = 64 << 20
	// idleSteps is how many steps a heap above garbageBytes goes without a collection:
	// what the last one found alive may be garbage since.
	idleSteps = 10
)

// collector keeps the Go heap from staying large after a burst. The runtime collects
// when the heap has grown by gcPercent or after two minutes: a few values of 100 MB
// that passed through buffers would stay resident until then, and count as used.
type collector struct {
	sample [3]metrics.Sample
	cycles uint64 // collections at the last step
	idle   int    // steps without one
}

func newCollector() *collector {
	c := &collector{}
	for i, name := range [...]string{"/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes", "/gc/cycles/total:gc-cycles"} {
		c.sample[i].Name = name
	}
	return c
}

// step collects if much has become garbage and nobody has since the last step. It is
// called once a second.
func (c *collector) step() {
	metrics.Read(c.sample[:])
	var v [len(c.sample)]uint64
	for i, s := range c.sample {
		if s.Value.Kind() != metrics.KindUint64 {
			return // a runtime that does not tell
		}
		v[i] = s.Value.Uint64()
	}
	objects, live, cycles := v[0], v[1], v[2]
	if cycles != c.cycles {
		c.idle = 0
	} else {
		c.idle++
	}
	if c.idle > 0 && objects > live+garbageBytes || c.idle >= idleSteps && objects > garbageBytes {
		debug.FreeOSMemory() // a collection alone gives nothing back before the next one
		cycles++
		c.idle = 0
	}
	c.cycles = cycles
}
