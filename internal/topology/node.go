package topology

// Node is a member of the cluster as the log knows it.
type Node struct {
	ID NodeID `json:"id"`
	// Incarnation tells one membership of ID from the next: RESET draws a higher
	// one. (ID, Incarnation) is never a member twice.
	Incarnation uint64 `json:"incarnation"`
	// Run is the newest life of the process that has announced itself.
	Run      RunID  `json:"run"`
	Addr     Addr   `json:"addr"`
	Hostname string `json:"hostname,omitempty"`
	// Zone is the failure domain voters are spread over; empty means the host.
	Zone string `json:"zone,omitempty"`
	// Shard is the one cluster shard the node belongs to.
	Shard ShardID `json:"shard"`
	// Voter tells that the node votes in the log (a mirror of raft's own
	// configuration for people to see; decisions ask raft).
	Voter bool `json:"voter,omitempty"`
	// Priority is replica-priority: the lower is promoted first, 0 never by
	// itself.
	Priority int `json:"priority"`
}

// RaftID is the node's name inside the raft configuration: a node that left and
// came back is another member.
func (n *Node) RaftID() string { return raftID(n.ID, n.Incarnation) }

// FailureDomain is the zone voters are spread over: Zone, or the host.
func (n *Node) FailureDomain() string {
	if n.Zone != "" {
		return n.Zone
	}
	return n.Addr.Host
}

// Removed is a membership that has ended. The node with this id comes back only
// with a higher incarnation.
type Removed struct {
	ID          NodeID `json:"id"`
	Incarnation uint64 `json:"incarnation"`
}
