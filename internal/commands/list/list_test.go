package list_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/list"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/engine"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 2, list.Specs(), keys.Specs(keys.Deps{}))
	r.Now = 1_000_000
	return r
}

// What is propagated must mean the same where a list is as it is here.
func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		rpush a 1 2 3              -> 3 | rpush a 1 2 3
		lpush a x                  -> 4 | lpush a x
		lpushx b 1                 -> 0
		rpushx a y                 -> 5 | rpushx a y
		linsert a before 2 new     -> 6 | linsert a before 2 new
		linsert a before no new    -> -1
		linsert b before no new    -> 0
		lset a 0 y                 -> OK | lset a 0 y
		lset a 9 y                 -> -ERR index out of range
		lrem a 0 y                 -> 2 | lrem a 0 y
		lrem a 0 y                 -> 0
		lpop a 0                   -> []
		lpop a 2                   -> [1 new] | lpop a 2
		rpop a                     -> 3 | rpop a
		ltrim a 0 -1               -> OK
		ltrim a 1 0                -> OK | ltrim a 1 0
		ltrim a 1 0                -> OK
		rpush a 1 2 3 4 5          -> 5 | rpush a 1 2 3 4 5
		lmove a b left right       -> 1 | lmove a b left right
		rpoplpush a b              -> 5 | rpoplpush a b
		lmove a a left right       -> 2 | lmove a a left right
		lmove x a left right       -> nil
		lmpop 2 x a left           -> [a [3]] | LPOP a 1
		lmpop 2 a b right count 9  -> [a [2 4]] | RPOP a 2
		lmpop 1 a left             -> nil
	`)
}

// Long work is refused under a mutex, before any change or reply, and done by an owner.
func TestSlowCommandsRunAsOwner(t *testing.T) {
	r := newRunner(t)
	big := strings.Repeat("x", 2<<20)
	many := []string{"rpush", "many"}
	for i := range 12_000 {
		many = append(many, fmt.Sprint(i))
	}
	for _, c := range []struct {
		owned int
		words []string
	}{
		{1, many},
		{0, []string{"llen", "many"}},
		{0, []string{"lindex", "many", "6000"}},
		{0, []string{"lset", "many", "6000", "here"}},
		{1, []string{"linsert", "many", "before", "here", "x"}},
		{1, []string{"lrem", "many", "1", "here"}},
		{1, []string{"lpos", "many", "x"}},
		{0, []string{"lpos", "many", "50", "maxlen", "100"}},
		{1, []string{"lrange", "many", "0", "-1"}},
		{0, []string{"lrange", "many", "0", "9"}},
		{0, []string{"ltrim", "many", "1", "-2"}},
		{1, []string{"lpop", "many", "11000"}},
		{0, []string{"rpop", "many"}},
		{1, []string{"lpush", "big", big}},
		{0, []string{"rpush", "big", "a"}},
		{1, []string{"lindex", "big", "0"}},
		{1, []string{"lrange", "big", "0", "0"}},
		{0, []string{"lrange", "big", "1", "1"}},
		{1, []string{"lset", "big", "1", big}},
		{1, []string{"lmove", "big", "big", "left", "right"}},
		{1, []string{"rpoplpush", "big", "other"}},
		{1, []string{"lpop", "other"}},
		{1, []string{"lmpop", "1", "big", "left"}},
		{0, []string{"exists", "big", "other"}},
	} {
		before := r.Owned
		if reply := r.Do(c.words...); reply[0] == '-' || string(reply) == "$-1\r\n" {
			t.Errorf("%.40q: %.80q", c.words, reply)
		}
		if got := r.Owned - before; got != c.owned {
			t.Errorf("%.40q: ran %d times as an owner, want %d", c.words, got, c.owned)
		}
	}
}

func TestEncodings(t *testing.T) {
	r := newRunner(t)
	limits := engine.DefaultLimits()
	limits.ListSize = 5
	r.Keyspace.SetLimits(limits)
	r.Script(t, `
		rpush a 1 2 3 4 5          -> 5 | rpush a 1 2 3 4 5
		object encoding a          -> listpack
		lset a 9 1                 -> -ERR index out of range
		object encoding a          -> quicklist
		lset a 0 1                 -> OK | lset a 0 1
		rpop a 3                   -> [5 4 3] | rpop a 3
		object encoding a          -> listpack
		rpush a 3 4 5 6            -> 6 | rpush a 3 4 5 6
		object encoding a          -> quicklist
		ltrim a 0 1                -> OK | ltrim a 0 1
		object encoding a          -> listpack
		rpush a 3 4 5 6            -> 6 | rpush a 3 4 5 6
		lrem a 0 6                 -> 1 | lrem a 0 6
		lrem a 0 5                 -> 1 | lrem a 0 5
		object encoding a          -> quicklist
		lmove a a left right       -> 1 | lmove a a left right
		lmove a b left right       -> 2 | lmove a b left right
		lmove a b left right       -> 3 | lmove a b left right
		object encoding a          -> listpack
		linsert a after nosuch x   -> -1
		rpush b 4 5 6              -> 5 | rpush b 4 5 6
		object encoding b          -> listpack
		linsert b after nosuch x   -> -1
		object encoding b          -> quicklist
	`)
}

// Who waits is served in the order of blocking, and what happened is propagated as the
// commands that do not wait.
func TestBlocking(t *testing.T) {
	newRunner(t).Script(t, `
		@a blpop k j 0             -> blocked
		@b brpop j k 0             -> blocked
		rpush k 1 2 3              -> 3 | rpush k 1 2 3; LPOP k; RPOP k
		@a                         -> [k 1]
		@b                         -> [k 3]
		lrange k 0 -1              -> [2]
		blpop j k 0                -> [k 2] | LPOP k
		@a blpop k 1               -> blocked
		@a timeout                 -> nil
		@a blmove k d left right 1 -> blocked
		@a timeout                 -> nil
		@a brpoplpush k k 0        -> blocked
		lpush k x                  -> 1 | lpush k x; RPOPLPUSH k k
		@a                         -> x
		del k                      -> 1 | del k
		@a blmove k d left right 0 -> blocked
		@b blpop d 0               -> blocked
		rpush k 1 2                -> 2 | rpush k 1 2; LMOVE k d left right; LPOP d
		@a                         -> 1
		@b                         -> [d 1]
		del k                      -> 1 | del k
		@a blmpop 0 2 x k left count 2 -> blocked
		@b blmpop 0 1 k right      -> blocked
		rpush k 1 2 3 4            -> 4 | rpush k 1 2 3 4; LPOP k 2; RPOP k 1
		@a                         -> [k [1 2]]
		@b                         -> [k [4]]
		blmpop 0 1 k left count 5  -> [k [3]] | LPOP k 1
		@a blpop k k 0             -> blocked
		lpush k 1                  -> 1 | lpush k 1; LPOP k
		@a                         -> [k 1]
		@a blpop k 0               -> blocked
		rpush k2 v                 -> 1 | rpush k2 v
		rename k2 k                -> OK | rename k2 k; LPOP k
		@a                         -> [k v]
		blpop k x                  -> -ERR timeout is not a float or out of range
		blpop k -1                 -> -ERR timeout is negative
		blmpop -1 0 k left         -> -ERR numkeys should be greater than 0
		blmpop -1 1 k left         -> -ERR timeout is negative
		blmove k d x left -1       -> -ERR syntax error
	`)
}

// A client that waits for a list is not served by a value of another type, and sees an
// error only if its own destination is wrong.
func TestBlockingOnOtherTypes(t *testing.T) {
	r := commandtest.NewRunner(t, 2, list.Specs(), keys.Specs(keys.Deps{}), str.Specs())
	r.Now = 1_000_000
	r.Script(t, `
		@a blpop k 0               -> blocked
		@b blmove k s left left 0  -> blocked
		set k v                    -> OK | set k v
		del k                      -> 1 | del k
		set s v                    -> OK | set s v
		rpush k 1                  -> 1 | rpush k 1; LPOP k
		@a                         -> [k 1]
		rpush k 2                  -> 1 | rpush k 2
		@b                         -> -WRONGTYPE Operation against a key holding the wrong kind of value
		lrange k 0 -1              -> [2]
		blpop s 0                  -> -WRONGTYPE Operation against a key holding the wrong kind of value
		blpop none s 0             -> -WRONGTYPE Operation against a key holding the wrong kind of value
		brpoplpush s k 0           -> -WRONGTYPE Operation against a key holding the wrong kind of value
		brpoplpush k s 0           -> -WRONGTYPE Operation against a key holding the wrong kind of value
	`)
}

func TestNoAllocations(t *testing.T) {
	if testing.CoverMode() != "" {
		t.Skip("coverage counts")
	}
	r := newRunner(t)
	r.Do(append([]string{"rpush", "long"}, strings.Fields(strings.Repeat("element:12345 77 ", 2000))...)...)
	r.Do(append([]string{"rpush", "short"}, strings.Fields(strings.Repeat("element 77 ", 50))...)...)
	for _, key := range []string{"long", "short"} {
		for _, text := range []string{
			"lpush # abc", "rpush # abc 12 def", "lpop #", "rpop #", "lrange # 0 99", "llen #", "lindex # 20", "lset # 3 new",
			"lmove # # left right", "lpos # 77 rank 2", "lrem # 1 77", "linsert # after 77 xyz", "ltrim # 1 -2", "lpushx # x", "lpop # 1",
			"lmove # other left right", "lmove other # right right", "lmpop 1 # left",
		} {
			args := commandtest.Args(strings.Fields(strings.ReplaceAll(text, "#", key))...)
			r.Run(args)
			if n := testing.AllocsPerRun(20, func() { r.Run(args) }); n != 0 {
				t.Errorf("%s: %v allocations", strings.ReplaceAll(text, "#", key), n)
			}
		}
	}
}
