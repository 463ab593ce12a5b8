package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redwingdb/redwing/internal/slots"
)

// Finding is one fault or remark of a check.
type Finding struct {
	Severity string `json:"severity"` // "error" makes the cluster unhealthy, "warning" does not
	Node     string `json:"node,omitempty"`
	Text     string `json:"text"`
}

// Report is the outcome of a check.
type Report struct {
	Nodes    int       `json:"nodes"`
	Shards   int       `json:"shards"`
	Covered  int       `json:"slots_covered"`
	Findings []Finding `json:"findings"`
}

// Healthy reports whether no finding is an error.
func (r *Report) Healthy() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == "error" })
}

func (r *Report) fault(node, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{"error", node, fmt.Sprintf(format, args...)})
}

func (r *Report) warn(node, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{"warning", node, fmt.Sprintf(format, args...)})
}

// Check asks every member for its view and reports whatever is not as it should be:
// silent or failed members, slots without an owner, members that disagree, replicas
// that do not follow, voters that are still to be enlisted, half-open slots, and, as a
// warning, primaries without a replica.
func Check(ctx context.Context, c *Conns, seed string) (*Report, error) {
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	r := &Report{Nodes: len(st.Nodes), Findings: []Finding{}}
	parts := make([]Report, len(st.Nodes))
	covered := st.Covered()
	r.Covered = covered.Len()
	if r.Covered < slots.Count {
		missing := slots.All()
		missing.Subtract(&covered)
		r.fault("", "%d slots have no owner: %s", slots.Count-r.Covered, abbreviate(missing.String()))
	}
	each(len(st.Nodes), func(i int) { parts[i].checkNode(ctx, c, st, &st.Nodes[i]) })
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("interrupted: %w", err)
	}
	for i := range parts {
		r.Findings = append(r.Findings, parts[i].Findings...)
	}
	for _, n := range st.Primaries() {
		if n.Slots.Empty() {
			continue
		}
		r.Shards++
		if len(st.ReplicasOf(n.ID)) == 0 {
			r.warn(n.Addr, "has no replica")
		}
	}
	return r, nil
}

func (r *Report) checkNode(ctx context.Context, c *Conns, st *State, n *Node) {
	own, err := c.State(ctx, n.Addr)
	if err != nil {
		r.fault(n.Addr, "does not answer%s", unlessUnreachable(err))
		return
	}
	if own.Self != n.ID {
		r.fault(n.Addr, "is node %s, not %s", shortID(own.Self), n.ShortID())
		return
	}
	if n.Failed() {
		r.fault(n.Addr, "answers, but the cluster holds it for failed (%s)", strings.Join(n.Flags, ","))
	}
	if own.Signature() != st.Signature() {
		r.fault(n.Addr, "sees another topology than %s", seedName(st))
	}
	for _, open := range n.Open {
		r.warn(n.Addr, "has a half-open slot %s", open)
	}
	info, err := c.Fields(ctx, n.Addr, "CLUSTER", "INFO")
	if err != nil {
		r.fault(n.Addr, "%v", err)
		return
	}
	if info["cluster_state"] != "ok" {
		r.fault(n.Addr, "reports cluster_state:%s", info["cluster_state"])
	}
	if has, want := info["redwing_voters"], info["redwing_voters_wanted"]; n.ID == st.Self && number(has) < number(want) {
		r.fault("", "%s of %s voters of the topology log are enlisted: until the others are, the death of one may stop the cluster", has, want)
	}
	if n.IsPrimary() {
		return
	}
	repl, err := c.Fields(ctx, n.Addr, "INFO", "replication")
	if err != nil {
		r.fault(n.Addr, "%v", err)
		return
	}
	if repl["role"] != "slave" || repl["master_link_status"] != "up" {
		r.fault(n.Addr, "is not linked to its primary (role %s, link %s)", repl["role"], repl["master_link_status"])
	}
}

// unlessUnreachable says why a node does not answer where that is not just so.
func unlessUnreachable(err error) string {
	if errors.Is(err, ErrUnreachable) {
		return ""
	}
	return " (" + err.Error() + ")"
}

func seedName(st *State) string {
	if me := st.Node(st.Self); me != nil {
		return me.Addr
	}
	return "the node that was asked"
}

// WaitHealthy waits until Check finds no error and at least want members. It returns
// ErrTimeout with what is still wrong otherwise.
func WaitHealthy(ctx context.Context, c *Conns, seed string, want int) error {
	return waitFor(ctx, c.o.Timeout, func() (bool, string, error) {
		r, err := Check(ctx, c, seed)
		switch {
		case err != nil:
			return false, err.Error(), nil
		case r.Nodes < want:
			return false, fmt.Sprintf("%d of %d nodes", r.Nodes, want), nil
		case !r.Healthy():
			return false, r.firstError(), nil
		}
		return true, "", nil
	})
}

func (r *Report) firstError() string {
	for _, f := range r.Findings {
		if f.Severity == "error" {
			return strings.TrimSpace(f.Node + " " + f.Text)
		}
	}
	return ""
}
