// Package sim runs the pure parts of the control plane for a whole cluster in
// virtual time: one event queue, one random source, no goroutine. Its parts are all
// in test files; nothing imports it.
//
// A world has nodes with clocks of their own rate, a network that loses, delays,
// duplicates and cuts in one direction, processes that are paused, killed and
// restarted, and a model of the log (elections, lost and unknown proposals, entries
// of an old leader that turn up later). The seed of a failing world replays it.
package sim
