package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/realnode"
)

// clusterClient returns go-redis' unchanged cluster client.
func clusterClient(t *testing.T, addrs []string) *redis.ClusterClient {
	t.Helper()
	redis.SetLogger(silent{}) // it logs every refused connection
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, MaxRedirects: 8, ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second, DialTimeout: time.Second})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// silent is a logger of go-redis that says nothing.
type silent struct{}

// Printf drops the message.
func (silent) Printf(context.Context, string, ...any) {}

// writers write to the cluster all the time, each to keys of its own, with WAIT 1
// behind every write. A write counts as confirmed when it was acknowledged and WAIT
// said that a replica has it; a confirmed value may never be lost.
type writers struct {
	t      *testing.T
	client *redis.ClusterClient
	cancel context.CancelFunc
	wg     sync.WaitGroup
	keys   []*counterKey
	acks   atomic.Int64
	errs   sync.Map // text of an error -> *atomic.Int64
}

// counterKey is a key whose values only grow.
type counterKey struct {
	name      string
	confirmed atomic.Int64 // newest value that WAIT confirmed
	acked     atomic.Int64 // newest value that was acknowledged
	sent      atomic.Int64 // newest value that was sent at all
	lastAck   atomic.Int64 // when the newest write was acknowledged, Unix ns
	gap       atomic.Int64 // longest time without an acknowledgement, ns
}

// startWriters begins writing to n keys spread over the slots.
func startWriters(t *testing.T, addrs []string, n int) *writers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{t: t, client: clusterClient(t, addrs), cancel: cancel}
	for i := range n {
		k := &counterKey{name: "counter:" + strconv.Itoa(i)}
		w.keys = append(w.keys, k)
		w.wg.Add(1)
		go w.write(ctx, k)
	}
	t.Cleanup(w.stop)
	realnode.Eventually(t, 20*time.Second, func() error {
		for _, k := range w.keys {
			if k.confirmed.Load() == 0 {
				return fmt.Errorf("no write to %s is confirmed yet: %s", k.name, w.errors())
			}
		}
		return nil
	})
	return w
}

func (w *writers) stop() {
	w.cancel()
	w.wg.Wait()
}

func (w *writers) write(ctx context.Context, k *counterKey) {
	defer w.wg.Done()
	k.lastAck.Store(time.Now().UnixNano())
	for v := int64(1); ctx.Err() == nil; v++ {
		k.sent.Store(v)
		replicas, err := w.setAndWait(ctx, k.name, v)
		if err != nil {
			if ctx.Err() == nil {
				w.count(err)
				w.client.ReloadState(ctx)
				time.Sleep(5 * time.Millisecond) // a client's back-off between tries
			}
			continue
		}
		now := time.Now().UnixNano()
		if gap := now - k.lastAck.Swap(now); gap > k.gap.Load() {
			k.gap.Store(gap)
		}
		w.acks.Add(1)
		k.acked.Store(v)
		if replicas >= 1 {
			k.confirmed.Store(v)
		}
	}
}

// setAndWait sends SET and WAIT 1 over one connection to the key's primary.
func (w *writers) setAndWait(ctx context.Context, key string, v int64) (replicas int64, err error) {
	node, err := w.client.MasterForKey(ctx, key)
	if err != nil {
		return 0, err
	}
	pipe := node.Pipeline()
	set := pipe.Set(ctx, key, v, 0)
	wait := pipe.Do(ctx, "WAIT", 1, 200)
	_, _ = pipe.Exec(ctx) // each command has its own error
	if err := set.Err(); err != nil {
		return 0, err
	}
	if replicas, err = wait.Int64(); err != nil {
		return 0, nil // acknowledged, not confirmed
	}
	return replicas, nil
}

