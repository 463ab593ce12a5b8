// Package replication copies the data of one node to others over Redis' own protocol
// (PSYNC on the data port), in both roles: it serves replicas, real redis-servers among
// them, and it makes this node a replica of another server. A full sync is a snapshot
// of the keyspace as an RDB followed by the effect log; a short break is mended from
// the log's backlog.
//
// It owns the replication ids, the links, the acknowledgements and WAIT. It decides
// nothing: whom to follow and when to be a primary is told by internal/node (which
// hears it from the topology) or by REPLICAOF. The locks come in this order: shards ->
// Replication.mu -> effect log.
package replication
