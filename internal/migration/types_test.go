package migration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// typedKeys is how many keys of each type there are.
const typedKeys = 12

// bigWrites make keys of many elements, which move in pieces.
func bigWrites() (cmds [][]string) {
	many := func(n int, elem func(i int) []string, words ...string) {
		for i := range n {
			words = append(words, elem(i)...)
		}
		cmds = append(cmds, words)
	}
	for k := range typedKeys / 2 {
		id := strconv.Itoa(k)
		many(3000, func(i int) []string { return []string{fmt.Sprint("e", i)} }, "rpush", "list"+id)
		many(3000, func(i int) []string { return []string{fmt.Sprint("f", i), fmt.Sprint(i)} }, "hset", "hash"+id)
		many(3000, func(i int) []string { return []string{fmt.Sprint("m", i)} }, "sadd", "set"+id)
		many(3000, func(i int) []string { return []string{fmt.Sprint(i % 100), fmt.Sprint("m", i)} }, "zadd", "zset"+id)
		cmds = append(cmds, []string{"xgroup", "create", "stream" + id, "g", "0", "mkstream"})
		for i := range 1500 {
			cmds = append(cmds, []string{"xadd", "stream" + id, fmt.Sprint(i+1, "-1"), "name", fmt.Sprint("value", i)})
		}
		cmds = append(cmds, []string{"xreadgroup", "group", "g", "alice", "count", "700", "streams", "stream" + id, ">"})
		cmds = append(cmds, []string{"xreadgroup", "group", "g", "bob", "count", "600", "streams", "stream" + id, ">"})
		cmds = append(cmds, []string{"pexpireat", "hash" + id, "4102444800000"})
	}
	return cmds
}

// drawWrite returns a write of some type. What it does depends on nothing but the data.
func drawWrite(rnd *rand.Rand, i int) []string {
	id := strconv.Itoa(rnd.IntN(typedKeys))
	elem := strconv.Itoa(rnd.IntN(4000))
	switch rnd.IntN(16) {
	case 0:
		return []string{"rpush", "list" + id, elem}
	case 1:
		return []string{"lpush", "list" + id, "e" + elem}
	case 2:
		return []string{"lpop", "list" + id, "2"}
	case 3:
		return []string{"lset", "list" + id, "-1", elem}
	case 4:
		return []string{"hset", "hash" + id, "f" + elem, fmt.Sprint(i)}
	case 5:
		return []string{"hdel", "hash" + id, "f" + elem}
	case 6:
		return []string{"sadd", "set" + id, elem, "m" + elem}
	case 7:
		return []string{"srem", "set" + id, "m" + elem}
	case 8:
		return []string{"zadd", "zset" + id, fmt.Sprint(rnd.IntN(50)), "m" + elem}
	case 9:
		return []string{"zrem", "zset" + id, "m" + elem}
	case 10:
		return []string{"zremrangebyrank", "zset" + id, "0", "3"}
	case 11, 12:
		return []string{"xadd", "stream" + id, fmt.Sprint(10_000+i, "-0"), "name", elem}
	case 13:
		return []string{"xdel", "stream" + id, fmt.Sprint(1+rnd.IntN(1500), "-1")}
	case 14:
		return []string{"xack", "stream" + id, "g", fmt.Sprint(1+rnd.IntN(1500), "-1")}
	}
	if rnd.IntN(20) > 0 {
		return []string{"pexpireat", "list" + id, strconv.Itoa(4102444800000 + i)}
	}
	return []string{"del", []string{"list", "hash", "set", "zset"}[rnd.IntN(4)] + id}
}

// typedText returns a key's value as text, elements of what has no order sorted.
func typedText(e *engine.Entry) string {
	var lines []string
	add := func(a ...any) error {
		lines = append(lines, fmt.Sprintf("%q", a))
		return nil
	}
	switch e.Type {
	case engine.TypeList:
		_ = e.EachElement(func(b []byte) error { return add(b) })
	case engine.TypeHash:
		_ = e.EachField(func(f, v []byte, at int64) error { return add(f, v, at) })
		slices.Sort(lines)
	case engine.TypeSet:
		_ = e.EachMember(func(b []byte) error { return add(b) })
		slices.Sort(lines)
	case engine.TypeZSet:
		_ = e.EachScored(func(b []byte, score float64) error { return add(b, score) })
	case engine.TypeStream:
		streamText(e, add)
	default:
		_ = add(e.Value)
	}
	return fmt.Sprintf("%s %d %s", e.Type, e.ExpireAt, strings.Join(lines, " "))
}

