package clusterctl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Settings are what holds for all nodes of a cluster alike: synchronous writes.
type Settings struct {
	SyncWrites        string       `json:"sync-writes"`
	SyncMinCopies     int64        `json:"sync-min-copies"` // 0: half of a shard's copies, rounded up
	SyncTimeoutMillis int64        `json:"sync-timeout"`
	Shards            []InSyncSet  `json:"shards"`
	run               string       // of the process that was asked
	names             []settingRow // as they are shown
}

type settingRow struct{ name, value string }

// InSyncSet is the in-sync set of a shard.
type InSyncSet struct {
	Shard     string   `json:"id"`
	Copies    int64    `json:"copies"`
	MinCopies int64    `json:"min_copies"`
	InSync    []string `json:"in_sync"` // node ids, the primary among them
	runs      []string // of each of InSync: which of its processes is in sync
}

// ConfirmedSettings asks a member for the settings of its cluster, and every node whether it
// is in sync as the log has it, where writes can be synchronous: elsewhere nobody keeps the
// sets.
func ConfirmedSettings(ctx context.Context, c *Conns, st *State, addr string) (*Settings, error) {
	s, err := ReadSettings(ctx, c, addr)
	if err == nil && s.SyncWrites != "no" {
		s.confirm(ctx, c, st)
	}
	return s, err
}

// ReadSettings asks a member for the settings of its cluster, and the in-sync sets as the
// log has them.
func ReadSettings(ctx context.Context, c *Conns, addr string) (*Settings, error) {
	reply, err := c.Do(ctx, addr, "CLUSTER", "WRITE-CONCERN")
	if err != nil {
		return nil, err
	}
	bad := fmt.Errorf("%s: CLUSTER WRITE-CONCERN: unexpected reply", addr)
	top, ok := pairs(reply)
	if !ok {
		return nil, bad
	}
	s := &Settings{}
	s.SyncWrites, _ = top["sync-writes"].(string)
	s.SyncMinCopies, _ = top["sync-min-copies"].(int64)
	s.SyncTimeoutMillis, _ = top["sync-timeout"].(int64)
	s.run, _ = top["run"].(string)
	s.names = []settingRow{
		{"sync-writes", s.SyncWrites}, {"sync-min-copies", fmt.Sprint(s.SyncMinCopies)}, {"sync-timeout", fmt.Sprint(s.SyncTimeoutMillis)},
	}
	shards, ok := top["shards"].([]any)
	if !ok || s.SyncWrites == "" {
		return nil, bad
	}
	for _, x := range shards {
		fields, ok := pairs(x)
		if !ok {
			return nil, bad
		}
		set := InSyncSet{}
		set.Shard, _ = fields["id"].(string)
		set.Copies, _ = fields["copies"].(int64)
		set.MinCopies, _ = fields["min-copies"].(int64)
		ids, _ := fields["in-sync"].([]any)
		runs, _ := fields["in-sync-runs"].([]any)
		if len(runs) != len(ids) {
			return nil, bad
		}
		for i, id := range ids {
			set.InSync, set.runs = append(set.InSync, fmt.Sprint(id)), append(set.runs, fmt.Sprint(runs[i]))
		}
		s.Shards = append(s.Shards, set)
	}
	return s, nil
}

// confirm leaves in the in-sync sets those nodes alone that answer and are still the process
// which the set names: the log learns of a restart a moment after it.
func (s *Settings) confirm(ctx context.Context, c *Conns, st *State) {
	run := make([]string, len(st.Nodes))
	each(len(st.Nodes), func(i int) {
		if own, err := ReadSettings(ctx, c, st.Nodes[i].Addr); err == nil {
			run[i] = own.run
		}
	})
	now := map[string]string{} // by node
	for i, n := range st.Nodes {
		now[n.ID] = run[i]
	}
	for i := range s.Shards {
		x := &s.Shards[i]
		in, runs := []string{}, []string{}
		for j, id := range x.InSync {
			if now[id] == x.runs[j] {
				in, runs = append(in, id), append(runs, x.runs[j])
			}
		}
		x.InSync, x.runs = in, runs
	}
}

// pairs turns the flat form of a map into one.
func pairs(reply any) (map[string]any, bool) {
	list, ok := reply.([]any)
	if !ok || len(list)%2 != 0 {
		return nil, false
	}
	out := make(map[string]any, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		out[fmt.Sprint(list[i])] = list[i+1]
	}
	return out, true
}

// PlanConfigure plans to change settings of the cluster: pairs of name and value.
func PlanConfigure(ctx context.Context, c *Conns, seed string, words []string) (*Plan, error) {
	now, err := ReadSettings(ctx, c, seed)
	if err != nil {
		return nil, err
	}
	p := &Plan{Title: "change settings of the cluster"}
	var change []string
	for i := 0; i+1 < len(words); i += 2 {
		at := slices.IndexFunc(now.names, func(r settingRow) bool { return strings.EqualFold(r.name, words[i]) })
		if at < 0 {
			return nil, fmt.Errorf("%w: %q is no setting of a cluster; there are sync-writes, sync-min-copies and sync-timeout", ErrUsage, words[i])
		}
		if r := now.names[at]; !strings.EqualFold(r.value, words[i+1]) {
			change = append(change, r.name, words[i+1])
			p.Notes = append(p.Notes, fmt.Sprintf("%s was %s", r.name, r.value))
		}
	}
	if len(change) > 0 {
		p.Steps = []Step{{Action: Configure, Node: seed, Settings: strings.Join(change, " ")}}
	}
	return p, nil
}

func (s Step) configure(ctx context.Context, c *Conns) error {
	args := []any{"CLUSTER", "WRITE-CONCERN", "SET"}
	for _, w := range strings.Fields(s.Settings) {
		args = append(args, w)
	}
	_, err := c.Do(ctx, s.Node, args...)
	return err
}

// PrintSettings writes the settings and a table of the in-sync sets.
func PrintSettings(w io.Writer, s *Settings, st *State) error {
	for _, r := range s.names {
		if _, err := fmt.Fprintf(w, "%-16s %s\n", r.name, r.value); err != nil {
			return err
		}
	}
	if s.SyncWrites == "no" {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	t := newTable(w, "shard", "copies", "at least", "in sync")
	for _, x := range s.Shards {
		var at []string
		for _, id := range x.InSync {
			if n := st.Node(id); n != nil {
				at = append(at, n.Addr)
			}
		}
		t.AppendRow(table.Row{shortID(x.Shard), x.Copies, x.MinCopies, strings.Join(at, " ")})
	}
	t.Render()
	return nil
}
