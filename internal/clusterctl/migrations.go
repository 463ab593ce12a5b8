package clusterctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redwingdb/redwing/internal/slots"
)

// Migration is a slot move as CLUSTER GETSLOTMIGRATIONS reports it.
type Migration struct {
	Name      string            `json:"name"`
	Operation string            `json:"operation"`
	Slots     string            `json:"slot_ranges"`
	Source    string            `json:"source_node"`
	Target    string            `json:"target_node"`
	State     string            `json:"state"`
	Message   string            `json:"message,omitempty"`
	Fields    map[string]string `json:"fields"` // everything the node reported
}

// Running reports whether the job has not ended.
func (m *Migration) Running() bool {
	return !slices.Contains([]string{"success", "failed", "canceled", "cancelled", "committed", "aborted"}, strings.ToLower(m.State))
}

func (m *Migration) succeeded() bool {
	s := strings.ToLower(m.State)
	return s == "success" || s == "committed"
}

// Phase returns the state with the keys copied so far, where the node tells them.
func (m *Migration) Phase() string {
	if done, ok := m.Fields["keys_done"]; ok {
		return fmt.Sprintf("%s, %s of %s keys", m.State, done, m.Fields["keys_total"])
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

// Migrations returns the slot moves that the node at addr knows of, newest first.
func (c *Conns) Migrations(ctx context.Context, addr string) ([]Migration, error) {
	reply, err := c.Do(ctx, addr, "CLUSTER", "GETSLOTMIGRATIONS")
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: CLUSTER GETSLOTMIGRATIONS: unexpected reply %T", addr, reply)
	}
	var out []Migration
	for _, item := range list {
		f := flatten(item)
		out = append(out, Migration{
			Name: f["name"], Operation: f["operation"], Slots: f["slot_ranges"],
			Source: f["source_node"], Target: f["target_node"],
			State: f["state"], Message: f["message"], Fields: f,
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

// CancelMigrations cancels every running slot move whose source is at one of addrs.
func (c *Conns) CancelMigrations(ctx context.Context, addrs []string) error {
	for _, addr := range addrs {
		if _, err := c.Do(ctx, addr, "CLUSTER", "CANCELSLOTMIGRATIONS", "ALL"); err != nil {
			return err
		}
	}
	return nil
}

// CancelAll cancels every running slot move of the cluster that seed belongs to.
func CancelAll(ctx context.Context, c *Conns, seed string) error {
	st, err := c.State(ctx, seed)
	if err != nil {
		return err
	}
	var addrs []string
	for _, n := range st.Primaries() {
		if !n.Failed() {
			addrs = append(addrs, n.Addr)
		}
	}
	return c.CancelMigrations(ctx, addrs)
}