// typed reads every key of a database.
func typed(ks *engine.Keyspace) map[string]string {
	out := map[string]string{}
	ks.Lock(ks.AllShards())
	defer ks.Unlock(ks.AllShards())
	a := ks.Access(0, 0, engine.ModeApply)
	var batch engine.Batch
	for slot := range slots.Slot(slots.Count) {
		var names []string
		a.SlotKeys(slot, ks.SlotLen(0, slot), func(key []byte) { names = append(names, string(key)) })
		for _, name := range names {
			if e, ok := a.Entry(slot, []byte(name), &batch); ok {
				out[name] = typedText(&e)
			}
		}
	}
	return out
}

// streamText writes down a stream without the times of its consumers, which depend on when
// a command ran.
func streamText(e *engine.Entry, add func(a ...any) error) {
	x := e.Stream()
	_ = add(x.Counters)
	_ = x.EachNode(func(id stream.ID, lp []byte) error { return add(id, lp) })
	_ = x.EachGroup(func(g engine.EntryGroup) error {
		_ = add(g.Name, g.Last, g.Read)
		_ = g.EachPending(func(id stream.ID, _ int64, count uint64, _ int) error { return add(id, count) })
		return g.EachConsumer(func(c engine.EntryConsumer) error {
			_ = add(c.Name)
			return c.EachPending(func(id stream.ID) error { return add(id) })
		})
	})
}

// Keys of every type move while they are written to, big ones in pieces, and are the same
// afterwards as on a node that ran the same commands alone.
func TestEveryTypeMoves(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	alone := commandtest.NewRunner(t, 1, commands.OnKeys(keys.Deps{Cluster: true})...)
	at := a1.id
	write := func(words []string) {
		for c.ctx.Err() == nil {
			reply, err := c.nodes[at].exec(words...)
			if errors.Is(err, errMoved) {
				at = topology.NodeID(reply)
				continue
			}
			if err != nil {
				if reply := string(alone.Do(words...)); reply[0] != '-' {
					t.Errorf("%.60q: %v, alone %q", words, err, reply)
				}
				return
			}
			break
		}
		alone.Do(words...)
	}
	for _, words := range bigWrites() {
		write(words)
	}
	var stop atomic.Bool
	done := make(chan int)
	seed := rand.Uint64()
	go func() {
		rnd := rand.New(rand.NewPCG(seed, 0))
		i := 0
		for ; !stop.Load(); i++ {
			write(drawWrite(rnd, i))
			if i%16 == 0 {
				time.Sleep(50 * time.Microsecond)
			}
		}
		done <- i
	}()
	for _, set := range []slots.Set{lowSlots(9000), slots.SetOf(slots.Range{From: 9000, To: slots.Count - 1})} {
		job, err := a1.mover.Begin(context.Background(), shardA, shardB, set)
		if err != nil {
			t.Fatal(err)
		}
		c.settled(t, job, topology.MoveCommitted, a1, b1)
	}
	stop.Store(true)
	t.Logf("seed %d, %d writes", seed, <-done)
	eventually(t, "the replica of the target follows", func() bool { return b1.acks.Load() == b1.elog.Offset() })
	want := typed(alone.Keyspace)
	for _, n := range []*testNode{b1, b2} {
		got := typed(n.ks)
		for key, w := range want {
			if got[key] != w {
				t.Errorf("node %.1s: %s is\n%.200s\nwant\n%.200s", n.id, key, got[key], w)
			}
		}
		if len(got) != len(want) {
			t.Errorf("node %.1s has %d keys, want %d", n.id, len(got), len(want))
		}
	}
	for _, n := range []*testNode{a1, a2} {
		eventually(t, "the source is empty", func() bool { return n.ks.Len(0) == 0 })
	}
}
