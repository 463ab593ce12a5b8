package engine

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/slots"
)

// describe writes all that a stream of an entry holds.
func describe(e *Entry) string {
	var b strings.Builder
	x := e.Stream()
	fmt.Fprintf(&b, "%+v\n", x.Counters)
	_ = x.EachNode(func(master stream.ID, lp []byte) error {
		live, deleted, last, err := stream.Validate(master, lp)
		fmt.Fprintf(&b, "node %v %d %d %v %v %x\n", master, live, deleted, last, err, lp)
		return err
	})
	_ = x.EachGroup(func(g EntryGroup) error {
		fmt.Fprintf(&b, "group %s %v %d %d\n", g.Name, g.Last, g.Read, g.Pending)
		_ = g.EachPending(func(id stream.ID, at int64, n uint64, _ int) error {
			fmt.Fprintf(&b, "  %v %d %d\n", id, at, n)
			return nil
		})
		return g.EachConsumer(func(c EntryConsumer) error {
			fmt.Fprintf(&b, "  consumer %s %d %d %d\n", c.Name, c.Seen, c.Active, c.Pending)
			return c.EachPending(func(id stream.ID) error {
				fmt.Fprintf(&b, "    %v\n", id)
				return nil
			})
		})
	})
	return b.String()
}

// reload makes the stream of e at key in the way a file of it is loaded.
func reload(t *testing.T, a *Access, key []byte, e *Entry) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var to Stream
	_, err := to.Open(a, slots.Of(key), key)
	check(err)
	check(to.Make())
	s, x := to.Edit(), e.Stream()
	check(x.EachNode(s.Load))
	check(s.Finish(x.Counters))
	check(x.EachGroup(func(eg EntryGroup) error {
		g, _, err := s.CreateGroup(eg.Name, eg.Last, eg.Read)
		check(err)
		check(eg.EachPending(func(id stream.ID, at int64, n uint64, _ int) error {
			if ok, err := g.Expect(id, at, n); !ok {
				t.Fatal(id, err)
			}
			return nil
		}))
		check(eg.EachConsumer(func(ec EntryConsumer) error {
			c, _, err := g.CreateConsumer(ec.Name, ec.Seen)
			check(err)
			c.SetActive(ec.Active)
			return ec.EachPending(func(id stream.ID) error {
				if ok, err := g.Assign(id, c); !ok {
					t.Fatal(id, err)
				}
				return nil
			})
		}))
		if n := g.DropExpected(); n != 0 {
			t.Fatalf("%d pending of nobody", n)
		}
		return nil
	}))
}

func describeKey(t *testing.T, a *Access, key []byte) string {
	t.Helper()
	var b Batch
	e, ok := a.Entry(slots.Of(key), key, &b)
	if !ok || e.Type != TypeStream || e.Encoding != EncStream {
		t.Fatalf("%s: %v %v %v", key, ok, e.Type, e.Encoding)
	}
	return describe(&e)
}

// A stream is the same in a copy, reloaded from an entry, and in a snapshot whatever is
// done to it after the cut; nothing is left in the arena at the end.
func TestStreamInKeyspace(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 2))
		k := newKeyspace(t, Options{Shards: 2, Seed: seed})
		a := k.Access(0, 1000, ModePrimary)
		key := []byte("stream")
		all := k.AllShards()
		k.Lock(all)
		var x Stream
		if found, err := x.Open(&a, slots.Of(key), key); found || err != nil {
			t.Fatal(found, err)
		}
		if err := x.Make(); err != nil {
			t.Fatal(err)
		}
		next := stream.ID{Ms: 1}
		grow := func(n int) {
			if _, err := x.Open(&a, slots.Of(key), key); err != nil {
				t.Fatal(err)
			}
			s := x.Edit()
			for range n {
				next.Seq++
				value := make([]byte, r.IntN(100))
				if r.IntN(50) == 0 {
					value = make([]byte, 50_000)
				}
				if err := s.Append(next, [][]byte{[]byte("f"), value}, x.StreamLimits()); err != nil {
					t.Fatal(err)
				}
				g, _, err := s.CreateGroup(fmt.Appendf(nil, "group%d", r.IntN(3)), next, int64(r.IntN(9)))
				if err != nil {
					t.Fatal(err)
				}
				c, _, err := g.CreateConsumer(fmt.Appendf(nil, "consumer%d", r.IntN(5)), int64(r.IntN(1000)))
				if err != nil {
					t.Fatal(err)
				}
				if err := g.Deliver(next, c, int64(r.IntN(1000)), r.Uint64N(5)); err != nil {
					t.Fatal(err)
				}
				if r.IntN(3) == 0 {
					g.Ack(stream.ID{Ms: 1, Seq: r.Uint64N(next.Seq)})
				}
				if r.IntN(9) == 0 {
					if _, err := s.Delete(stream.ID{Ms: 1, Seq: r.Uint64N(next.Seq)}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		grow(600)
		want := describeKey(t, &a, key)
		k.Unlock(all)

		snap, err := k.Snapshot(SnapshotOptions{DB: -1})
		if err != nil {
			t.Fatal(err)
		}
		k.Lock(all)
		grow(300)
		if _, _, err := x.Edit().Trim(stream.Trim{MaxLen: 50}); err != nil {
			t.Fatal(err)
		}
		changed := describeKey(t, &a, key)
		if err := a.Copy(slots.Of(key), key, 0, slots.Of([]byte("copy")), []byte("copy")); err != nil {
			t.Fatal(err)
		}
		if got := describeKey(t, &a, []byte("copy")); got != changed {
			t.Errorf("seed %d: the copy differs", seed)
		}
		var b Batch
		e, _ := a.Entry(slots.Of(key), key, &b)
		reload(t, &a, []byte("loaded"), &e)
		if got := describeKey(t, &a, []byte("loaded")); got != changed {
			t.Errorf("seed %d: the reloaded stream differs:\n%s\n%s", seed, got, changed)
		}
		if err := a.Rename(slots.Of(key), key, slots.Of([]byte("renamed")), []byte("renamed")); err != nil {
			t.Fatal(err)
		}
		if got := describeKey(t, &a, []byte("renamed")); got != changed {
			t.Errorf("seed %d: the renamed stream differs", seed)
		}
		k.Unlock(all)

		var batch Batch
		for seen := 0; ; {
			err := snap.Next(&batch)
			if err == io.EOF {
				if seen != 1 {
					t.Errorf("seed %d: %d keys in the snapshot", seed, seen)
				}
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = batch.Each(func(e Entry) error {
				if seen++; describe(&e) != want {
					t.Errorf("seed %d: the snapshot differs from the cut", seed)
				}
				return nil
			})
		}
		snap.Close()
		k.Lock(all)
		for _, name := range []string{"renamed", "copy", "loaded"} {
			if !a.Delete(slots.Of([]byte(name)), []byte(name)) {
				t.Errorf("%s is not there", name)
			}
		}
		k.Unlock(all)
		for k.PendingFrees() > 0 {
			k.BackgroundStep(1000, 1e9)
		}
		for i := range k.shards {
			if used := k.shards[i].arena.Used(); used != 0 {
				t.Errorf("seed %d: %d bytes left in shard %d", seed, used, i)
			}
		}
	}
}
