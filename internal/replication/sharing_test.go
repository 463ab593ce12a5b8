package replication

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/redistest"
)

// Replicas that come one after the other share a snapshot, if they are waited for.
func TestSyncDelay(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{settings: Settings{SyncDelay: time.Hour, SyncReplicas: 3}})
	c := p.dial()
	defer c.Close()
	write(c, rand.New(rand.NewPCG(5, 5)), 500, 3)
	var replicas []*node
	for range 3 {
		r := startNode(t, nodeOptions{})
		r.rep.Follow(p.target())
		replicas = append(replicas, r)
		if len(replicas) < 3 {
			eventually(t, "one more waits", func() bool { return len(p.rep.Replicas()) == len(replicas) })
		}
	}
	for _, r := range replicas {
		sameState(t, p, r)
	}
	if st := p.rep.Stats(); st.Cuts.Load() != 1 || st.SyncFull.Load() != 3 {
		t.Fatalf("%d cuts for %d full syncs", st.Cuts.Load(), st.SyncFull.Load())
	}
	// Without others the delay is waited for.
	short := *p.settings.Load()
	short.SyncDelay = 50 * time.Millisecond
	p.settings.Store(&short)
	late := startNode(t, nodeOptions{})
	late.rep.Follow(p.target())
	sameState(t, p, late)
}

// Replicas that come while another snapshot is under way share the next one, by what they
// can read; one that breaks off does not hold up the others.
func TestSharedSync(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{})
	ln := brokenPrimary(t, p)
	c := p.dial()
	defer c.Close()
	value := make([]byte, 10_000)
	rnd := rand.New(rand.NewPCG(6, 6))
	for i := range 300 {
		for j := range value {
			value[j] = byte(rnd.Uint32())
		}
		c.Do("SET", fmt.Sprint("key", i), string(value))
	}
	if _, err := p.rep.o.Turns.Take(context.Background(), persist.TurnSave, nil); err != nil {
		t.Fatal(err)
	}
	a, b, broken := startNode(t, nodeOptions{}), startNode(t, nodeOptions{}), startNode(t, nodeOptions{})
	a.rep.Follow(p.target())
	b.rep.Follow(p.target())
	broken.rep.Follow(Target{Host: "127.0.0.1", Port: ln.port})
	var redises []*redistest.Server
	for range 2 {
		redises = append(redises, redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.port())))
	}
	eventually(t, "all wait", func() bool { return len(p.rep.Replicas()) == 5 })
	p.rep.o.Turns.Done()
	sameState(t, p, a)
	sameState(t, p, b)
	for _, s := range redises {
		eventually(t, "link up", func() bool { return field(s, "replication", "master_link_status") == "up" })
	}
	ln.heal.Store(true)
	sameState(t, p, broken)
	for _, s := range redises {
		sameAsRedis(t, p, s)
	}
	if ln.broken.Load() == 0 {
		t.Fatal("none broke off")
	}
	// One for the nodes, one for the redis-servers, and one more for each try of the
	// broken one, of which the first was with the others.
	if cuts, tries := p.rep.Stats().Cuts.Load(), ln.broken.Load(); cuts > 2+tries {
		t.Fatalf("%d cuts with %d broken tries", cuts, tries)
	}
}
