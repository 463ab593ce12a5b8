//go:build race

package memory

// raced says whether nodes run with the race detector, which is no time for figures.
const raced = true
