package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{})
	for _, name := range []string{"CLUSTERCTL_ADDR", "CLUSTERCTL_PASSWORD"} {
		_ = os.Unsetenv(name) // what the operator exports is not under test
	}
	os.Exit(m.Run())
}

// result is what a command line leaves.
type result struct {
	code     int
	out, err string
}

// call runs a command line; answer is what the operator types, "" if there is none to ask.
func call(ctx context.Context, answer string, args ...string) result {
	var out, errOut strings.Builder
	code := run(ctx, args, terminal{in: strings.NewReader(answer), out: &out, err: &errOut, inTTY: answer != ""})
	return result{code, out.String(), errOut.String()}
}

// on runs a command line against the first node of w.
func on(w *fakecluster.World, args ...string) result {
	return call(context.Background(), "", append([]string{"-a", w.Node(0).Addr}, args...)...)
}

func (r result) want(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, w := range words {
		if !strings.Contains(r.err, w) {
			t.Fatalf("%q is not in %q", w, r.err)
		}
	}
	if code != 0 && code != exitUnhealthy && strings.Count(r.err, "clusterctl: ") != 1 {
		t.Errorf("want one line on the error: %q", r.err)
	}
}

func TestUsage(t *testing.T) {
	w := fakecluster.Formed(t, 2, 0)
	to := w.Node(1).Addr
	for _, c := range []struct {
		args []string
		word string
	}{
		{[]string{"reshar"}, "did you mean reshard?"},
		{[]string{"dev", "sideways"}, `unknown command "sideways" for "clusterctl dev"`},
		{[]string{"status", "--nonsense"}, "unknown flag"},
		{[]string{"status", "x"}, "accepts 0 arg(s)"},
		{[]string{"status", "-o", "xml"}, "want table or json"},
		{[]string{"status", "--timeout", "0s"}, "must be positive"},
		{[]string{"-a", "nonsense", "status"}, "host:port"},
		{[]string{"create"}, "name the nodes"},
		{[]string{"create", "a:1", "a:1", "--replicas", "0"}, "named twice"},
		{[]string{"add-node"}, "accepts 1 arg(s)"},
		{[]string{"remove-node", "nobody"}, "no member"},
		{[]string{"reshard", "--slots", "1"}, "--to is missing"},
		{[]string{"reshard", "--to", to}, "--slots is missing"},
		{[]string{"reshard", "--to", to, "--slots", "x"}, "invalid argument"},
		{[]string{"reshard", "--to", to, "--slots", "0"}, "--slots 0"},
		{[]string{"rebalance", "--weight", to}, "want NODE=WEIGHT"},
		{[]string{"rebalance", "--weight", to + "=-1"}, "want NODE=WEIGHT"},
		{[]string{"rebalance", "--weight", to + "=NaN"}, "want NODE=WEIGHT"},
		{[]string{"rebalance", "--weight", to + "=1," + to + "=2"}, "once a node"},
		{[]string{"migrations", "--cancel", "--watch"}, "exclude each other"},
		{[]string{"backup"}, "one of --to and --verify"},
		{[]string{"backup", "--to", "a", "--verify", "b"}, "one of --to and --verify"},
		{[]string{"restore"}, "--from is missing"},
		{[]string{"restore", "--from", "a", "--replace"}, "--replace goes with --merge"},
		{[]string{"import"}, "--from is missing"},
		{[]string{"import", "--from", "nowhere"}, "host:port"},
		{[]string{"import", "--from", to, "--merge", "--flush"}, "exclude each other"},
		{[]string{"import", "--from", to, "--pause", "1ms"}, "at least 1s"},
		{[]string{"dev", "up", "--primaries", "0"}, "at least 1"},
		{[]string{"dev", "up", "port", "--", "--save", ""}, "come after --"},
		{[]string{"dev", "up", "port"}, "come after --"},
		{[]string{"reshard", "--to", to, "--slots", "5"}, "confirm with --yes"},
	} {
		on(w, c.args...).want(t, exitUsage, c.word)
	}
	if got := w.Changes(); len(got) != 0 {
		t.Errorf("changes: %q", got)
	}
}

