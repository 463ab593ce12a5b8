// Package consensus keeps the topology log: it owns hashicorp/raft with its stores and
// transport, the set of voters, and the View stream by which every other node follows.
//
//	Propose --leader--> raft --commit--> FSM = topology.Apply --> View --> subscribers
//	                                                               '--View stream--> other nodes
//
// It decides nothing about data: what an entry means stands in topology, who proposes a
// Promote and when stands in failover. It never reads gossip; a newest index heard there
// is told to it (HeardOf) and only makes it look sooner.
//
// Callers: failover (proposes, asks who leads), node (forming, MEET, RESET, the CLUSTER
// commands' Control), migration (job entries). Everything goes over the bus.
package consensus
