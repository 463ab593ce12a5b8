package aof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/disk/disktest"
)

// TestCommitInPlace: where an fsync takes next to nothing, who asks for one has it when
// Commit returns, and the writer's goroutine finds nothing left to do.
func TestCommitInPlace(t *testing.T) {
	n := newNode(t, disktest.New("/data"))
	must(t, n.a.Rewrite(context.Background(), true))
	for i := range quickAfter {
		n.put(fmt.Sprintf("0/warm=%d", i))
	}
	inPlace := 0
	const writes = 1000
	for i := range writes {
		offset := n.s.set(fmt.Sprintf("0/key=%d", i))
		n.a.Commit(true)
		if synced, _ := n.a.Synced(); synced >= offset {
			inPlace++
		}
		n.await(offset)
	}
	if inPlace < writes/2 { // the goroutine may have been at it
		t.Errorf("%d of %d writes were on disk when Commit had returned", inPlace, writes)
	}
	must(t, n.a.Close())
}

// stopped is a clock that stands still.
type stopped struct{}

func (stopped) Now() time.Time                       { return time.Unix(1, 0) }
func (stopped) Mono() int64                          { return 1 }
func (stopped) After(time.Duration) <-chan time.Time { return nil }

// TestCommitHandsOver: whatever the policy, what was committed is in the file, so that it
// survives the end of the process; only Always syncs it.
func TestCommitHandsOver(t *testing.T) {
	for _, policy := range []Policy{EverySecond, Never} {
		fsys := disktest.New("/data")
		n := newNode(t, fsys)
		n.a.o.Clock = stopped{} // the goroutine waits for ever behind its first wake
		n.policy.Store(int32(policy))
		must(t, n.a.Rewrite(context.Background(), true))
		before, _ := n.a.Synced()
		late := 0
		for i := range 100 {
			offset := n.s.set(fmt.Sprintf("0/key=%d", i))
			if n.a.Commit(true); n.a.written.Load() < offset {
				late++ // the goroutine is about its first round: it takes this one, too
				for began := time.Now(); n.a.written.Load() < offset; runtime.Gosched() {
					if time.Since(began) > time.Minute {
						t.Fatalf("policy %d: nobody writes", policy)
					}
				}
			}
		}
		if late > 50 {
			t.Errorf("policy %d: %d of 100 writes were not in the file when Commit had returned", policy, late)
		}
		found, err := load(t, with(t, fsys, "", nil), false)
		must(t, err)
		if got, want := found.s.data["0/key"], "99"; got != want {
			t.Errorf("policy %d: the file has %q, want %q", policy, got, want)
		}
		if synced, _ := n.a.Synced(); synced != before {
			t.Errorf("policy %d: Commit has synced up to %d", policy, synced)
		}
		must(t, n.a.Close())
	}
}

// TestCommitFromAll lets many write and commit in every way while files are rewritten:
// all that was acknowledged is there after a crash at any time, and nobody waits for ever.
func TestCommitFromAll(t *testing.T) {
	rounds := uint64(20)
	if testing.Short() {
		rounds = 4
	}
	for seed := range rounds {
		fsys := disktest.New("/data")
		n := newNode(t, fsys)
		must(t, n.a.Rewrite(context.Background(), true))
		ctx, cancel := context.WithCancel(context.Background())
		var rewrites, writers sync.WaitGroup
		rewrites.Go(func() {
			for ctx.Err() == nil {
				if err := n.a.Rewrite(ctx, true); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrBusy) {
					t.Error(err)
				}
			}
		})
		for w := range 4 {
			writers.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(w)))
				for i := range 200 {
					if !n.put(fmt.Sprintf("%d/key%d=%d", rnd.IntN(3), w, i)) {
						t.Errorf("write %d of %d was not acknowledged", i, w)
					}
				}
			})
		}
		writers.Wait()
		cancel()
		rewrites.Wait()
		for crash := range uint64(5) {
			found, err := load(t, fsys.Crash(crash), false)
			must(t, err)
			if got := prefix(n.s.history, found.s.data); got != len(n.s.history)-1 {
				t.Fatalf("seed %d, crash %d: found the first %d of %d blocks", seed, crash, got, len(n.s.history)-1)
			}
		}
		must(t, n.a.Close())
	}
}

// TestQuick: syncs are done in passing once enough of them took little, and not for a
// while behind one that did not.
func TestQuick(t *testing.T) {
	var g group
	for range quickAfter - 1 {
		g.synced(0, 0, int64(50*time.Microsecond))
	}
	if g.quick() {
		t.Error("quick before enough syncs were measured")
	}
	if g.synced(0, 0, int64(50*time.Microsecond)); !g.quick() {
		t.Error("not quick")
	}
	if g.synced(0, 0, int64(slowSync)); g.quick() {
		t.Error("quick right behind a slow one")
	}
	for range slowPenalty {
		g.synced(0, 0, int64(50*time.Microsecond))
	}
	if !g.quick() {
		t.Error("not quick again")
	}
	for range 100 {
		g.synced(0, 0, int64(slowSync)-1)
	}
	if g.quick() {
		t.Error("quick on a slow disk")
	}
}
