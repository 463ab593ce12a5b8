// Package topology is what the cluster has agreed on: nodes, cluster shards, slots,
// slot moves, terms and epochs. The whole of it is one immutable value, the View;
// the only thing that makes a new View out of an old one is Apply, a pure function
// of the entries of the topology log. So every node that has applied the same
// entries holds the same View, and everybody who asks "who owns this slot" reads
// that one value.
//
// The package does no I/O, reads no clock, starts no goroutine and knows nothing
// of raft: failover/consensus replicates entries and calls Apply; the server
// routes by View; failover, replication and migration act on it; the CLUSTER
// commands print it.
package topology