// count keeps errors by their first word, with what varies left out.
func (w *writers) count(err error) {
	text := err.Error()
	if word, _, ok := strings.Cut(text, " "); ok && strings.ToUpper(word) == word {
		text = word
	}
	n, _ := w.errs.LoadOrStore(text, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

// errors lists what clients have seen, by kind.
func (w *writers) errors() string {
	var b strings.Builder
	w.errs.Range(func(text, n any) bool {
		fmt.Fprintf(&b, "%d x %s; ", n.(*atomic.Int64).Load(), text)
		return true
	})
	return b.String()
}

// verify reads every key back and fails if a confirmed value was lost.
func (w *writers) verify(when string) {
	w.t.Helper()
	for _, k := range w.keys {
		confirmed := k.confirmed.Load()
		realnode.Eventually(w.t, 10*time.Second, func() error {
			got, err := w.client.Get(context.Background(), k.name).Int64()
			if err != nil {
				return err
			}
			if got < confirmed {
				w.t.Fatalf("%s: %s holds %d, but %d was confirmed", when, k.name, got, confirmed)
			}
			return nil
		})
	}
	w.t.Logf("%s: %d writes acknowledged, all confirmed ones readable; errors seen: %s", when, w.acks.Load(), w.errors())
}

// longestGap returns the longest time that any key went without an acknowledged
// write, the present silence included, and begins to measure anew.
func (w *writers) longestGap() time.Duration {
	var worst int64
	now := time.Now().UnixNano()
	for _, k := range w.keys {
		worst = max(worst, k.gap.Swap(0), now-k.lastAck.Load())
	}
	return time.Duration(worst)
}

// awaitAcked waits until every key has had an acknowledged write that was sent after
// this call.
func (w *writers) awaitAcked(limit time.Duration) {
	w.t.Helper()
	w.awaitNewer(limit, func(k *counterKey) int64 { return k.acked.Load() })
}

// awaitConfirmed is awaitAcked for writes that a replica has confirmed as well.
func (w *writers) awaitConfirmed(limit time.Duration) {
	w.t.Helper()
	w.awaitNewer(limit, func(k *counterKey) int64 { return k.confirmed.Load() })
}

func (w *writers) awaitNewer(limit time.Duration, newest func(*counterKey) int64) {
	w.t.Helper()
	for _, k := range w.keys {
		from := k.sent.Load()
		realnode.Eventually(w.t, limit, func() error {
			if newest(k) > from {
				return nil
			}
			return fmt.Errorf("%s has no new write yet; errors seen: %s", k.name, w.errors())
		})
	}
}

// loadKeys writes n keys "key:<i>" = "value:<i>" in pipelines.
func loadKeys(t *testing.T, c *redis.ClusterClient, n int) {
	t.Helper()
	ctx := context.Background()
	const batch = 1000
	for i := 0; i < n; i += batch {
		pipe := c.Pipeline()
		for j := i; j < min(n, i+batch); j++ {
			pipe.Set(ctx, fmt.Sprintf("key:%d", j), fmt.Sprintf("value:%d", j), 0)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatalf("load: %v", err)
		}
	}
}

// checkKeys reads the keys of loadKeys back. After a failover go-redis' pipelines fail
// until the client has read the slot map anew, so a batch that fails is sent again.
func checkKeys(t *testing.T, c *redis.ClusterClient, n int, when string) {
	t.Helper()
	ctx := context.Background()
	const batch = 1000
	for i := 0; i < n; i += batch {
		var cmds []redis.Cmder
		realnode.Eventually(t, 15*time.Second, func() (err error) {
			pipe := c.Pipeline()
			for j := i; j < min(n, i+batch); j++ {
				pipe.Get(ctx, fmt.Sprintf("key:%d", j))
			}
			if cmds, err = pipe.Exec(ctx); err != nil {
				c.ReloadState(ctx)
				return fmt.Errorf("%s: read back: %w", when, err)
			}
			return nil
		})
		for j, cmd := range cmds {
			if got, want := cmd.(*redis.StringCmd).Val(), fmt.Sprintf("value:%d", i+j); got != want {
				t.Fatalf("%s: key:%d is %q, want %q", when, i+j, got, want)
			}
		}
	}
}
