package replicas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/differ/generate"
	"github.com/redwingdb/redwing/test/realnode"
)

// seeded returns a source whose seed is logged.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// load runs generated commands of every type on p, over several connections, until the
// returned function is called.
func load(t *testing.T, p *server, has func(name string) bool, rnd *rand.Rand) (stop func()) {
	t.Helper()
	// redis 7.0 may loop for ever over a HyperLogLog whose bits were set by hand.
	spoils := []string{"pfadd", "setbit"}[rnd.IntN(2)]
	g := generate.New(func(name string) bool {
		bits := strings.HasPrefix(name, "bit") || slices.Contains([]string{"setbit", "setrange", "append"}, name)
		return has(name) && !blocking(name) && !(bits && spoils == "setbit") && !(strings.HasPrefix(name, "pf") && spoils == "pfadd")
	})
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	names := g.Names()
	const connections = 4
	for w := range connections {
		seed := rnd.Uint64()
		writers.Add(1)
		go func() {
			defer writers.Done()
			c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, MaxRetries: -1, PoolSize: 1, DisableIdentity: true})
			defer c.Close()
			for round := uint64(0); ctx.Err() == nil; round++ {
				pipe := c.Pipeline()
				for _, words := range g.Sequence(names[(w+int(round))%len(names)], seed+round, 60) {
					if !unfit(words) {
						pipe.Do(ctx, args(words)...)
					}
				}
				_, _ = pipe.Exec(ctx) // many of them are wrong on purpose
			}
		}()
	}
	return func() {
		cancel()
		writers.Wait()
	}
}

// unfit reports whether a command may block, or leads a redis 7.0 and its own replicas
// apart: it makes a key for a BITFIELD that fails, and does not tell them. Distances that
// each server stores by itself differ in the last digit now and then (test/differ/known.tsv).
func unfit(words []string) bool {
	has := func(word string) bool {
		return slices.ContainsFunc(words, func(s string) bool { return strings.EqualFold(s, word) })
	}
	return has("block") || has("bitfield") && has("fail") || has("storedist")
}

func args(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

func blocking(name string) bool {
	return strings.HasPrefix(name, "bl") || strings.HasPrefix(name, "br") || strings.HasPrefix(name, "bz")
}

// writesOf returns whether a command, given as "xgroup create", is one of a server's that
// write.
func writesOf(s *server) func(name string) bool {
	known := map[string]bool{}
	for name := range strings.FieldsSeq(s.do("COMMAND", "LIST", "FILTERBY", "ACLCAT", "write")) {
		known[strings.ToLower(name)] = true
	}
	return func(name string) bool { return known[strings.ReplaceAll(name, " ", "|")] || known[name] }
}

// offsetPast waits until p has written n more bytes of stream.
func offsetPast(t *testing.T, p *server, n int64) {
	t.Helper()
	offset := func() int64 {
		at, _ := strconv.ParseInt(p.info("master_repl_offset"), 10, 64)
		return at
	}
	before := offset()
	realnode.Eventually(t, patience, func() error {
		if at := offset(); at < before+n {
			return fmt.Errorf("offset %d, wanted %d more than %d", at, n, before)
		}
		return nil
	})
}

// TestEveryType attaches a replica while commands of every type are written, breaks its
// link, has it come back, and compares the data in the end: nodes and redis-servers as
// replicas of one another, by the commands that both have.
func TestEveryType(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]struct {
		primary, replica func(*testing.T, ...string) *server
	}{
		"redis follows a node":  {node, redisServer},
		"a node follows redis":  {redisServer, node},
		"a node follows a node": {node, node},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := seeded(t)
			backlog := "repl-backlog-size 64mb"
			p, r := make.primary(t, backlog), make.replica(t, backlog)
			ofPrimary, ofReplica := writesOf(p), writesOf(r)
			stop := load(t, p, func(name string) bool { return ofPrimary(name) && ofReplica(name) }, rnd)
			defer stop()
			bytes := int64(3_000_000)
			if testing.Short() {
				bytes = 1_000_000
			}
			offsetOf := func() { offsetPast(t, p, bytes) }
			p.do("CONFIG", "SET", "repl-diskless-sync-delay", "0")
			r.do(args(strings.Fields(p.of()))...)
			r.await("master_link_status", "up")
			offsetOf()
			rounds := 5
			if testing.Short() {
				rounds = 1
			}
			for range rounds {
				p.do("CLIENT", "KILL", "TYPE", "replica")
				offsetOf()
				r.await("master_link_status", "up")
			}
			stop()
			converged(t, p, r)
			if full := p.info("sync_full"); full != "1" {
				t.Fatalf("%s full syncs", full)
			}
			// A replica of the replica has what this has made of the stream.
			third := make.primary(t, r.of())
			converged(t, r, third)
		})
	}
}
