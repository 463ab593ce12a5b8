package clusterctl

import (
	"context"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
)

func migrations(t *testing.T, c *Conns, addr string) []Migration {
	t.Helper()
	st := must[*State](t)(c.State(context.Background(), addr))
	return must[[]Migration](t)(c.Migrations(context.Background(), st))
}

// Whatever member is asked, the jobs of all shards are listed, each once.
func TestMigrationsOfTheWholeCluster(t *testing.T) {
	w, c := fakecluster.Formed(t, 4, 1), dial(t)
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(1).Addr, From: []string{w.Node(0).Addr}, Slots: 10})
	begin(t, w, c, ReshardOptions{To: w.Node(3).Addr, From: []string{w.Node(2).Addr}, Slots: 20})
	for _, seed := range w.Addrs() {
		jobs := migrations(t, c, seed)
		if len(jobs) != 2 {
			t.Fatalf("%s: %+v", seed, jobs)
		}
		newest := jobs[0]
		if newest.SourceAddr != w.Node(2).Addr || newest.TargetAddr != w.Node(3).Addr || newest.Count() != 20 || !newest.Running() || !newest.exported {
			t.Errorf("%s: the newest is %+v", seed, newest)
		}
	}
	w.Node(2).Kill() // the other end knows of the job as well
	if jobs := migrations(t, c, w.Node(0).Addr); len(jobs) != 2 || jobs[0].exported {
		t.Errorf("with a dead source: %+v", jobs)
	}
	w.EndMoves("")
	if jobs := migrations(t, c, w.Node(0).Addr); jobs[0].State != "success" || jobs[1].Running() {
		t.Errorf("ended: %+v", jobs)
	}
}

func TestMergeMigrations(t *testing.T) {
	source := Migration{Name: "a", State: "copy", KeysTotal: 9, exported: true, Created: 5}
	target := Migration{Name: "a", State: "stage", Created: 5, Message: "slow"}
	ended := Migration{Name: "a", State: "failed", Created: 5}
	newer := Migration{Name: "b", State: "wait", Created: 6}
	for _, c := range []struct {
		lists [][]Migration
		want  string
	}{
		{[][]Migration{{source}, {target}}, "a copy slow"},
		{[][]Migration{{target}, {source}}, "a copy slow"},
		{[][]Migration{{source}, {ended}}, "a failed "},
		{[][]Migration{{ended}, {source}}, "a failed "},
		{[][]Migration{{source}, {newer, target}}, "b wait |a copy slow"},
		{nil, ""},
	} {
		var got []string
		for _, m := range mergeMigrations(c.lists) {
			got = append(got, m.Name+" "+m.State+" "+m.Message)
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%+v: %q, want %q", c.lists, got, c.want)
		}
	}
}

func TestMigrationsNeedsOneAnswer(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), dial(t)
	w.Fail("CLUSTER GETSLOTMIGRATIONS", "ERR no")
	st := must[*State](t)(c.State(context.Background(), w.Node(0).Addr))
	_, err := c.Migrations(context.Background(), st)
	wantErr(t, err, nil, w.Node(0).Addr, w.Node(1).Addr)
}

func TestCancelAll(t *testing.T) {
	w, c := fakecluster.Formed(t, 4, 0), dial(t)
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(1).Addr, From: []string{w.Node(0).Addr}, Slots: 10})
	begin(t, w, c, ReshardOptions{To: w.Node(3).Addr, From: []string{w.Node(2).Addr}, Slots: 10})
	if jobs := must[[]Migration](t)(CancelAll(context.Background(), c, w.Node(3).Addr)); len(jobs) != 2 {
		t.Errorf("found %+v", jobs)
	}
	for _, j := range migrations(t, c, w.Node(0).Addr) {
		if j.State != "cancelled" {
			t.Errorf("%+v", j)
		}
	}
	if jobs := must[[]Migration](t)(CancelAll(context.Background(), c, w.Node(3).Addr)); len(jobs) != 0 {
		t.Errorf("a second time: %+v", jobs)
	}
}

func TestPrintMigrations(t *testing.T) {
	var b strings.Builder
	PrintMigrations(&b, []Migration{
		{Name: "0123456789ab", State: "copy", Source: "aaaaaaaaaaaa", SourceAddr: "10.0.0.1:7000", Target: "bbbbbbbbbbbb", Slots: "0-9 12", KeysDone: 3, KeysTotal: 8},
		{Name: "ba9876543210", State: "failed", SourceAddr: "10.0.0.1:7000", TargetAddr: "10.0.0.2:7000", Slots: "1-1", Message: "no room"},
	})
	const want = ` JOB       STATE   SOURCE         TARGET         SLOTS  RANGES  KEYS    MESSAGE 
 01234567  copy    10.0.0.1:7000  bbbbbbbb          11  0-9 12  3 of 8          
 ba987654  failed  10.0.0.1:7000  10.0.0.2:7000      1  1-1     -       no room 
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
