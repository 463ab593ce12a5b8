// Package effects owns the effect log: the ordered stream of writes of this node,
// held in segments outside the heap and read by replicas, the append-only file and
// slot moves. It never interprets an effect. Commands append to it under the locks
// of the shards they changed.
package effects
