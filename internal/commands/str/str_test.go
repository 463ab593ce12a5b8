package str_test

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
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

// Long work is refused under a mutex, before any change or reply, and done by an owner.
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
	run(1, "get", "big")
	run(0, "strlen", "big")
	run(0, "getrange", "big", "0", "10")
	run(1, "getrange", "big", "0", "-1")
	run(1, "getex", "big", "persist")
	run(1, "mget", "big", "big")
	run(0, "append", "big", "y")
	run(1, "append", "big", big)
	run(1, "setrange", "gap", "4000000", "x")
	run(1, "getset", "big", "small")
	run(0, "get", "big")
	run(1, many...)
	run(1, pairs...)
	run(0, "setrange", "text", "2000", "x")
	run(1, "lcs", "text", "text", "len")
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
