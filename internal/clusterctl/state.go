package clusterctl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/slots"
)

// Node is a member as one line of CLUSTER NODES shows it.
type Node struct {
	ID       string
	Addr     string // host:port for clients
	BusPort  int
	Hostname string
	Flags    []string // "master", "slave", "fail?", ... without "myself"
	Primary  string   // id of the primary of a replica, else ""
	Epoch    uint64
	LinkUp   bool
	Slots    slots.Set
	Open     []string // "[slot->-id]" and "[slot-<-id]" of half-open slots
}

// IsPrimary reports whether the node is a primary, with slots or without.
func (n *Node) IsPrimary() bool { return n.Primary == "" }

// Failed reports whether the cluster holds the node for dead or silent.
func (n *Node) Failed() bool {
	return slices.ContainsFunc(n.Flags, func(f string) bool { return strings.HasPrefix(f, "fail") })
}

// Role returns "primary" or "replica".
func (n *Node) Role() string {
	if n.IsPrimary() {
		return "primary"
	}
	return "replica"
}

// ShortID returns the first eight digits of the id.
func (n *Node) ShortID() string { return shortID(n.ID) }

func shortID(id string) string { return id[:min(8, len(id))] }

// State is the cluster as one of its nodes sees it.
type State struct {
	Self  string // id of the node that was asked
	Nodes []Node // primaries by lowest slot first, then by address
}

// ParseNodes parses the reply of CLUSTER NODES.
func ParseNodes(text string) (*State, error) {
	st := &State{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		node, self, err := parseNode(line)
		if err != nil {
			return nil, fmt.Errorf("CLUSTER NODES line %q: %w", line, err)
		}
		if self {
			st.Self = node.ID
		}
		st.Nodes = append(st.Nodes, node)
	}
	slices.SortFunc(st.Nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), cmp.Compare(a.Addr, b.Addr))
	})
	return st, nil
}

// order sorts primaries by their first slot, then primaries without slots, then replicas.
func (n *Node) order() int {
	switch r := n.Slots.Ranges(); {
	case !n.IsPrimary():
		return slots.Count + 1
	case len(r) == 0:
		return slots.Count
	default:
		return int(r[0].From)
	}
}

// parseNode parses "<id> <ip:port@cport[,hostname]> <flags> <primary> <ping> <pong> <epoch> <link> <slot>...".
func parseNode(line string) (n Node, self bool, err error) {
	f := strings.Fields(line)
	if len(f) < 8 {
		return n, false, fmt.Errorf("%d fields, want at least 8", len(f))
	}
	n.ID = f[0]
	addr, hostname, _ := strings.Cut(f[1], ",")
	n.Hostname, _, _ = strings.Cut(hostname, ",")
	addr, bus, _ := strings.Cut(addr, "@")
	n.Addr = addr
	if n.BusPort, err = strconv.Atoi(bus); err != nil {
		return n, false, fmt.Errorf("bus port: %w", err)
	}
	for flag := range strings.SplitSeq(f[2], ",") {
		if flag == "myself" {
			self = true
			continue
		}
		n.Flags = append(n.Flags, flag)
	}
	if f[3] != "-" {
		n.Primary = f[3]
	}
	if n.Epoch, err = strconv.ParseUint(f[6], 10, 64); err != nil {
		return n, false, fmt.Errorf("epoch: %w", err)
	}
	n.LinkUp = f[7] == "connected"
	for _, text := range f[8:] {
		if strings.HasPrefix(text, "[") {
			n.Open = append(n.Open, text)
			continue
		}
		r, err := ParseRange(text)
		if err != nil {
			return n, false, err
		}
		n.Slots.AddRange(r)
	}
	return n, self, nil
}

// ParseRange parses "5" or "5-9".
func ParseRange(text string) (slots.Range, error) {
	from, to, both := strings.Cut(text, "-")
	if !both {
		to = from
	}
	a, errA := strconv.ParseUint(from, 10, 16)
	b, errB := strconv.ParseUint(to, 10, 16)
	if errA != nil || errB != nil || a > b || b >= slots.Count {
		return slots.Range{}, fmt.Errorf("%q is not a slot range within 0-%d", text, slots.Count-1)
	}
	return slots.Range{From: slots.Slot(a), To: slots.Slot(b)}, nil
}

// Node returns the member with this id, nil if there is none.
func (s *State) Node(id string) *Node {
	for i := range s.Nodes {
		if s.Nodes[i].ID == id {
			return &s.Nodes[i]
		}
	}
	return nil
}

// shortestPrefix is how many digits of an id an operator must type at least.
const shortestPrefix = 4

// Find returns the member that an operator names: by id, by an unambiguous prefix of
// it, or by address, where a host name stands for the addresses that it resolves to.
func (s *State) Find(name string) (*Node, error) {
	if n := s.Node(name); n != nil {
		return n, nil
	}
	var found []*Node
	host, port, errAddr := splitAddr(name)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		switch {
		case n.Addr == name:
			return n, nil
		case errAddr == nil && n.listensAt(host, port), len(name) >= shortestPrefix && strings.HasPrefix(n.ID, name):
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: no member %q", ErrUsage, name)
	case 1:
		return found[0], nil
	default:
		return nil, fmt.Errorf("%w: %q fits %d members: %s", ErrUsage, name, len(found), strings.Join(addrsOf(found), ", "))
	}
}

func (n *Node) listensAt(host string, port int) bool {
	h, p, err := splitAddr(n.Addr)
	return err == nil && p == port && (n.Hostname == host || sameHost(h, host))
}

func addrsOf(list []*Node) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.Addr
	}
	return out
}

// Head returns the present primary of the shard that the member belongs to, nil if it
// is no member any more: a node that was a primary when a plan was made may have been
// replaced since.
func (s *State) Head(id string) *Node {
	n := s.Node(id)
	if n != nil && !n.IsPrimary() {
		return s.Node(n.Primary)
	}
	return n
}

// Primaries returns the primaries in the order of State.Nodes.
func (s *State) Primaries() []*Node {
	var out []*Node
	for i := range s.Nodes {
		if s.Nodes[i].IsPrimary() {
			out = append(out, &s.Nodes[i])
		}
	}
	return out
}

// ReplicasOf returns the replicas of a primary.
func (s *State) ReplicasOf(id string) []*Node {
	var out []*Node
	for i := range s.Nodes {
		if s.Nodes[i].Primary == id {
			out = append(out, &s.Nodes[i])
		}
	}
	return out
}

// Covered returns the slots that have an owner.
func (s *State) Covered() slots.Set {
	var set slots.Set
	for i := range s.Nodes {
		set.Union(&s.Nodes[i].Slots)
	}
	return set
}

// Signature is equal on two nodes exactly if they agree on the owner of every slot
// and the role of every node.
func (s *State) Signature() string {
	lines := make([]string, 0, len(s.Nodes))
	for i := range s.Nodes {
		n := &s.Nodes[i]
		lines = append(lines, n.ID+" "+n.Primary+" "+n.Slots.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
