package hll_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/hll"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/engine"
)

func newRunner(t testing.TB) *commandtest.Runner {
	return commandtest.NewRunner(t, 2, hll.Specs(), str.Specs(), keys.Specs(keys.Deps{}))
}

// A count that is kept within the value is a change like any other.
func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		pfadd a                -> 1 | pfadd a
		pfadd a                -> 0
		pfadd a 1 2 3          -> 1 | pfadd a 1 2 3
		pfadd a 1 2 3          -> 0
		pfcount a              -> 3 | pfcount a
		pfcount a              -> 3
		pfcount a b            -> 3
		pfcount b              -> 0
		pfmerge b a            -> OK | pfmerge b a
		pfmerge c              -> OK | pfmerge c
		pfdebug encoding b     -> sparse
		pfdebug todense b      -> 1 | pfdebug todense b
		pfdebug todense b      -> 0
		pfcount b              -> 3 | pfcount b
		pfselftest             -> OK
	`)
}

// A replica counts without changing what its primary has sent.
func TestReplicaKeepsNoCount(t *testing.T) {
	r := newRunner(t)
	r.Do("pfadd", "a", "1", "2")
	before := string(r.Do("get", "a"))
	r.Mode = engine.ModeReplica
	r.Script(t, `pfcount a -> 2`)
	if after := string(r.Do("get", "a")); after != before {
		t.Errorf("%q became %q", before, after)
	}
}

func TestSpoiltValuesStayAsTheyAre(t *testing.T) {
	r := newRunner(t)
	spoilt := "HYLL\x01" + strings.Repeat("\x00", 10) + "\x80\x7f\x00" // 16129 registers of 16384
	r.Do("set", "a", spoilt)
	words := []string{"pfadd", "a"}
	for i := range 1000 {
		words = append(words, strconv.Itoa(i))
	}
	for _, words := range [][]string{words, {"pfcount", "a"}, {"pfcount", "a", "b"}, {"pfmerge", "a"}, {"pfdebug", "todense", "a"}} {
		if got := commandtest.Plain(r.Do(words...)); got != "-INVALIDOBJ Corrupted HLL object detected" || len(r.Effects()) > 0 {
			t.Errorf("%s: %s, %v", words[0], got, r.Effects())
		}
	}
	if got := commandtest.Plain(r.Do("get", "a")); got != spoilt {
		t.Errorf("%q", got)
	}
}

func TestSlowCommandsRunAsOwner(t *testing.T) {
	r := newRunner(t)
	for owned, words := range map[int][]string{
		0: {"pfadd", "a", "1"},
		1: append([]string{"pfadd", "a"}, strings.Fields(strings.Repeat("x ", 10_001))...),
		2: append([]string{"pfcount"}, strings.Fields(strings.Repeat("a ", 100))...),
	} {
		before := r.Owned
		if reply := r.Do(words...); reply[0] == '-' || r.Owned-before != min(owned, 1) {
			t.Errorf("%s: %s, owned %d times", words[0], reply, r.Owned-before)
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	r := newRunner(t)
	for i := range 20_000 {
		r.Do("pfadd", "dense", strconv.Itoa(i))
	}
	next := 0
	elem := make([]byte, 8)
	add := commandtest.Args("pfadd", "sparse", "")
	add[2] = elem
	for _, args := range [][][]byte{
		add, commandtest.Args("pfadd", "dense", "1"), commandtest.Args("pfcount", "dense"), commandtest.Args("pfcount", "dense", "sparse"),
		commandtest.Args("pfmerge", "dense", "sparse"),
	} {
		r.Run(args)
		if n := testing.AllocsPerRun(200, func() {
			next++
			strconv.AppendInt(elem[:0], int64(next), 10)
			r.Run(args)
		}); n != 0 {
			t.Errorf("%s: %v allocations", args[0], n)
		}
	}
}
