package replicas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redwingdb/redwing/test/realnode"
)

// put writes some megabytes that cannot be compressed, in keys of several types.
func put(t *testing.T, s *server, rnd *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, MaxRetries: -1, DisableIdentity: true, ReadTimeout: 20 * time.Second})
	defer c.Close()
	for range 10 {
		pipe := c.Pipeline()
		for range 200 {
			value := make([]byte, 2000)
			for i := range value {
				value[i] = byte(rnd.Uint32())
			}
			n := rnd.IntN(3000)
			pipe.Set(ctx, fmt.Sprint("s:", n), value, 0)
			pipe.RPush(ctx, fmt.Sprint("l:", n%100), value[:rnd.IntN(100)])
			pipe.HSet(ctx, fmt.Sprint("h:", n%50), fmt.Sprint(n), value[:20])
			pipe.ZAdd(ctx, "z", redis.Z{Score: float64(n), Member: n})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKillDuringFullSync kills the primary, the replica or both at a random moment of a
// full sync, with writes going on, and waits for equal data after each.
func TestKillDuringFullSync(t *testing.T) {
	t.Parallel()
	rounds := 200
	if testing.Short() {
		rounds = 4
	}
	rnd := seeded(t)
	p := node(t)
	r := node(t, p.of())
	put(t, p, rnd)
	for round := range rounds {
		r.await("master_link_status", "up")
		r.Kill()
		r.again() // it has nothing, or what does not fit: a full sync begins
		moment := time.NewTimer(time.Duration(rnd.IntN(60)) * time.Millisecond)
		stop := writeOn(p, rnd.Uint64())
		<-moment.C
		victims := [][]*server{{p}, {r}, {p, r}}[rnd.IntN(3)]
		for _, v := range victims {
			v.Kill()
		}
		stop()
		for _, v := range victims {
			v.again()
		}
		put(t, p, rnd) // a primary that was killed has lost what was not saved
		converged(t, p, r)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	if n := p.do("DBSIZE"); n == "0" {
		t.Fatal("nothing was compared")
	}
}

// writeOn writes to p, which may die, until stop is called.
func writeOn(p *server, seed uint64) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		rnd := rand.New(rand.NewPCG(seed, 2))
		c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
		defer c.Close()
		for ctx.Err() == nil {
			_ = c.Append(ctx, fmt.Sprint("s:", rnd.IntN(3000)), "more").Err()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// A replica whose primary dies in the midst of a full sync has no data rather than a part,
// and can be made a primary.
func TestPromotionAfterBrokenSync(t *testing.T) {
	t.Parallel()
	rnd := seeded(t)
	p, r := node(t), node(t)
	put(t, p, rnd)
	r.do("SET", "own", "1")
	broken := false
	for !broken {
		p.do("DEBUG", "CHANGE-REPL-ID")
		if got := r.do(args(strings.Fields(p.of()))...); !strings.HasPrefix(got, "OK") {
			t.Fatal(got)
		}
		realnode.Eventually(t, patience, func() error {
			loading, up := r.info("loading"), r.info("master_link_status")
			if loading == "1" || up == "up" {
				broken = loading == "1"
				return nil
			}
			return fmt.Errorf("loading %s, link %s", loading, up)
		})
		if !broken { // too fast to be seen: once more
			r.do("REPLICAOF", "NO", "ONE")
		}
	}
	whole := p.do("DBSIZE") // it may all have been on its way
	p.Kill()
	r.await("loading", "0")
	r.await("master_link_status", "down")
	if n := r.do("DBSIZE"); n != "0" && n != whole {
		t.Fatalf("%s keys of %s", n, whole)
	}
	r.do("REPLICAOF", "NO", "ONE")
	r.do("SET", "a", "1")
}
