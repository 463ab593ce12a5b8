package clusterctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redwingdb/redwing/internal/slots"
)

// Migration is a slot move as the nodes at its two ends report it in CLUSTER
// GETSLOTMIGRATIONS.
type Migration struct {
	Name        string `json:"name"`
	State       string `json:"state"`
	Source      string `json:"source_node"` // id of the present primary of that shard
	Target      string `json:"target_node"`
	SourceAddr  string `json:"source_addr,omitempty"`
	TargetAddr  string `json:"target_addr,omitempty"`
	Slots       string `json:"slot_ranges"`
	KeysDone    int64  `json:"keys_done"` // copied, while the job runs
	KeysTotal   int64  `json:"keys_total"`
	BehindBytes int64  `json:"remaining_repl_size"` // writes that the target has not applied
	Created     int64  `json:"create_time"`         // Unix seconds
	Updated     int64  `json:"last_update_time"`
	Message     string `json:"message,omitempty"`

	exported bool // reported by the source
}

// Running reports whether the job has not ended.
func (m *Migration) Running() bool {
	return !slices.Contains([]string{"success", "failed", "canceled", "cancelled"}, strings.ToLower(m.State))
}

func (m *Migration) succeeded() bool { return strings.EqualFold(m.State, "success") }

// Count returns how many slots the job moves.
func (m *Migration) Count() int {
	set, err := parseRanges(m.Slots)
	if err != nil {
		return 0
	}
	return set.Len()
}

// Phase returns the state, of a running job with the keys copied so far.
func (m *Migration) Phase() string {
	if m.Running() && m.KeysTotal > 0 {
		return fmt.Sprintf("%s, %d of %d keys", m.State, m.KeysDone, m.KeysTotal)
	}
	return m.State
}

func (m *Migration) covers(left *slots.Set) bool {
	set, err := parseRanges(m.Slots)
	return err == nil && set.Intersects(left)
}

func parseRanges(text string) (slots.Set, error) {
	var set slots.Set
	for f := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		r, err := ParseRange(f)
		if err != nil {
			return set, err
		}
		set.AddRange(r)
	}
	return set, nil
}

// Migrations returns the slot moves of the whole cluster, newest first. A node lists
// the jobs of its own shard only, so one live node of every shard is asked; of the
// reports on one job the one that knows most is taken. Nodes that do not answer leave
// the listing to the other ends of their jobs; it fails only if nobody answers.
func (c *Conns) Migrations(ctx context.Context, st *State) ([]Migration, error) {
	addrs := st.witnesses()
	lists := make([][]Migration, len(addrs))
	errs := make([]error, len(addrs))
	each(len(addrs), func(i int) { lists[i], errs[i] = c.migrationsOf(ctx, addrs[i]) })
	if err := errors.Join(errs...); err != nil && (ctx.Err() != nil || !slices.Contains(errs, nil)) {
		return nil, err
	}
	jobs := mergeMigrations(lists)
	for i := range jobs {
		j := &jobs[i]
		if n := st.Node(j.Source); n != nil {
			j.SourceAddr = n.Addr
		}
		if n := st.Node(j.Target); n != nil {
			j.TargetAddr = n.Addr
		}
	}
	return jobs, nil
}

// witnesses returns the address of a live node of each shard, its primary if that lives.
func (s *State) witnesses() []string {
	var out []string
	for _, p := range s.Primaries() {
		for _, n := range append([]*Node{p}, s.ReplicasOf(p.ID)...) {
			if !n.Failed() {
				out = append(out, n.Addr)
				break
			}
		}
	}
	return out
}

func (c *Conns) migrationsOf(ctx context.Context, addr string) ([]Migration, error) {
	reply, err := c.Do(ctx, addr, "CLUSTER", "GETSLOTMIGRATIONS")
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: CLUSTER GETSLOTMIGRATIONS: unexpected reply %T", addr, reply)
	}
	out := make([]Migration, 0, len(list))
	for _, item := range list {
		f := flatten(item)
		out = append(out, Migration{
			Name: f["name"], State: f["state"], Source: f["source_node"], Target: f["target_node"], Slots: f["slot_ranges"],
			KeysDone: number(f["keys_done"]), KeysTotal: number(f["keys_total"]), BehindBytes: number(f["remaining_repl_size"]),
			Created: number(f["create_time"]), Updated: number(f["last_update_time"]), Message: f["message"],
			exported: strings.EqualFold(f["operation"], "export"),
		})
	}
	return out, nil
}

// flatten turns a RESP2 list of name, value, ... or a map into strings.
func flatten(item any) map[string]string {
	out := map[string]string{}
	switch v := item.(type) {
	case []any:
		for i := 0; i+1 < len(v); i += 2 {
			out[fmt.Sprint(v[i])] = fmt.Sprint(v[i+1])
		}
	case map[any]any:
		for name, value := range v {
			out[fmt.Sprint(name)] = fmt.Sprint(value)
		}
	}
	return out
}

// mergeMigrations makes one record a job of what its ends say, newest first.
func mergeMigrations(lists [][]Migration) []Migration {
	at := map[string]int{}
	out := []Migration{}
	for _, list := range lists {
		for _, m := range list {
			i, seen := at[m.Name]
			if !seen {
				at[m.Name] = len(out)
				out = append(out, m)
				continue
			}
			out[i] = better(out[i], m)
		}
	}
	slices.SortStableFunc(out, func(a, b Migration) int { return cmp.Compare(b.Created, a.Created) })
	return out
}

// better returns the record of a job that knows more: an end is final, whoever has
// seen it; until then the source knows how many keys there are.
func better(a, b Migration) Migration {
	if a.Running() != b.Running() {
		if b.Running() {
			a, b = b, a
		}
	} else if a.exported && !b.exported {
		a, b = b, a
	}
	b.Message = cmp.Or(b.Message, a.Message)
	return b
}

// CancelAll cancels every running slot move of the cluster that seed belongs to and
// returns the jobs that it found running. A move that commits first stays done.
func CancelAll(ctx context.Context, c *Conns, seed string) ([]Migration, error) {
	st, b, err := survey(ctx, c, seed)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, n := range st.Primaries() {
		if n.Failed() || !slices.ContainsFunc(b.jobs, func(j Migration) bool { return j.Source == n.ID }) {
			continue
		}
		if _, err := c.Do(ctx, n.Addr, "CLUSTER", "CANCELSLOTMIGRATIONS", "ALL"); err != nil {
			errs = append(errs, err)
		}
	}
	return b.jobs, errors.Join(errs...)
}
