package aof

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/disk/disktest"
)

// life is a script of all that an AOF does: begin, append blocks, rewrite while more are
// written, append, rewrite again, end. It returns how many blocks were acknowledged.
func life(n *node, start func() error) (acked int) {
	step := 0
	put := func(changes ...string) {
		if len(changes) == 0 {
			changes = []string{fmt.Sprintf("0/k%d=%s", step%7, strings.Repeat(fmt.Sprint(step), 1+step%40))}
		}
		step++
		end := n.s.set(changes...)
		if Policy(n.policy.Load()) == Always && n.await(end) && acked == len(n.s.history)-2 {
			acked++
		}
	}
	if start() != nil {
		return 0
	}
	for range 4 {
		put()
	}
	put("0/a=1", "0/b=1", "3/a=1")
	put("3/c=2")
	n.during = func() { put(); put("1/x=1", "0/x=2") }
	_ = n.a.Rewrite(context.Background(), true) // the crash may have come before
	n.during = nil
	put()
	put("5/long=" + strings.Repeat("abc", 700))
	_ = n.a.Rewrite(context.Background(), true)
	put()
	_ = n.a.Close()
	return acked
}

// TestCrashAnywhere ends the process at every operation that a crash can come before, and
// looks at what the next one finds: with always, all that was acknowledged, and in any
// case a beginning of what was written.
func TestCrashAnywhere(t *testing.T) {
	whole := disktest.New("/data")
	n := newNode(t, whole)
	if acked := life(n, func() error { return n.a.Rewrite(context.Background(), true) }); acked != len(n.s.history)-1 {
		t.Fatalf("%d of %d blocks acknowledged without a crash", acked, len(n.s.history)-1)
	}
	ops := len(whole.Trace())
	seeds := uint64(40)
	if testing.Short() {
		seeds = 6
	}
	for _, policy := range []Policy{Always, EverySecond} {
		for at := 0; at <= ops; at++ {
			for seed := range seeds {
				fsys := disktest.New("/data")
				fsys.Add(disktest.Rule{Ops: disktest.Changes, After: at, Crash: true})
				n := newNode(t, fsys)
				acked := life(n, func() error {
					err := n.a.Rewrite(context.Background(), true)
					if err == nil && policy != Always {
						// Nobody waits for what is put: much of it is torn off.
						n.policy.Store(int32(policy))
					}
					return err
				})
				after := fsys.Crash(seed)
				found, err := load(t, after, false)
				name := fmt.Sprintf("policy %d, crash at %d, seed %d", policy, at, seed)
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, strings.Join(fsys.Trace(), "\n"))
				}
				if got := prefix(n.s.history, found.s.data); got < acked {
					t.Fatalf("%s: acknowledged %d, found %d: %v\n%s", name, acked, got, found.s.data, strings.Join(fsys.Trace(), "\n"))
				}
				_ = found.a.Close()
			}
		}
	}
}

// TestCrashAgain crashes in the life of a node that has come back from a crash.
func TestCrashAgain(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 150
	}
	for round := range rounds {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		fsys := disktest.New("/data")
		want := map[string]string{}
		for range 4 {
			fsys.Add(disktest.Rule{Ops: disktest.Changes, After: rng.IntN(90), Crash: true})
			n, err := load(t, fsys, true)
			if err == nil && len(want) > 0 && !maps.Equal(want, n.s.data) {
				t.Fatalf("round %d: came back with %v, wanted %v", round, n.s.data, want)
			}
			acked := 0
			if err == nil {
				acked = life(n, func() error { return nil })
			} else {
				n.s.history = []map[string]string{want} // it never came up
			}
			_ = n.a.Close()
			fsys = fsys.Crash(rng.Uint64())
			found, err := load(t, fsys, false)
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if got := prefix(n.s.history, found.s.data); got < acked {
				t.Fatalf("round %d: acknowledged %d, found %d: %v", round, acked, got, found.s.data)
			}
			want = found.s.data
		}
	}
}
