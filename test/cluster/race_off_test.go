//go:build !race

package cluster

// raced: the nodes are built with the race detector and checked arenas, too. Figures
// mean nothing then.
const raced = false
