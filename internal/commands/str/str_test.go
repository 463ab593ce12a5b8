package str_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/set"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/engine"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 2, str.Specs(), keys.Specs(keys.Deps{}))
	r.Now = 1_000_000
	return r
}

// What is propagated must mean the same at any time and on any machine.
func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		set a 1                    -> OK | set a 1
		set a 2 nx                 -> nil
		set a 2 xx                 -> OK | SET a 2
		set a 3 get                -> 2 | SET a 3
		set a 3 ex 10              -> OK | SET a 3 PXAT 1010000
		set a 4 keepttl            -> OK | SET a 4 KEEPTTL
		set a 5 px 10 get          -> 4 | SET a 5 PXAT 1000010
		setex a 10 6               -> OK | SET a 6 PXAT 1010000
		psetex a 10 7              -> OK | SET a 7 PXAT 1000010
		setnx a 8                  -> 0
		setnx b 8                  -> 1 | setnx b 8
		getset b 9                 -> 8 | SET b 9
		getex b                    -> 9
		getex b persist            -> 9
		getex b ex 5               -> 9 | PEXPIREAT b 1005000
		getex b persist            -> 9 | PERSIST b
		getex b pxat 999           -> 9 | DEL b
		getdel b                   -> nil
		getdel a                   -> 7 | DEL a
		incrbyfloat a 1.5          -> 1.5 | SET a 1.5 KEEPTTL
		incr b                     -> 1 | incr b
		decrby b 3                 -> -2 | decrby b 3
		append b 0                 -> 3 | append b 0
		setrange b 0 9             -> 3 | setrange b 0 9
		mset a 1 b 2               -> OK | mset a 1 b 2
		msetnx c 1 b 2             -> 0
		msetnx c 1 d 2             -> 1 | msetnx c 1 d 2
		mget a b x                 -> [1 2 nil]
		incr c x                   -> -ERR wrong number of arguments for 'incr' command
	`)
}

func TestExpiredKeysAreGone(t *testing.T) {
	r := newRunner(t)
	r.Script(t, `
		set a 1 px 100             -> OK | SET a 1 PXAT 1000100
		set b 1 px 100             -> OK | SET b 1 PXAT 1000100
		set c 1 px 100             -> OK | SET c 1 PXAT 1000100
	`)
	r.Now += 101
	r.Script(t, `
		get a                      -> nil
		set a 2 xx                 -> nil
		incr b                     -> 1 | incr b
		ttl b                      -> -1
		append c x                 -> 1 | append c x
	`)
}

func TestMaxBulkBytes(t *testing.T) {
	r := newRunner(t)
	r.Ctx.MaxBulkBytes = 10
	r.Script(t, `
		set a 12345678             -> OK | set a 12345678
		append a 90                -> 10 | append a 90
		append a 1                 -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
		setrange a 9 1             -> 10 | setrange a 9 1
		setrange a 10 1            -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
		lcs a a                    -> -ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len
	`)
}

// Long work is refused under a mutex, before any change or reply, and done by an owner; a
// long reply needs none.
func TestSlowCommandsRunAsOwner(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	many := []string{"mget"}
	pairs := []string{"mset"}
	for range 10_001 {
		many = append(many, "k")
		pairs = append(pairs, "k", "v")
	}
	r := newRunner(t)
	run := func(owned int, words ...string) {
		t.Helper()
		before := r.Owned
		if reply := r.Do(words...); reply[0] == '-' {
			t.Errorf("%s: %s", words[0], reply)
		}
		if got := r.Owned - before; got != owned {
			t.Errorf("%s: ran %d times as an owner, want %d", words[0], got, owned)
		}
	}
	run(1, "set", "big", big)
	run(0, "get", "big")
	run(0, "strlen", "big")
	run(0, "getrange", "big", "0", "10")
	run(0, "getrange", "big", "0", "-1")
	run(1, "getex", "big", "persist")
	run(1, "mget", "big", "big")
	run(0, "append", "big", "y")
	run(1, "append", "big", big)
	run(1, "setrange", "gap", "4000000", "x")
	run(0, "getset", "big", "small")
	run(0, "get", "big")
	run(1, many...)
	run(1, pairs...)
	run(0, "setrange", "text", "2000", "x")
	run(1, "lcs", "text", "text", "len")
	run(1, "set", "big", big)
	run(0, "getdel", "big")
}

// A long reply is what the key held, from end to end, also where the key goes with it.
func TestLongReplies(t *testing.T) {
	r := newRunner(t)
	long := strings.Repeat("0123456789abcdef", 1<<17) + "end"
	r.Do("set", "k", long)
	bulk := func(want string, words ...string) {
		t.Helper()
		if got := string(r.Do(words...)); got != fmt.Sprintf("$%d\r\n%s\r\n", len(want), want) {
			t.Errorf("%v: %d bytes", words, len(got))
		}
	}
	bulk(long, "get", "k")
	bulk(long[3:len(long)-1], "getrange", "k", "3", "-2")
	bulk(long, "getdel", "k")
	if got := string(r.Do("get", "k")); got != "$-1\r\n" {
		t.Errorf("%.40q", got)
	}
	if used := r.Keyspace.UsedMemory(); used > 4<<20 {
		t.Errorf("%d bytes are in use", used)
	}
}

func TestKeyFlagsOfSet(t *testing.T) {
	set := newRunner(t).Table.Lookup([]byte("set"))
	for words, want := range map[string]command.KeyFlags{
		"set k v":           command.KeyOW | command.KeyUpdate,
		"set get get nx":    command.KeyOW | command.KeyUpdate,
		"set k v ex 10 GET": command.KeyRW | command.KeyAccess | command.KeyUpdate,
	} {
		keys, ok := set.AppendKeys(nil, commandtest.Args(strings.Split(words, " ")...))
		if !ok || len(keys) != 1 || keys[0] != (command.KeyRef{Arg: 1, Flags: want}) {
			t.Errorf("%s: %v %v", words, keys, ok)
		}
	}
	if set.SingleKey() != 1 {
		t.Error("the key of SET is not known to be single")
	}
}

func TestHitsCountOnce(t *testing.T) {
	r := newRunner(t)
	r.Do("set", "big", strings.Repeat("x", 2<<20))
	for _, words := range [][]string{
		{"get", "big"}, {"getrange", "big", "0", "-1"}, {"getex", "big"}, {"mget", "big"}, {"set", "big", "x", "get"},
	} {
		r.Ctx.Hits, r.Ctx.Misses = 0, 0
		r.Do(words...)
		if r.Ctx.Hits != 1 || r.Ctx.Misses != 0 {
			t.Errorf("%s: %d hits, %d misses", words[0], r.Ctx.Hits, r.Ctx.Misses)
		}
	}
}

// A command of the hot path allocates nothing, its effects included.
func TestHotPathAllocatesNothing(t *testing.T) {
	r := newRunner(t)
	r.Do("set", "text", strings.Repeat("x", 64))
	r.Do("set", "number", "100")
	for _, words := range []string{
		"get text", "get number", "get nokey", "set text abcdefgh", "set number 12345", "set text v px 1000", "set text v nx",
		"incr number", "incrby number 5", "strlen text", "getrange text 0 3", "exists text nokey", "ttl text",
		"mget text number nokey", "mset text a number 1", "setrange text 0 y", "expire text 100", "type text", "touch text",
	} {
		args := commandtest.Args(strings.Split(words, " ")...)
		r.Run(args)
		if n := testing.AllocsPerRun(200, func() { r.Run(args) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
}

func BenchmarkCommands(b *testing.B) {
	for _, words := range []string{"get text", "set text 0123456789012345678901234567890123456789", "incr number", "set text v px 1000"} {
		b.Run(words, func(b *testing.B) {
			r := newRunner(b)
			r.Do("set", "text", "v")
			args := commandtest.Args(strings.Split(words, " ")...)
			b.ReportAllocs()
			for b.Loop() {
				r.Run(args)
			}
		})
	}
}

// The options and commands of Redis 8.4 and Valkey 8.1 and 9, which the redis-server of
// the comparison lacks. The digests are those of redis.io's examples and of xxHash.
func TestComparisons(t *testing.T) {
	newRunner(t).Script(t, `
		set a 1                      -> OK | set a 1
		set a 2 ifeq 1               -> OK | SET a 2
		set a 3 ifeq 1               -> nil
		set a 3 IFEQ 1 get           -> 2
		set a 3 ifeq 2 get ex 10     -> 2 | SET a 3 PXAT 1010000
		set a 4 ifeq 3 keepttl       -> OK | SET a 4 KEEPTTL
		ttl a                        -> 10
		set a 4 ifne 4               -> nil
		set a hello ifne 5           -> OK | SET a hello
		ttl a                        -> -1
		set b 1 ifeq 1               -> nil
		set b 1 ifeq 1 get           -> nil
		set b 1 ifdeq 0000000000000000 -> nil
		set b 1 ifne 1               -> OK | SET b 1
		set c 1 ifdne 0000000000000000 get -> nil | SET c 1
		digest a                     -> 9555e8555c62dcfd
		digest nokey                 -> nil
		set a 5 ifdeq 9555E8555c62dcfd -> OK | SET a 5
		set a 6 ifdeq 9555e8555c62dcfd -> nil
		set a 6 ifdne 9555e8555c62dcfd -> OK | SET a 6
		set a 6 ifdeq 9555           -> -ERR must be exactly 16 hexadecimal characters
		set a 6 ifdne 9555e8555c62dcfx -> -ERR must be exactly 16 hexadecimal characters
		set a 6 ifeq                 -> -ERR syntax error
		set a 6 ifeq 6 nx            -> -ERR syntax error
		set a 6 xx ifne 6            -> -ERR syntax error
		set a 6 ifeq 6 ifne 6        -> -ERR syntax error
		set a 6 ifeq 6 ifeq 6        -> -ERR syntax error
		getex a ifeq 6               -> -ERR syntax error
		set a ifeq ifeq 6            -> OK | SET a ifeq
		delex a ifeq 6               -> 0
		delex a ifne ifeq            -> 0
		delex a ifeq ifeq            -> 1 | DEL a
		delex a ifeq ifeq            -> 0
		delex a ifne ifeq            -> 0
		delex b ifne 2               -> 1 | DEL b
		delex c                      -> 1 | DEL c
		delex c                      -> 0
		delex c ifeq                 -> -ERR wrong number of arguments for 'delex' command
		delex c ifeq 1 2             -> -ERR wrong number of arguments for 'delex' command
		delex c foo 1                -> -ERR syntax error
		set a hello                  -> OK | set a hello
		delex a ifdne 9555e8555c62dcfd -> 0
		delex a ifdeq 9555           -> -ERR must be exactly 16 hexadecimal characters
		delex a ifdeq 9555e8555c62dcfd -> 1 | DEL a
		set a 12                     -> OK | set a 12
		delifeq a 012                -> 0
		delifeq a 12                 -> 1 | DEL a
		delifeq a 12                 -> 0
	`)
}

func TestMSetEx(t *testing.T) {
	newRunner(t).Script(t, `
		msetex 2 a 1 b 2             -> 1 | SET a 1; SET b 2
		mget a b                     -> [1 2]
		msetex 2 a 3 c 4 nx          -> 0
		msetex 2 a 3 c 4 XX          -> 0
		msetex 2 a 3 b 4 xx ex 10    -> 1 | SET a 3 PXAT 1010000; SET b 4 PXAT 1010000
		msetex 1 a 5 keepttl         -> 1 | SET a 5 KEEPTTL
		ttl a                        -> 10
		msetex 1 a 5                 -> 1 | SET a 5
		ttl a                        -> -1
		msetex 2 d 1 e 2 px 500 nx   -> 1 | SET d 1 PXAT 1000500; SET e 2 PXAT 1000500
		msetex 1 d nx exat 2000      -> 1 | SET d nx PXAT 2000000
		msetex 1 d 1 pxat 2000001    -> 1 | SET d 1 PXAT 2000001
		msetex 2 d 1 d 2             -> 1 | SET d 1; SET d 2
		get d                        -> 2
		msetex 0 a 1                 -> -ERR invalid numkeys value
		msetex -1 a 1                -> -ERR invalid numkeys value
		msetex x a 1                 -> -ERR invalid numkeys value
		msetex 2 a 1                 -> -ERR wrong number of key-value pairs
		msetex 2 a 1 b               -> -ERR wrong number of key-value pairs
		msetex 9223372036854775807 a 1 -> -ERR wrong number of key-value pairs
		msetex 1 a 1 b 2             -> -ERR syntax error
		msetex 1 a 1 nx xx           -> -ERR syntax error
		msetex 1 a 1 ex 1 keepttl    -> -ERR syntax error
		msetex 1 a 1 get             -> -ERR syntax error
		msetex 1 a 1 ifeq 1          -> -ERR syntax error
		msetex 1 a 1 ex              -> -ERR syntax error
		msetex 1 a 1 ex 0            -> -ERR invalid expire time in 'msetex' command
		msetex 1 a 1 ex x            -> -ERR value is not an integer or out of range
	`)
}

func TestComparisonsWantStrings(t *testing.T) {
	r := commandtest.NewRunner(t, 2, set.Specs(set.Deps{}), str.Specs(), keys.Specs(keys.Deps{}))
	const wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value"
	r.Script(t, `
		sadd s a                     -> 1 | sadd s a
		set s b ifeq a               -> `+wrong+`
		set s b ifne a get           -> `+wrong+`
		set s b ifdeq 0000000000000000 -> `+wrong+`
		delex s ifeq a               -> `+wrong+`
		delifeq s a                  -> `+wrong+`
		digest s                     -> `+wrong+`
		delex s                      -> 1 | DEL s
	`)
}

func TestKeyFlagsOfLaterCommands(t *testing.T) {
	table := newRunner(t).Table
	for words, want := range map[string]string{
		"set k v ifeq x":     "[{1 RW access update}]",
		"set k v ifdne x":    "[{1 RW access update}]",
		"delex k":            "[{1 RM delete}]",
		"delex k ifeq v":     "[{1 RW delete}]",
		"msetex 2 a 1 b 2":   "[{2 OW update} {4 OW update}]",
		"msetex 1 a 1 ex 10": "[{2 OW update}]",
	} {
		args := commandtest.Args(strings.Fields(words)...)
		got, _ := table.Lookup(args[0]).AppendKeys(nil, args)
		text := []string{}
		for _, k := range got {
			text = append(text, fmt.Sprintf("{%d %s}", k.Arg, strings.Join(k.Flags.Names(), " ")))
		}
		if s := "[" + strings.Join(text, " ") + "]"; s != want {
			t.Errorf("%s: %s, want %s", words, s, want)
		}
	}
}

// A string of more than 1 MiB that a snapshot has pinned is copied by an owner, once.
func TestPinnedStringsAreCopiedByAnOwner(t *testing.T) {
	r := newRunner(t)
	long := strings.Repeat("x", 2<<20)
	changes := map[string][]string{
		"append":   {"append", "append", "y"},
		"setrange": {"setrange", "setrange", "5", "y"},
	}
	for key := range changes {
		r.Do("set", key, long)
	}
	owned := r.Owned
	snap, err := r.Keyspace.Snapshot(engine.SnapshotOptions{DB: -1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // the second time it is the key's alone
		for _, words := range changes {
			r.Do(words...)
		}
		if got := r.Owned - owned; got != len(changes) {
			t.Errorf("round %d: %d changes had an owner, want %d", i, got, len(changes))
		}
	}
	var b engine.Batch
	seen := 0
	for {
		err := snap.Next(&b)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = b.Each(func(e engine.Entry) error {
			if seen++; string(e.Value) != long {
				t.Errorf("%s has %d bytes, or others", e.Key, len(e.Value))
			}
			return nil
		})
	}
	if snap.Close(); seen != len(changes) {
		t.Errorf("%d keys of %d", seen, len(changes))
	}
}
