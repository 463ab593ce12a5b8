package clusterctl

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
)

// dial returns connections that end with the test and give up soon.
func dial(t *testing.T) *Conns {
	t.Helper()
	c := NewConns(Options{Timeout: 3 * time.Second})
	t.Cleanup(c.Close)
	return c
}

// hasty returns connections that give up at once.
func hasty(t *testing.T) *Conns {
	t.Helper()
	c := NewConns(Options{Timeout: 150 * time.Millisecond})
	t.Cleanup(c.Close)
	return c
}

// record is a Progress that remembers.
type record struct {
	steps []string
	moved []string
}

func (r *record) Step(_, _ int, s Step)                   { r.steps = append(r.steps, string(s.Action)) }
func (r *record) Moved(_, _ int, _ float64, phase string) { r.moved = append(r.moved, phase) }
func (r *record) Copied(float64, string)                  {}
func (r *record) Say(string)                              {}
func (r *record) Done()                                   {}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func apply(t *testing.T, c *Conns, p *Plan) {
	t.Helper()
	if err := p.Apply(context.Background(), c, &record{}); err != nil {
		t.Fatal(err)
	}
}

// brief writes steps with the numbers of the nodes instead of their addresses.
func brief(w *fakecluster.World, p *Plan) string {
	var pairs []string
	for i, addr := range w.Addrs() {
		pairs = append(pairs, addr, "n"+string(rune('0'+i)))
	}
	var out []string
	for _, s := range p.Steps {
		out = append(out, strings.Join(strings.Fields(strings.NewReplacer(pairs...).Replace(s.String())), " "))
	}
	return strings.Join(out, "\n")
}

func wantSteps(t *testing.T, w *fakecluster.World, p *Plan, want ...string) {
	t.Helper()
	if got := brief(w, p); got != strings.Join(want, "\n") {
		t.Fatalf("steps:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func wantErr(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Fatalf("%v: want %v", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Fatalf("%q does not say %q", err, word)
		}
	}
}

// unchanged fails if a node was sent anything that changes it.
func unchanged(t *testing.T, w *fakecluster.World) {
	t.Helper()
	if got := w.Changes(); len(got) != 0 {
		t.Fatalf("changes: %q", got)
	}
}
