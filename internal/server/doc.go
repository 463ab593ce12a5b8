// Package server turns bytes of clients into commands and replies: listeners,
// the drivers (event loops and goroutines), the sans-I/O Session with its parser, gates,
// routing, shard locks, transactions and output, and the commands that concern the
// connection itself. It decides nothing about data, topology or persistence; those it asks
// through the command table and small interfaces that internal/node wires.
//
//	socket -> driver -> Session.Advance -> parser -> Spec -> gates -> shard locks
//	       { run -> stage effects } -> effect log -> output FIFO -> driver -> socket
package server
