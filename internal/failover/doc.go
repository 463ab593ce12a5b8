// Package failover decides who may serve a cluster shard and for how long. The
// leader of the topology log grants leases to primaries, gathers from the voters
// which processes have gone, and proposes a Promote when both the lease is over and
// a majority of voters confirms; everything else follows from the new View.
//
// The deciding parts are pure, take the time as an argument and hold no goroutine:
//
//	Leader    runs on the log's leader: rounds of echoes, Grantor, one machine a shard
//	Holder    runs on every node: the lease of the shard it is primary of
//	Watch     runs on every voter: which processes are silent or refuse to be reached
//
// Driver gives them time, the bus and the log. internal/sim runs the same parts in
// virtual time. The package never touches data, never owns the map (topology does)
// and knows nothing of raft (its child consensus does). internal/node wires it;
// the server reads LeaseUntil.
package failover
