// Package gossip wraps hashicorp/memberlist: it spreads who is there, where, and the
// newest View index, and hands that out as typed events.
//
// It only hints. Nothing here is an input of a decision: failure detection, leases and
// promotion use the bus (failover), the map of slots comes from the log (consensus).
// What it is good for is finding the members' present addresses, noticing that a newer
// View exists, and the eyes of people.
//
// Packets go by UDP on the port of the bus, under a key derived from the bus' secret;
// streams (push/pull, fallback probes) go over the bus. Each cluster has its own label,
// so strangers' packets are dropped. node builds it when the cluster id is known and
// builds a new one when that changes.
package gossip
