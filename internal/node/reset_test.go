package node

import (
	"context"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/topology"
)

// startMember starts a cluster node whose parts the test can see.
func startMember(t *testing.T) (*Node, *running) {
	t.Helper()
	cfg, err := config.Parse(nil, []string{
		"--bind", "127.0.0.1", "--logfile", filepath.Join(t.TempDir(), "log"), "--dir", t.TempDir(),
		"--port", strconv.Itoa(freePort(t)), "--cluster-enabled", "yes",
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, port: int(cfg.Port.Get()), stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- n.Run(ctx, nil) }()
	return n, r
}

// TestReplicaAfterResetHard: a node that has drawn a new id tells its primary that one.
func TestReplicaAfterResetHard(t *testing.T) {
	primary, p := startMember(t)
	replica, r := startMember(t)
	p.awaitReply("CLUSTER ADDSLOTSRANGE 0 16383", "+OK")
	before := replica.cluster.Self()
	r.awaitReply("CLUSTER RESET HARD", "+OK")
	if replica.cluster.Self() == before {
		t.Fatal("the id is the same")
	}
	r.awaitReply("CLUSTER MEET 127.0.0.1 "+strconv.Itoa(p.port), "+OK")
	r.awaitReply("CLUSTER REPLICATE "+string(primary.cluster.Self()), "+OK")
	deadline := time.Now().Add(10 * time.Second)
	for {
		list := primary.repl.Replicas()
		if len(list) == 1 && list[0].Node == string(replica.cluster.Self()) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("attached: %+v, want node %s", list, replica.cluster.Self())
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is asked
	}
	r.end()
	p.end()
}

// TestResetsAtOnce sends several RESET HARD at the same time: what runs under the node's
// id runs once afterwards, and under the id it has then.
func TestResetsAtOnce(t *testing.T) {
	n, r := startMember(t)
	r.awaitReply("CLUSTER ADDSLOTSRANGE 0 16383", "+OK")
	const resets = 8
	var wg sync.WaitGroup
	failed := make(chan error, resets)
	for range resets {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := n.cluster.Reset(ctx, true); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	if m := n.cluster.member.Load(); m == nil || m.self != n.cluster.Self() {
		t.Errorf("parts run as %v, the node is %s", m, n.cluster.Self())
	}
	r.awaitReply("CLUSTER ADDSLOTSRANGE 0 16383", "+OK")
	r.awaitReply("SET k v", "+OK")
	// It serves, so that its driver runs; one that was left behind runs longer.
	if got := stacksWith("failover.(*Driver).Run("); got != 1 {
		t.Errorf("%d drivers of failover run, want 1", got)
	}
	r.end()
}

// stacksWith counts the goroutines whose stack has text.
func stacksWith(text string) (n int) {
	buf := make([]byte, 4<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, text) {
			n++
		}
	}
	return n
}

// syncShard is shard with synchronous writes.
func syncShard(t *testing.T, args ...string) (p, r *served) {
	t.Helper()
	p, r = shard(t, args...)
	p.is("OK", "CLUSTER", "WRITE-CONCERN", "SET", "sync-writes", "always")
	r.awaitView("the replica in sync", func(v *topology.View) bool {
		s := v.ShardOf(r.n.cluster.Self())
		return v.Config.InSyncOnly() && s.IsInSync(r.n.cluster.Self(), r.n.cluster.runID)
	})
	return p, r
}

// awaitView waits until the View that the node has applied is as wanted.
func (s *served) awaitView(what string, wanted func(v *topology.View) bool) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !wanted(s.n.cluster.View()) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the View does not show %s", what)
		}
		time.Sleep(5 * time.Millisecond) // the rate at which it is looked
	}
}

// endNow ends the node with nothing saved or handed over.
func (s *served) endNow() {
	s.t.Helper()
	s.dial().Send("SHUTDOWN", "NOW", "NOSAVE")
	if err := s.ended(); err != nil {
		s.t.Fatal(err)
	}
}

// TestReplicateOfLastInSyncCopy: a replica changes its shard only if another in-sync copy
// stays, as long as it might be needed.
func TestReplicateOfLastInSyncCopy(t *testing.T) {
	p, r := syncShard(t, "--cluster-replica-no-failover", "yes")
	other := member(t, disk.OS{}, t.TempDir())
	other.awaitReply("CLUSTER MEET 127.0.0.1 "+strconv.Itoa(p.port), "+OK")
	r.awaitView("the other node", func(v *topology.View) bool { return len(v.Nodes) == 3 })
	id := string(other.n.cluster.Self())
	p.is("OK", "SET", "only", "here")
	p.endNow()
	r.is("-ERR "+errLastInSync.Error(), "CLUSTER", "REPLICATE", id)
	if !r.n.cluster.View().ShardOf(r.n.cluster.Self()).Has(p.n.cluster.Self()) || r.do("DBSIZE") != "2" {
		t.Error("it has left its shard")
	}
	r.end()
	other.end()
}

// TestResetOfLastInSyncCopy: a replica that alone has what was acknowledged keeps it.
func TestResetOfLastInSyncCopy(t *testing.T) {
	p, r := syncShard(t)
	p.is("OK", "SET", "only", "here")
	p.endNow()
	id := r.n.cluster.Self()
	for _, how := range []string{"SOFT", "HARD"} {
		r.is("-ERR "+errLastInSync.Error(), "CLUSTER", "RESET", how)
	}
	if r.n.cluster.Self() != id || r.do("DBSIZE") != "2" {
		t.Fatalf("node %s was %s, and has %s keys", r.n.cluster.Self(), id, r.do("DBSIZE"))
	}

	// The primary comes back without memory, so the replica takes over and the primary is the
	// replica; when that has everything it may go.
	p = p.memberAgain().up()
	r.awaitInfo("role", "master")
	p.awaitInfo("master_link_status", "up")
	p.is("2", "DBSIZE")
	r.is("-ERR CLUSTER RESET can't be called with master nodes containing keys", "CLUSTER", "RESET")
	p.is("OK", "CLUSTER", "RESET")
	p.is("0", "DBSIZE")
	r.awaitIs("here", "GET", "only")
	r.end()
	p.end()
}
