package keys_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/engine"
)

func newRunner(t testing.TB, d keys.Deps) *commandtest.Runner {
	databases := 4
	if d.Cluster {
		databases = 1
	}
	r := commandtest.NewRunner(t, databases, str.Specs(), keys.Specs(d))
	r.Now = 1_000_000
	return r
}

func TestEffects(t *testing.T) {
	newRunner(t, keys.Deps{}).Script(t, `
		mset a 1 b 2 c 3           -> OK | mset a 1 b 2 c 3
		del x y                    -> 0
		del a x                    -> 1 | del a x
		unlink b                   -> 1 | unlink b
		expire c 10                -> 1 | PEXPIREAT c 1010000
		expire c 5 gt              -> 0
		pexpire c 20000 gt         -> 1 | PEXPIREAT c 1020000
		expireat c 2000            -> 1 | PEXPIREAT c 2000000
		pexpireat c 1000500        -> 1 | PEXPIREAT c 1000500
		expire x 10                -> 0
		ttl c                      -> 1
		pttl c                     -> 500
		expiretime c               -> 1001
		persist c                  -> 1 | persist c
		persist c                  -> 0
		expire c 0                 -> 1 | DEL c
		set a 1                    -> OK | set a 1
		pexpireat a 1000000        -> 1 | DEL a
		set a 1                    -> OK | set a 1
		rename a b                 -> OK | rename a b
		rename b b                 -> OK
		set c 1                    -> OK | set c 1
		renamenx b c               -> 0
		renamenx b d               -> 1 | renamenx b d
		copy d e                   -> 1 | copy d e
		copy d e                   -> 0
		copy d e replace db 1      -> 1 | copy d e replace db 1
		move d 2                   -> 1 | move d 2
		move d 2                   -> 0
		touch c e                  -> 2
		swapdb 0 1                 -> OK | swapdb 0 1
		swapdb 0 0                 -> OK | swapdb 0 0
		flushdb                    -> OK | flushdb
		flushall async             -> OK | flushall async
	`)
}

func TestExpiry(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	r.Script(t, `
		set a 1 px 100             -> OK | SET a 1 PXAT 1000100
		set b 2                    -> OK | set b 2
		copy a c                   -> 1 | copy a c
		rename a d                 -> OK | rename a d
		pttl c                     -> 100
		pttl d                     -> 100
	`)
	r.Now += 100 // a key lives through its last millisecond
	r.Script(t, `
		exists c d                 -> 2
		ttl c                      -> 0
	`)
	r.Now++
	r.Script(t, `
		exists c d b               -> 1
		ttl c                      -> -2
		type d                     -> none
		keys *                     -> [b]
		randomkey                  -> b
		renamenx b c               -> 1 | renamenx b c
		rename d x                 -> -ERR no such key
		persist d                  -> 0
		expire d 100               -> 0
		del d                      -> 0
		object encoding d          -> nil
	`)
}

// A replica hides expired keys, and deletes nothing by itself.
func TestExpiryOnReplica(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	r.Script(t, `set a 1 px 100 -> OK | SET a 1 PXAT 1000100`)
	r.Mode, r.Now = engine.ModeReplica, r.Now+101
	r.Script(t, `
		exists a                   -> 0
		ttl a                      -> -2
		keys *                     -> []
		scan 0                     -> [0 []]
		dbsize                     -> 1
		randomkey                  -> a
	`)
}

func TestCluster(t *testing.T) {
	newRunner(t, keys.Deps{Cluster: true}).Script(t, `
		set a 1                    -> OK | set a 1
		copy a b db 0              -> 1 | copy a b db 0
		copy a b db 1              -> -ERR Copying to another database is not allowed in cluster mode
		copy a b db 16             -> -ERR DB index is out of range
		move a 1                   -> -ERR MOVE is not allowed in cluster mode
		swapdb 0 1                 -> -ERR SWAPDB is not allowed in cluster mode
		flushall                   -> OK | flushall
	`)
}

// Whatever the size, a full iteration returns every key that was there throughout,
// among others that come and go.
func TestScanReturnsEveryKey(t *testing.T) {
	for _, c := range []struct {
		stay, count int
	}{{0, 10}, {1, 10}, {300, 1}, {300, 7}, {5_000, 10}, {200_000, 1000}} {
		if testing.Short() && c.stay > 10_000 {
			continue
		}
		t.Run(fmt.Sprintf("%d keys by %d", c.stay, c.count), func(t *testing.T) {
			r := newRunner(t, keys.Deps{})
			for i := range c.stay {
				r.Do("set", "stay:"+strconv.Itoa(i), "v")
			}
			seen := make(map[string]bool)
			cursor, calls := "0", 0
			for {
				v, err := commandtest.Parse(r.Do("scan", cursor, "count", strconv.Itoa(c.count), "match", "stay:*"))
				if err != nil || v.Kind != '*' {
					t.Fatalf("%v %v", v, err)
				}
				for _, k := range v.Items[1].Strings() {
					seen[k] = true
				}
				if cursor = v.Items[0].Text; cursor == "0" {
					break
				}
				r.Do("set", "go:"+strconv.Itoa(calls%50), "v")
				r.Do("del", "go:"+strconv.Itoa((calls+25)%50))
				if calls++; calls > 16384+c.stay {
					t.Fatal("does not end")
				}
			}
			if len(seen) != c.stay {
				t.Errorf("%d keys of %d in %d calls", len(seen), c.stay, calls+1)
			}
		})
	}
}

