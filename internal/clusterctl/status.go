package clusterctl

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// NodeStatus is a member with what it reports of itself.
type NodeStatus struct {
	ID       string `json:"id"`
	Addr     string `json:"addr"`
	Role     string `json:"role"`
	Primary  string `json:"primary,omitempty"` // address of a replica's primary
	Slots    int    `json:"slots"`
	Ranges   string `json:"slot_ranges,omitempty"`
	Keys     int64  `json:"keys"`
	Memory   int64  `json:"used_memory"`
	Clients  int64  `json:"clients"`
	Offset   int64  `json:"offset"`
	LagBytes int64  `json:"lag_bytes"` // replicas: behind the primary's offset
	Link     string `json:"link"`      // "up", "down"; "-" for a primary
	Epoch    uint64 `json:"epoch"`
	InSync   string `json:"in_sync"` // "yes", "no"; "-" where writes are never synchronous
	State    string `json:"state"`   // "ok", "fail", "unreachable"
	Version  string `json:"version,omitempty"`
}

// Status is the whole cluster at a glance.
type Status struct {
	State   string       `json:"state"` // cluster_state of the node that was asked
	Covered int          `json:"slots_covered"`
	Keys    int64        `json:"keys"` // on primaries
	Epoch   string       `json:"epoch"`
	Nodes   []NodeStatus `json:"nodes"`
}

// ReadStatus asks the node at seed for the topology and each member for its numbers.
func ReadStatus(ctx context.Context, c *Conns, seed string) (*Status, error) {
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	info, err := c.Fields(ctx, seed, "CLUSTER", "INFO")
	if err != nil {
		return nil, err
	}
	covered := st.Covered()
	out := &Status{State: info["cluster_state"], Covered: covered.Len(), Epoch: info["cluster_current_epoch"]}
	out.Nodes = make([]NodeStatus, len(st.Nodes))
	each(len(st.Nodes), func(i int) { out.Nodes[i] = c.nodeStatus(ctx, st, &st.Nodes[i]) })
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("interrupted: %w", err)
	}
	c.inSync(ctx, st, seed, out.Nodes)
	offset := map[string]int64{} // of primaries, by id
	for i := range out.Nodes {   // primaries come first
		ns := &out.Nodes[i]
		if ns.Role == "primary" {
			offset[ns.ID] = ns.Offset
			out.Keys += ns.Keys
		} else if head, ok := offset[st.Nodes[i].Primary]; ok && ns.State == "ok" {
			ns.LagBytes = max(0, head-ns.Offset)
		}
	}
	return out, nil
}

// inSync tells who is in sync. A member that does not know the question has no
// synchronous writes.
func (c *Conns) inSync(ctx context.Context, st *State, seed string, nodes []NodeStatus) {
	s, err := ConfirmedSettings(ctx, c, st, seed)
	on := err == nil && s.SyncWrites != "no"
	for i := range nodes {
		switch n := &nodes[i]; {
		case !on:
			n.InSync = "-"
		case slices.ContainsFunc(s.Shards, func(x InSyncSet) bool { return slices.Contains(x.InSync, n.ID) }):
			n.InSync = "yes"
		default:
			n.InSync = "no"
		}
	}
}

func (c *Conns) nodeStatus(ctx context.Context, st *State, n *Node) NodeStatus {
	ns := NodeStatus{
		ID: n.ID, Addr: n.Addr, Role: n.Role(), Slots: n.Slots.Len(), Ranges: n.Slots.String(),
		Epoch: n.Epoch, Link: "-", State: "ok",
	}
	if p := st.Node(n.Primary); n.Primary != "" && p != nil {
		ns.Primary = p.Addr
	}
	if n.Failed() {
		ns.State = "fail"
	}
	info, err := c.Fields(ctx, n.Addr, "INFO", "server", "clients", "memory", "replication")
	if err != nil {
		ns.State = "unreachable"
		return ns
	}
	ns.Memory = number(info["used_memory"])
	ns.Clients = number(info["connected_clients"])
	ns.Version = info["redwing_version"]
	ns.Offset = number(info["master_repl_offset"])
	if !n.IsPrimary() {
		ns.Offset = number(info["slave_repl_offset"])
		ns.Link = info["master_link_status"]
	}
	if keys, err := c.Do(ctx, n.Addr, "DBSIZE"); err == nil {
		ns.Keys, _ = keys.(int64)
	}
	return ns
}

// number parses a field of INFO; a field that is missing counts as 0.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Member is a node as clusterctl nodes prints it in JSON.
type Member struct {
	ID      string   `json:"id"`
	Addr    string   `json:"addr"`
	Role    string   `json:"role"`
	Primary string   `json:"primary,omitempty"` // id
	Epoch   uint64   `json:"epoch"`
	Slots   int      `json:"slots"`
	Ranges  string   `json:"slot_ranges,omitempty"`
	Flags   []string `json:"flags"`
}

// Members returns the nodes of s for printing.
func (s *State) Members() []Member {
	var out []Member
	for i := range s.Nodes {
		n := &s.Nodes[i]
		out = append(out, Member{n.ID, n.Addr, n.Role(), n.Primary, n.Epoch, n.Slots.Len(), n.Slots.String(), n.Flags})
	}
	return out
}
