package ctl

import (
	"bufio"
	"strings"
	"syscall"
	"testing"
)

func TestReshardAndRebalance(t *testing.T) {
	d := newDev(t, 3, 0, 0)
	d.up()
	before := d.members()
	d.ctl("reshard", "--to", d.addr(2), "--slots", "100", "--dry-run").want(t, 0, "gives 50 slots to")
	if after := d.members(); after[d.addr(2)] != before[d.addr(2)] {
		t.Fatalf("a dry run has moved slots: %+v", after)
	}
	d.ctl("reshard", "--to", d.addr(2), "--slots", "100").want(t, 2, "confirm with --yes")
	d.ctl("rebalance", "--weight", d.addr(2)+"=2", "--yes").want(t, 0, "done")
	if got := d.members()[d.addr(2)].Slots; got != 8192 {
		t.Errorf("weight 2 of 4 is %d slots", got)
	}
	d.ctl("rebalance", "--weight", d.addr(2)+"=2", "--yes").want(t, 0, "nothing to do")
	d.ctl("rebalance", "--yes").want(t, 0)
	if got := d.members()[d.addr(2)].Slots; got < 5461 || got > 5462 {
		t.Errorf("a third is %d slots", got)
	}
	d.ctl("check").want(t, 0)
}

// A reshard is interrupted while its moves run: they go on, whatever member is asked
// shows them, and the same command follows them to their end.
func TestInterruptedReshard(t *testing.T) {
	// A move ends only when the target's linked replicas have its keys: one that stands
	// still holds it, until it counts as gone.
	d := newDev(t, 3, 1, 0, "--cluster-node-timeout", "20000")
	d.up()
	stand := d.replicaOf(2)
	d.signal(stand, syscall.SIGSTOP)
	defer d.signal(stand, syscall.SIGCONT)

	args := []string{"-a", d.addr(1), "reshard", "--to", d.addr(2), "--slots", "2000", "--yes"}
	d.interruptWhenMoving(args).want(t, 1, "interrupted", "run the same command again")
	jobs := d.jobs()
	if len(jobs) != 2 || jobs[0].TargetAddr != d.addr(2) || jobs[0].State == "success" || jobs[0].SourceAddr == jobs[1].SourceAddr {
		t.Fatalf("jobs %+v", jobs)
	}
	d.interruptWhenMoving(args).want(t, 1, "2000 of these slots are moving already", "interrupted")
	d.interruptWhenMoving([]string{"-a", d.addr(0), "migrations", "--watch"}).want(t, 1, "interrupted")

	again := command(args...)
	d.whenMoving(again, func() { d.signal(stand, syscall.SIGCONT) }).want(t, 0, "2000 of 2000 slots, done")
	if got := d.members()[d.addr(2)].Slots; got != 5462+2000 {
		t.Errorf("the target owns %d slots", got)
	}
	if jobs := d.jobs(); len(jobs) != 2 || jobs[0].State != "success" || jobs[1].State != "success" {
		t.Errorf("jobs %+v", jobs)
	}
	d.ctl("migrations", "--watch").want(t, 0)
	d.ctl("migrations", "--cancel").want(t, 0, "cancelled 0 moves")
}

// Cancelled moves leave their slots where they are.
func TestCancel(t *testing.T) {
	d := newDev(t, 2, 1, 0, "--cluster-node-timeout", "20000")
	d.up()
	stand := d.replicaOf(1)
	d.signal(stand, syscall.SIGSTOP)
	defer d.signal(stand, syscall.SIGCONT)
	r := command("-a", d.addr(0), "reshard", "--to", d.addr(1), "--slots", "10", "--yes")
	d.whenMoving(r, func() { ctl("-a", d.addr(1), "migrations", "--cancel").want(t, 0, "cancelled 1 moves") }).
		want(t, 1, "ended before 10 slots had moved: cancelled")
	if got := d.members()[d.addr(0)].Slots; got != 8192 {
		t.Errorf("the source owns %d slots", got)
	}
}

// replicaOf returns the number of the replica of node i.
func (d *dev) replicaOf(i int) int {
	d.t.Helper()
	m := d.members()
	for k := range len(m) {
		if m[d.addr(k)].Primary == m[d.addr(i)].ID {
			return k
		}
	}
	d.t.Fatalf("%s has no replica: %+v", d.addr(i), m)
	return 0
}

func (d *dev) signal(i int, sig syscall.Signal) {
	d.t.Helper()
	if err := syscall.Kill(d.pid(i), sig); err != nil {
		d.t.Fatal(err)
	}
}

// whenMoving runs the tool and calls f when it shows the progress of a move.
func (d *dev) whenMoving(r *running, f func()) result {
	d.t.Helper()
	pipe, err := r.pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	called := false
	for lines.Scan() {
		r.err.WriteString(lines.Text() + "\n")
		if !called && strings.HasPrefix(lines.Text(), "      ") && strings.Contains(lines.Text(), " slots, ") {
			called = true
			f()
		}
	}
	out := r.wait()
	if !called {
		d.t.Fatalf("no progress was shown: %s", out)
	}
	return out
}

// interruptWhenMoving presses ^C when the tool shows the progress of a move.
func (d *dev) interruptWhenMoving(args []string) result {
	d.t.Helper()
	r := command(args...)
	return d.whenMoving(r, func() {
		if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
			d.t.Error(err)
		}
	})
}
