package replicas

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/test/realnode"
)

// sentinel starts a redis-sentinel that watches p.
func sentinel(t *testing.T, p *server) *server {
	t.Helper()
	return &server{realnode.Run(t, realnode.Options{
		Program: redistest.Lookup(t, "redis-server"), Args: []string{"--sentinel"},
		Lines: []string{
			fmt.Sprintf("sentinel monitor shop 127.0.0.1 %d 2", p.Port),
			"sentinel down-after-milliseconds shop 1000",
			"sentinel failover-timeout shop 20000",
		},
	}), "sentinel"}
}

// writer writes through the failover client of go-redis until its context ends.
type writer struct {
	done   chan struct{}
	acked  atomic.Int64 // writes that were confirmed
	failed atomic.Int64
}

func (w *writer) run(ctx context.Context, c *redis.Client) {
	defer close(w.done)
	pace := time.NewTicker(2 * time.Millisecond) // the processes around it want the cores, too
	defer pace.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		<-pace.C
		if err := c.Set(ctx, "key:"+strconv.Itoa(i%500), i, 0).Err(); err != nil {
			w.failed.Add(1)
		} else {
			w.acked.Add(1)
		}
	}
}

// progress waits until the writer has had more writes confirmed.
func (w *writer) progress(t *testing.T) {
	t.Helper()
	before := w.acked.Load()
	realnode.Eventually(t, patience, func() error {
		if w.acked.Load() < before+20 {
			return fmt.Errorf("no write is confirmed; %d have failed", w.failed.Load())
		}
		return nil
	})
}

// Three sentinels watch a primary and two replicas, and replace a primary that was
// killed and one that does not answer; both come back as replicas.
func TestSentinel(t *testing.T) {
	t.Parallel()
	p := node(t)
	nodes := []*server{p, node(t, p.of()), node(t, p.of())}
	var sentinels []*server
	var addrs []string
	for range 3 {
		s := sentinel(t, p)
		sentinels, addrs = append(sentinels, s), append(addrs, s.Addr)
	}
	for _, s := range sentinels {
		realnode.Eventually(t, patience, func() error {
			text, err := s.try("SENTINEL", "MASTER", "shop")
			if !strings.Contains(text, " num-slaves 2 ") || !strings.Contains(text, " num-other-sentinels 2 ") {
				return fmt.Errorf("%s (%v)", text, err)
			}
			return nil
		})
	}

	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "shop", SentinelAddrs: addrs, MaxRetries: -1})
	defer client.Close()
	ctx, stop := context.WithCancel(context.Background())
	w := &writer{done: make(chan struct{})}
	go w.run(ctx, client)
	ended := sync.OnceFunc(func() {
		stop()
		<-w.done
	})
	defer ended()
	w.progress(t)

	// primary returns the one that all sentinels agree upon, which is not old.
	primary := func(old *server) (found *server) {
		t.Helper()
		realnode.Eventually(t, patience, func() error {
			found = nil
			for _, s := range sentinels {
				addr, err := s.try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop")
				if err != nil {
					return err
				}
				for _, n := range nodes {
					if n != old && addr == "127.0.0.1 "+strconv.Itoa(n.Port) && (found == nil || found == n) {
						found = n
						break
					}
				}
			}
			if found == nil || found.info("role") != "master" {
				return errors.New("the sentinels have no new primary")
			}
			return nil
		})
		return found
	}

	began := time.Now()
	p.Kill()
	second := primary(p)
	w.progress(t)
	t.Logf("after a kill writes go on within %v", time.Since(began))
	p.again() // a primary, as its file says
	p.await("role", "slave")
	p.await("master_port", strconv.Itoa(second.Port))
	p.await("master_link_status", "up")

	began = time.Now()
	second.Signal(syscall.SIGSTOP)
	third := primary(second)
	w.progress(t)
	t.Logf("after a stop writes go on within %v", time.Since(began))
	second.Signal(syscall.SIGCONT)
	second.await("role", "slave")
	w.progress(t)
	ended()
	for _, n := range nodes {
		if n != third {
			n.await("master_port", strconv.Itoa(third.Port))
			converged(t, third, n)
		}
	}
	// What sentinels have told the nodes stands in their files.
	second.Kill()
	second.again()
	second.await("role", "slave")
	converged(t, third, second)
}
