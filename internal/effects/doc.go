// Package effects owns the effect log: the ordered stream of writes of this node,
// held in segments outside the heap and read by replicas, the append-only file and
// slot moves. It never interprets an effect, never does I/O and takes no shard lock.
// Commands append to it under the locks of the shards they changed, so the order of
// the log is right for every slot; the log's own mutex comes after those locks.
//
// The log is one stream of bytes in the form that Redis replicas read. Offsets count
// these bytes and nothing else, the SELECT, MULTI, EXEC and PING that the log inserts
// itself included. docs/format/effects.md has the picture.
package effects