// In a sparse database one step crosses shards; in a dense one it locks one shard.
func TestScanShards(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	for i := range 100 {
		r.Do("set", strconv.Itoa(i), "v")
	}
	if got := commandtest.Plain(r.Do("scan", "0", "count", "1000")); !strings.HasPrefix(got, "[0 ") {
		t.Errorf("100 keys by 1000 took more than a step: %s", got)
	}
	mask := func() int {
		spec, _ := r.Table.Resolve(commandtest.Args("scan", "0"))
		r.Ctx.Begin(spec, commandtest.Args("scan", "5"), 0, 0)
		m, ok := r.Ctx.LockMask()
		if !ok {
			t.Fatal("no mask")
		}
		n := 0
		for ; m != 0; m &= m - 1 {
			n++
		}
		return n
	}
	if n := mask(); n != r.Keyspace.NumShards() {
		t.Errorf("sparse: %d shards", n)
	}
	for i := range 140_000 {
		r.Do("set", strconv.Itoa(i), "v")
	}
	if n := mask(); n != 1 {
		t.Errorf("dense: %d shards", n)
	}
}

func TestLongCommandsRunAsOwner(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	words := []string{"del"}
	for i := range command.SlowElements + 1 {
		k := strconv.Itoa(i)
		r.Do("set", k, "v")
		words = append(words, k)
	}
	for _, request := range [][]string{
		{"keys", "x*"}, {"scan", "0", "count", "100000"},
		append([]string{"exists"}, words[1:]...), append([]string{"touch"}, words[1:]...), words,
	} {
		before := r.Owned
		if reply := r.Do(request...); reply[0] == '-' || r.Owned != before+1 {
			t.Errorf("%s: reply %.20q, ran %d times as an owner", request[0], reply, r.Owned-before)
		}
	}
	r.Do("set", "big", strings.Repeat("x", 2<<20))
	for _, request := range [][]string{{"copy", "big", "twin"}, {"move", "big", "1"}} {
		before := r.Owned
		if reply := r.Do(request...); string(reply) != ":1\r\n" || r.Owned != before+1 {
			t.Errorf("%s: reply %q, ran %d times as an owner", request[0], reply, r.Owned-before)
		}
	}
}

func TestRandomKeyDrawsEveryKey(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	r.Do("mset", "a", "1", "b", "2", "c", "3", "d", "4")
	seen := make(map[string]int)
	const draws = 4000
	for range draws {
		seen[commandtest.Plain(r.Do("randomkey"))]++
	}
	for _, k := range []string{"a", "b", "c", "d"} {
		if n := seen[k]; n < draws/8 || n > draws/2 {
			t.Errorf("%s drawn %d times of %d", k, n, draws)
		}
	}
}

func TestIdleTime(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	r.Script(t, `set a 1 -> OK | set a 1`)
	r.Now += 30_000
	r.Script(t, `
		object idletime a          -> 30
		exists a                   -> 1
		ttl a                      -> -1
		type a                     -> string
		object idletime a          -> 30
		touch a                    -> 1
		object idletime a          -> 0
	`)
}

// Applied to the hidden database, FLUSHALL leaves the visible ones alone.
func TestFlushAllOfStagedSlots(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	a := command.NewApplier(r.Table, r.Keyspace)
	staging := r.Keyspace.StagingDB()
	for _, words := range []string{"set a 1", "set b 1"} {
		if err := a.Apply(staging, commandtest.Args(strings.Split(words, " ")...), nil); err != nil {
			t.Fatal(err)
		}
	}
	r.Do("set", "a", "1")
	if n := r.Keyspace.Len(staging); n != 2 {
		t.Fatalf("%d staged keys", n)
	}
	if err := a.Apply(staging, commandtest.Args("flushall"), nil); err != nil {
		t.Fatal(err)
	}
	if staged, visible := r.Keyspace.Len(staging), r.Keyspace.Len(0); staged != 0 || visible != 1 {
		t.Errorf("%d staged and %d visible keys", staged, visible)
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	r := newRunner(t, keys.Deps{})
	r.Do("mset", "a", "1", "b", "2")
	for _, words := range []string{
		"exists a b x", "ttl a", "pttl x", "expire a 100", "persist a", "touch a b", "type a", "del x", "dbsize",
		"object encoding x",
	} {
		args := commandtest.Args(strings.Split(words, " ")...)
		r.Run(args)
		if n := testing.AllocsPerRun(200, func() { r.Run(args) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
}
