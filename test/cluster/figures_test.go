package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/test/realnode"
)

// TestFailoverTime kills a primary with default settings again and again and
// measures how long its slots take no writes. The bound holds for the median.
func TestFailoverTime(t *testing.T) {
	const bound = 1500 * time.Millisecond
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	cluster := start(t, 6)
	cluster.create(t, 1)
	var took []time.Duration
	for round := range rounds {
		primaries := cluster.byRole(t, "master")
		victim := primaries[round%len(primaries)]
		key := keyOf(t, victim)
		waitReplicated(t, cluster)
		d := killAndMeasure(t, cluster, victim, key)
		t.Logf("round %d: %s killed, %s takes writes again after %v", round+1, victim.Addr, key, d.Round(time.Millisecond))
		took = append(took, d)
		victim.Start()
		victim.AwaitLoaded()
		realnode.Eventually(t, 30*time.Second, func() error { return linkedReplica(victim) })
		cluster.awaitHealthy(t)
	}
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("median of %d: %v (best %v, worst %v)", rounds, median, took[0], took[len(took)-1])
	if median > bound && !raced {
		t.Errorf("median %v, want at most %v", median, bound)
	}
}

// keyOf returns a key in a slot of p.
func keyOf(t *testing.T, p *process) string {
	t.Helper()
	for i := range 100_000 {
		key := fmt.Sprintf("probe:%d", i)
		if _, err := p.ask("SET", key, "v"); err == nil {
			return key
		}
	}
	t.Fatalf("%s takes no key", p.Addr)
	return ""
}

// killAndMeasure kills victim and returns how long it took until some other node
// took a write of key. Every other node is asked all the time.
func killAndMeasure(t *testing.T, cluster nodes, victim *process, key string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	done := make(chan time.Time, len(cluster))
	var wg sync.WaitGroup
	ready := make(chan struct{})
	for _, p := range cluster {
		if p == victim {
			continue
		}
		c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, PoolSize: 1})
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer c.Close()
			<-ready
			for ctx.Err() == nil {
				if c.Set(ctx, key, "again", 0).Err() == nil {
					done <- time.Now()
					return
				}
				time.Sleep(2 * time.Millisecond) // the rate at which it is asked
			}
		}()
	}
	began := time.Now()
	victim.Kill()
	close(ready)
	defer wg.Wait()
	defer cancel()
	select {
	case at := <-done:
		return at.Sub(began)
	case <-ctx.Done():
		t.Fatalf("no node took a write of %s within 30 s", key)
		return 0
	}
}

// TestMoveUnderLoad moves 2,000 slots that hold 200,000 keys while clients write to
// them, and allows those clients no error but MOVED, unless the machine starves the nodes.
func TestMoveUnderLoad(t *testing.T) {
	const (
		bound = 10 * time.Second
		moved = 2000
		keys  = 200_000
	)
	cluster := start(t, 3)
	cluster.create(t, 0)
	source, target := cluster[0], cluster[1]
	set := slotsOf(t, source, moved)
	names := fillSlots(t, source, &set, keys)

	load := startRawWriters(t, cluster, names, 8)
	began := time.Now()
	args := []any{"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE"}
	for _, r := range set.Ranges() {
		args = append(args, int(r.From), int(r.To))
	}
	source.must(append(args, "NODE", target.must("CLUSTER", "MYID"))...)
	realnode.Eventually(t, 60*time.Second, func() error {
		if n := slotCount(t, source); n > 5462-moved {
			return fmt.Errorf("the source still owns %d slots; %s", n, source.must("CLUSTER", "GETSLOTMIGRATIONS"))
		}
		return nil
	})
	took := time.Since(began)
	t.Logf("%d slots with %d keys moved in %v while %d writes were acknowledged; longest silence of a writer %v",
		moved, keys, took.Round(time.Millisecond), load.acks.Load(), time.Duration(load.silence.Load()).Round(time.Millisecond))
	load.stop(t)
	if took > bound && !raced {
		t.Errorf("the move took %v, want at most %v", took, bound)
	}
	load.verify(t, target)
	if n := target.must("CLUSTER", "COUNTKEYSINSLOT", int(set.Ranges()[0].From)); n == "0" {
		t.Errorf("the target counts no keys in slot %d", set.Ranges()[0].From)
	}
}

// slotsOf returns the n lowest slots of p.
func slotsOf(t *testing.T, p *process, n int) slots.Set {
	t.Helper()
	if have := slotCount(t, p); have < n {
		t.Fatalf("%s owns %d slots", p.Addr, have)
	}
	return slots.SetOf(slots.Range{From: 0, To: slots.Slot(n - 1)}) // create gives the first node the lowest third
}