// Every command has a help text with an example.
func TestHelp(t *testing.T) {
	for _, name := range []string{"", "create", "status", "nodes", "check", "add-node", "remove-node", "reshard", "rebalance", "migrations", "dev up", "dev down"} {
		r := call(context.Background(), "", append(strings.Fields(name), "--help")...)
		r.want(t, 0)
		if !strings.Contains(r.out, "Examples:\n  clusterctl ") || r.err != "" {
			t.Errorf("%q: %s", name, r.out)
		}
	}
	for _, args := range [][]string{nil, {"dev"}} {
		if r := call(context.Background(), "", args...); r.code != 0 || !strings.Contains(r.out, "Available Commands:") {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

func TestPasswordIsNotShown(t *testing.T) {
	t.Setenv("CLUSTERCTL_PASSWORD", "hush-hush")
	if r := call(context.Background(), "", "status", "--help"); strings.Contains(r.out, "hush-hush") {
		t.Error(r.out)
	}
	w := fakecluster.Formed(t, 1, 0)
	w.Node(0).SetPassword("hush-hush")
	on(w, "check").want(t, 0)
	on(w, "check", "--password", "x").want(t, exitFailed, "refuses the password")
}

func TestAddressFromTheEnvironment(t *testing.T) {
	w := fakecluster.Formed(t, 1, 0)
	t.Setenv("CLUSTERCTL_ADDR", w.Node(0).Addr)
	call(context.Background(), "", "check").want(t, 0)
}

// Of several addresses the first that answers is asked.
func TestSeveralAddresses(t *testing.T) {
	w := fakecluster.Formed(t, 2, 1)
	w.Node(3).Kill()
	list := w.Node(3).Addr + "," + w.Node(2).Addr
	call(context.Background(), "", "-a", list, "check").want(t, exitUnhealthy)
	call(context.Background(), "", "-a", list, "status").want(t, 0)
	call(context.Background(), "", "-a", w.Node(3).Addr, "-a", w.Node(2).Addr, "nodes").want(t, 0)
	call(context.Background(), "", "-a", list, "remove-node", w.Node(3).Addr, "--yes").want(t, 0)
	r := call(context.Background(), "", "-a", w.Node(3).Addr+",127.0.0.1:1", "status")
	r.want(t, exitFailed, w.Node(3).Addr+" cannot be reached", "127.0.0.1:1 cannot be reached")
}

func TestDryRun(t *testing.T) {
	w := fakecluster.Formed(t, 3, 1)
	fresh := w.Add().Addr
	for _, args := range [][]string{
		{"reshard", "--to", w.Node(2).Addr, "--slots", "10"},
		{"rebalance", "--weight", w.Node(2).Addr + "=2"},
		{"add-node", fresh, "--replica-of", w.Node(0).Addr},
		{"remove-node", w.Node(1).Addr},
		{"create", "--replicas", "0", fresh},
	} {
		r := on(w, append(args, "--dry-run")...)
		r.want(t, 0)
		if !strings.Contains(r.out, "   1. ") || r.err != "" {
			t.Errorf("%q: out %q, err %q", args, r.out, r.err)
		}
		r = on(w, append(args, "--dry-run", "-o", "json")...)
		r.want(t, 0)
		var plan struct {
			Title string
			Steps []struct{ Action, Node string }
		}
		if err := json.Unmarshal([]byte(r.out), &plan); err != nil || plan.Title == "" || len(plan.Steps) == 0 || plan.Steps[0].Action == "" || r.err != "" {
			t.Errorf("%q: %v in %s%s", args, err, r.out, r.err)
		}
	}
	if got := w.Changes(); len(got) != 0 {
		t.Errorf("changes: %q", got)
	}
}

func TestConfirm(t *testing.T) {
	w := fakecluster.Formed(t, 2, 0)
	args := []string{"-a", w.Node(0).Addr, "reshard", "--to", w.Node(1).Addr, "--slots", "10"}
	for _, answer := range []string{"no\n", "\n", "yep\n", "y?"} {
		call(context.Background(), answer, args...).want(t, exitFailed, "not confirmed, nothing was changed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.OnMove(func() { t.Error("a move was begun") })
	cancel()
	call(ctx, "yes\n", args...).want(t, exitFailed, "interrupted")
	if got := w.Changes(); len(got) != 0 {
		t.Fatalf("changes: %q", got)
	}
	w.OnMove(nil)
	for _, answer := range []string{"yes\n", "Y"} {
		r := call(context.Background(), answer, args...)
		r.want(t, 0, "apply this plan? (yes/no)", "10 of 10 slots, done")
		if r.out != "" {
			t.Errorf("on standard output: %q", r.out)
		}
	}
}

func TestChangeAsJSON(t *testing.T) {
	w := fakecluster.Formed(t, 2, 0)
	r := on(w, "reshard", "--to", w.Node(1).Addr, "--slots", "10", "--yes", "-o", "json")
	r.want(t, 0)
	if !json.Valid([]byte(r.out)) || !strings.Contains(r.out, `"slots": "0-9"`) {
		t.Errorf("out %s", r.out)
	}
}

func TestCreateTwice(t *testing.T) {
	w := fakecluster.New(t, 6)
	args := append([]string{"create", "--yes"}, w.Addrs()...)
	on(w, args...).want(t, 0, "create a cluster of 3 primaries and 3 replicas")
	on(w, "check").want(t, 0)
	before := w.Changes()
	on(w, args...).want(t, 0, "nothing to do")
	if got := w.Changes(); !slices.Equal(got, before) {
		t.Errorf("changes: %q", got[len(before):])
	}
}

func TestUnhealthy(t *testing.T) {
	w := fakecluster.Formed(t, 2, 1)
	r := on(w, "check")
	r.want(t, 0)
	if r.out != "healthy: 4 nodes, 2 shards, 16384 of 16384 slots covered\n" {
		t.Errorf("out %q", r.out)
	}
	w.Node(3).Kill()
	r = on(w, "check")
	r.want(t, exitUnhealthy)
	if !strings.Contains(r.out, "does not answer") || !strings.Contains(r.out, "unhealthy: ") || r.err != "" {
		t.Errorf("out %q, err %q", r.out, r.err)
	}
	r = on(w, "check", "-o", "json")
	r.want(t, exitUnhealthy)
	var report struct {
		Nodes    int
		Findings []struct{ Severity, Node, Text string }
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.Nodes != 4 || len(report.Findings) == 0 {
		t.Errorf("%v in %s", err, r.out)
	}
	// Looking is possible all the same.
	on(w, "status").want(t, 0)
	on(w, "nodes").want(t, 0)
	call(context.Background(), "", "-a", w.Node(3).Addr, "status").want(t, exitFailed, w.Node(3).Addr+" cannot be reached: connection refused")
}

// The cluster changes while the operator ponders.
func TestStale(t *testing.T) {
	w := fakecluster.Formed(t, 2, 1)
	var out, errOut strings.Builder
	code := run(context.Background(), []string{"-a", w.Node(0).Addr, "--timeout", "100ms", "reshard", "--to", w.Node(1).Addr, "--slots", "10"},
		terminal{in: ponder(func() { w.FailOver(w.Node(0), w.Node(2)) }), out: &out, err: &errOut, inTTY: true})
	result{code, out.String(), errOut.String()}.want(t, exitStale, "the cluster has changed since the plan was made")
	if got := w.Changes(); len(got) != 0 {
		t.Errorf("changes: %q", got)
	}
}

// ponder is an operator who says yes after something has happened.
type ponder func()

func (p ponder) Read(b []byte) (int, error) {
	p()
	return copy(b, "yes\n"), nil
}

func TestTimeout(t *testing.T) {
	w := fakecluster.Formed(t, 2, 0)
	w.SlowMoves(-1)
	on(w, "--timeout", "100ms", "reshard", "--to", w.Node(1).Addr, "--slots", "10", "--yes").want(t, exitTimeout, "no progress for 100ms")
}

func TestFailed(t *testing.T) {
	w := fakecluster.Formed(t, 2, 0)
	w.Fail("CLUSTER MIGRATESLOTS", "ERR no")
	on(w, "--timeout", "100ms", "reshard", "--to", w.Node(1).Addr, "--slots", "10", "--yes").want(t, exitFailed, "ERR no")
	call(context.Background(), "", "-a", "127.0.0.1:1", "migrations").want(t, exitFailed, "cannot be reached")
}

func TestMigrations(t *testing.T) {
	w := fakecluster.Formed(t, 3, 0)
	if r := on(w, "migrations", "-o", "json"); r.code != 0 || r.out != "[]\n" {
		t.Errorf("of nothing: %+v", r)
	}
	w.SlowMoves(-1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.OnMove(cancel)
	reshard := []string{"-a", w.Node(0).Addr, "reshard", "--to", w.Node(2).Addr, "--from", w.Node(1).Addr, "--slots", "10", "--yes"}
	call(ctx, "", reshard...).want(t, exitFailed, "interrupted", "migrations --watch")

	// Node 0 is no end of it.
	r := on(w, "migrations")
	r.want(t, 0)
	if !strings.Contains(r.out, "copy") || !strings.Contains(r.out, w.Node(1).Addr) {
		t.Errorf("out %s", r.out)
	}
	w.SlowMoves(2)
	r = on(w, "migrations", "--watch", "-o", "json")
	r.want(t, 0, "of 10 slots")
	var jobs []struct {
		State      string
		SourceAddr string `json:"source_addr"`
	}
	if err := json.Unmarshal([]byte(r.out), &jobs); err != nil || len(jobs) != 1 || jobs[0].State != "success" || jobs[0].SourceAddr != w.Node(1).Addr {
		t.Errorf("%v in %s", err, r.out)
	}

	w.SlowMoves(-1)
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	w.OnMove(cancel)
	call(ctx, "", reshard...).want(t, exitFailed, "interrupted")
	on(w, "migrations", "--cancel").want(t, 0, "cancelled 1 moves")
	on(w, "migrations", "--cancel").want(t, 0, "cancelled 0 moves")
}

func TestStatusAndNodesAsJSON(t *testing.T) {
	w := fakecluster.Formed(t, 2, 1)
	var status struct {
		Covered int `json:"slots_covered"`
		Nodes   []struct{ Addr, Role string }
	}
	if r := on(w, "status", "-o", "json"); json.Unmarshal([]byte(r.out), &status) != nil || status.Covered != 16384 || len(status.Nodes) != 4 {
		t.Errorf("%+v", r)
	}
	var nodes []struct {
		Addr  string
		Slots int
		Flags []string
	}
	if r := on(w, "nodes", "-o", "json"); json.Unmarshal([]byte(r.out), &nodes) != nil || len(nodes) != 4 || nodes[0].Slots != 8192 {
		t.Errorf("%+v", r)
	}
}

func TestExitCodesAreFixed(t *testing.T) {
	if got := [...]int{exitFailed, exitUsage, exitUnhealthy, exitStale, exitTimeout}; got != [...]int{1, 2, 3, 5, 6} {
		t.Errorf("exit codes %v: scripts rely on them", got)
	}
}
