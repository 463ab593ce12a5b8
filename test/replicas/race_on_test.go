//go:build race

package replicas

// raced says whether nodes run with the race detector.
const raced = true
