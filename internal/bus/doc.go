// Package bus is the one door between the nodes of a cluster: a listener at the data
// port + 10000 that carries raft, View streams, calls (probes, leases, proposals), slot
// moves and gossip streams, and the dialler of the other end.
//
// Every connection opens with a handshake (docs/format/bus.md) that names the cluster,
// its generation, the sender's node and run, the node that the dialler means to reach,
// and the protocol. With a shared secret both sides prove that they know it; with a
// tls.Config the connection is mutual TLS. A mismatch closes the connection and is
// counted by reason; so is whatever is malformed. No input ends the process.
//
// The bus also knows what a failure detector wants to know: when the last byte came
// from a process (LastHeard), and whether its connection was reset and connecting again
// is refused (Refused). It takes no lock of the data path, so that a node under load
// still answers.
//
// It never interprets what it carries: ids are strings here, and it knows nothing of
// topology. Callers: failover, failover/consensus, gossip, migration; wired by node.
package bus