// fillSlots writes n keys into the slots of set and returns their names.
func fillSlots(t *testing.T, p *process, set *slots.Set, n int) []string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, DisableIdentity: true})
	defer c.Close()
	ctx := context.Background()
	names := make([]string, 0, n)
	pipe := c.Pipeline()
	for i := 0; len(names) < n; i++ {
		name := fmt.Sprintf("move:%d", i)
		if !set.Has(slots.Of([]byte(name))) {
			continue
		}
		names = append(names, name)
		pipe.Set(ctx, name, strings.Repeat("v", 64), 0)
		if len(names)%1000 == 0 || len(names) == n {
			if _, err := pipe.Exec(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	return names
}

// rawWriters write through single connections and follow MOVED by themselves, so
// that every error a client could see is seen.
type rawWriters struct {
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	acks    atomic.Int64
	silence atomic.Int64 // longest time one write took, ns
	mu      sync.Mutex
	last    map[string]int64 // newest acknowledged value by key
	bad     []error
	lapsed  int          // refusals since a lease had lapsed
	starved atomic.Int64 // the longest that a pause of pause was too long, ns
}

const (
	pause = 5 * time.Millisecond
	// starvedBy is how long the processes of a machine that has too much to do are held up;
	// leases of 600 ms, renewed by several of them in turn, may lapse then.
	starvedBy = 100 * time.Millisecond
)

func startRawWriters(t *testing.T, cluster nodes, names []string, n int) *rawWriters {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &rawWriters{cancel: cancel, last: map[string]int64{}}
	for i := range n {
		w.wg.Add(1)
		go w.write(ctx, cluster, names, i, n)
	}
	w.wg.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			time.Sleep(pause) // what is measured
			w.starved.Store(max(w.starved.Load(), int64(time.Since(began)-pause)))
		}
	})
	t.Cleanup(func() { w.cancel(); w.wg.Wait() })
	return w
}

func (w *rawWriters) write(ctx context.Context, cluster nodes, names []string, from, step int) {
	defer w.wg.Done()
	conns := map[string]*redis.Client{}
	for _, p := range cluster {
		conns[p.Addr] = redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, PoolSize: 1, ReadTimeout: 10 * time.Second})
		defer conns[p.Addr].Close()
	}
	at := cluster[0].Addr
	for v := int64(1); ctx.Err() == nil; v++ {
		for i := from; i < len(names) && ctx.Err() == nil; i += step {
			began := time.Now()
			next, err := setFollowing(ctx, conns, at, names[i], v)
			at = next
			if ctx.Err() != nil {
				return
			}
			if d := int64(time.Since(began)); d > w.silence.Load() {
				w.silence.Store(d)
			}
			w.mu.Lock()
			switch {
			case err == nil:
				w.last[names[i]] = v
				w.acks.Add(1)
			case strings.HasPrefix(err.Error(), "CLUSTERDOWN"):
				w.lapsed++
			default:
				w.bad = append(w.bad, fmt.Errorf("SET %s: %w", names[i], err))
			}
			w.mu.Unlock()
		}
	}
}

// setFollowing sends SET to the node at addr and follows MOVED, at most 5 times.
func setFollowing(ctx context.Context, conns map[string]*redis.Client, addr, key string, v int64) (at string, err error) {
	for range 5 {
		err = conns[addr].Set(ctx, key, v, 0).Err()
		var reply redis.Error
		if err == nil || !errors.As(err, &reply) || !strings.HasPrefix(reply.Error(), "MOVED ") {
			return addr, err
		}
		addr = strings.Fields(reply.Error())[2]
	}
	return addr, fmt.Errorf("sent in circles: %w", err)
}

func (w *rawWriters) stop(t *testing.T) {
	t.Helper()
	w.cancel()
	w.wg.Wait()
	starved := time.Duration(w.starved.Load())
	if w.lapsed > 0 {
		t.Logf("%d writes were refused since a lease had lapsed; processes were held up for up to %v", w.lapsed, starved)
		if !raced && starved < starvedBy {
			t.Error("no lease lapses where processes get their turns")
		}
	}
	if len(w.bad) > 0 {
		t.Errorf("clients saw %d errors other than MOVED, the first: %v", len(w.bad), w.bad[0])
	}
}

// verify reads every acknowledged write from the node that now owns the slots.
func (w *rawWriters) verify(t *testing.T, p *process) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, DisableIdentity: true})
	defer c.Close()
	ctx := context.Background()
	pipe := c.Pipeline()
	var keys []string
	check := func() {
		cmds, err := pipe.Exec(ctx)
		if err != nil {
			t.Fatalf("read back: %v", err)
		}
		for i, cmd := range cmds {
			got, err := cmd.(*redis.StringCmd).Int64()
			if err != nil || got < w.last[keys[i]] {
				t.Fatalf("%s is %d (%v), but %d was acknowledged", keys[i], got, err, w.last[keys[i]])
			}
		}
		keys = keys[:0]
	}
	for key := range w.last {
		pipe.Get(ctx, key)
		if keys = append(keys, key); len(keys) == 1000 {
			check()
		}
	}
	if len(keys) > 0 {
		check()
	}
}
