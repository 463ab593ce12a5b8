package persist

import (
	"slices"
	"sync"
)

// Libraries are the sources of function libraries. They cannot be run yet: what came with
// an RDB is kept as it is and goes into those that this node writes, so that nobody loses
// them by way of it.
type Libraries struct {
	mu   sync.Mutex
	list [][]byte
}

// All returns the sources. They must not be changed.
func (l *Libraries) All() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// Replace sets the sources.
func (l *Libraries) Replace(list [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = list
}
