// Package stream is a stream as it lies in the arena: nodes of entries in Redis' own
// listpack format, ordered by id, and consumer groups with their pending entries. It
// owns those blocks and every rule about them (when a node is full, what trimming takes,
// which entries a group still owes); it never locks, knows no key, and makes no reply.
// The engine calls it with the shard locked. A Past is what a stream was at one instant,
// for snapshots, while it goes on changing.
//
//	Root | last id, first id, counters | nodes: tree of id -> listpack block
//	     | groups, sorted by name -> group | last id, entries read | pending: tree of id -> delivery
//	                                       | consumers, sorted by name -> consumer | times | tree of ids
package stream
