package bitmap_test

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/bitmap"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 2, bitmap.Specs(), str.Specs(), keys.Specs(keys.Deps{}))
	r.Now = 1_000_000
	return r
}

// Only what changes something is propagated, as it was sent.
func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		setbit a 7 1               -> 0 | setbit a 7 1
		setbit a 7 1               -> 1
		setbit a 6 0               -> 0
		setbit a 15 0              -> 0 | setbit a 15 0
		strlen a                   -> 2
		getbit a 7                 -> 1
		bitcount a                 -> 1
		bitpos a 1                 -> 7
		bitop not b a              -> 2 | bitop not b a
		bitop and b x y            -> 0 | bitop and b x y
		bitop and b x y            -> 0
		bitfield a get u8 0        -> [1]
		bitfield a set u8 0 1      -> [1]
		bitfield a set u8 0 2      -> [1] | bitfield a set u8 0 2
		bitfield a incrby u8 0 0   -> [2]
		bitfield a incrby u8 0 300 -> [46] | bitfield a incrby u8 0 300
		bitfield a overflow fail incrby u8 0 255 -> [nil]
		bitfield a overflow fail set u8 400 256  -> [nil] | bitfield a overflow fail set u8 400 256
		strlen a                   -> 51
		bitfield_ro a get u8 0     -> [46]
	`)
}

// The operations of Redis 8.2, which the redis-server of the comparison lacks.
func TestLaterOperations(t *testing.T) {
	r := newRunner(t)
	r.Script(t, `
		bitfield x set u8 0 240 set u8 8 255   -> [0 0] | bitfield x set u8 0 240 set u8 8 255
		bitfield y set u8 0 170                -> [0] | bitfield y set u8 0 170
		bitfield z set u8 0 204 set u8 8 1     -> [0 0] | bitfield z set u8 0 204 set u8 8 1
		bitop diff d x y z                     -> 2 | SET d `+"\x10\xfe"+`
		bitfield d get u8 0 get u8 8           -> [16 254]
		bitop DIFF1 d x y z                    -> 2 | SET d `+"\x0e\x00"+`
		bitfield d get u8 0 get u8 8           -> [14 0]
		bitop AndOr d x y z                    -> 2 | SET d `+"\xe0\x01"+`
		bitfield d get u8 0 get u8 8           -> [224 1]
		bitop one d x y z                      -> 2 | SET d `+"\x16\xfe"+`
		bitfield d get u8 0 get u8 8           -> [22 254]
		bitop one d x x x                      -> 2 | SET d `+"\x00\x00"+`
		bitcount d                             -> 0
		bitop one d x                          -> 2 | SET d `+"\xf0\xff"+`
		bitcount d                             -> 12
		bitop diff d x                         -> -ERR BITOP DIFF must be called with at least two source keys.
		bitop diff1 d x                        -> -ERR BITOP DIFF1 must be called with at least two source keys.
		bitop andor d x                        -> -ERR BITOP ANDOR must be called with at least two source keys.
		bitop diff d x nokey                   -> 2 | SET d `+"\xf0\xff"+`
		bitcount d                             -> 12
		bitop diff1 d nokey x                  -> 2 | SET d `+"\xf0\xff"+`
		bitcount d                             -> 12
		bitop andor d x nokey                  -> 2 | SET d `+"\x00\x00"+`
		bitcount d                             -> 0
		bitop one d nokey                      -> 0 | DEL d
		bitop one d nokey                      -> 0
	`)
}

func TestMaxBulkBytes(t *testing.T) {
	r := newRunner(t)
	r.Ctx.MaxBulkBytes = 10
	const tooFar = "-ERR bit offset is not an integer or out of range"
	r.Script(t, `
		setbit a 79 1               -> 0 | setbit a 79 1
		setbit a 80 1               -> `+tooFar+`
		getbit a 80                 -> `+tooFar+`
		bitfield a get u8 79        -> [128]
		bitfield a set u8 79 0      -> [128] | bitfield a set u8 79 0
		strlen a                    -> 11
		bitfield a get u8 #9        -> [0]
		bitfield a get u8 #10       -> `+tooFar+`
		bitfield a get i4 #4611686018427387904 -> `+tooFar+`
	`)
}

// Long work is refused under a mutex, before any change or reply, and done by an owner.
func TestSlowCommandsRunAsOwner(t *testing.T) {
	r := newRunner(t)
	run := func(owned int, line string) {
		t.Helper()
		before := r.Owned
		r.Ctx.Hits = 0
		if reply := r.Do(strings.Fields(line)...); reply[0] == '-' {
			t.Errorf("%s: %s", line, reply)
		}
		if got := r.Owned - before; got != owned {
			t.Errorf("%s: ran %d times as an owner, want %d", line, got, owned)
		}
		if strings.HasPrefix(line, "bitcount") && r.Ctx.Hits != 1 {
			t.Errorf("%s: %d hits", line, r.Ctx.Hits)
		}
	}
	run(1, "setbit a 16000000 1")
	run(0, "setbit a 15000000 1")
	run(0, "getbit a 15000000")
	run(1, "bitcount a")
	run(0, "bitcount a 1000 2000")
	run(1, "bitpos a 1")
	run(0, "bitpos a 1 1000 2000")
	run(1, "bitop not b a")
	run(1, "bitop or b a x")
	run(0, "bitfield a get u8 15000000 set u8 1000 1")
	run(1, "bitfield a set u8 40000000 1")
	run(1, "bitfield a"+strings.Repeat(" get u8 0", 10_001))
	run(1, "bitop or b"+strings.Repeat(" x", 10_001))
}

func TestKeyFlagsOfBitfield(t *testing.T) {
	field := newRunner(t).Table.Lookup([]byte("bitfield"))
	const reads, writes = command.KeyRO | command.KeyAccess, command.KeyRW | command.KeyAccess | command.KeyUpdate
	for words, want := range map[string]command.KeyFlags{
		"bitfield k":                          reads,
		"bitfield k get u8 0 GET u8 1":        reads,
		"bitfield k overflow sat get set 0":   reads,
		"bitfield k get u8 0 set u8 0 1":      writes,
		"bitfield k get u8 0 incrby u8 0 1":   writes,
		"bitfield k get u8":                   writes,
		"bitfield k overflow sat what u8 0 1": writes,
	} {
		got, ok := field.AppendKeys(nil, commandtest.Args(strings.Fields(words)...))
		if !ok || len(got) != 1 || got[0].Flags != want {
			t.Errorf("%s: %v %v", words, got, ok)
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	r := newRunner(t)
	r.Do("set", "number", "123")
	for _, words := range []string{
		"setbit a 100 1", "setbit a 100 0", "getbit a 100", "getbit number 3", "bitcount a", "bitcount number", "bitpos a 1",
		"bitfield a get u8 0 incrby u8 #1 1 overflow sat set i5 7 1", "bitfield_ro a get u8 0", "bitop or d a a", "bitop one d a nokey a",
	} {
		args := commandtest.Args(strings.Fields(words)...)
		r.Run(args)
		if n := testing.AllocsPerRun(200, func() { r.Run(args) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
}
