package stream

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 16, Specs(), keys.Specs(keys.Deps{}))
	r.Now = 1_000_000
	return r
}

// What is propagated has the same outcome whenever and on whatever nodes it is run.
func TestEffects(t *testing.T) {
	r := newRunner(t)
	r.Script(t, `
		xadd s 5-1 f v                         -> 5-1 | xadd s 5-1 f v
		xadd s 5-* f v                         -> 5-2 | xadd s 5-2 f v
		xadd s * f v                           -> 1000000-0 | xadd s 1000000-0 f v
		xadd s * f v                           -> 1000000-1 | xadd s 1000000-1 f v
		xadd none nomkstream * f v             -> nil
		xadd s maxlen 4 * f v                  -> 1000000-2 | xadd s maxlen 4 1000000-2 f v
		xadd s maxlen ~ 1 limit 50 * f v       -> 1000000-3 | xadd s maxlen = 5 limit 50 1000000-3 f v
		xadd s minid ~ 5-2 1000000-4 f v       -> 1000000-4 | xadd s minid = 5-2 1000000-4 f v
		xadd s 1 f v                           -> -ERR The ID specified in XADD is equal or smaller than the target stream top item
		xtrim s maxlen ~ 1                     -> 0
		xtrim s maxlen 5                       -> 1 | xtrim s maxlen 5
		xdel s 5-2 99                          -> 0
		xdel s 1000000-0 99                    -> 1 | xdel s 1000000-0 99
		xlen s                                 -> 4
		xgroup create s g 0                    -> OK | xgroup create s g 0
		xgroup createconsumer s g c            -> 1 | xgroup createconsumer s g c
		xgroup createconsumer s g c            -> 0
		xreadgroup group g c count 1 streams s > -> [[s [[1000000-1 [f v]]]]] | XCLAIM s g c 0 1000000-1 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1000000-1; XGROUP SETID s g 1000000-1 ENTRIESREAD 4
		xreadgroup group g d noack count 1 streams s > -> [[s [[1000000-2 [f v]]]]] | XGROUP CREATECONSUMER s g d; XGROUP SETID s g 1000000-2 ENTRIESREAD 5
		xreadgroup group g c streams s 0       -> [[s [[1000000-1 [f v]]]]] | XCLAIM s g c 0 1000000-1 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID LASTID 1000000-2
		xclaim s g e 0 1000000-1 justid        -> [1000000-1] | XCLAIM s g e 0 1000000-1 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID LASTID 1000000-2
		xclaim s g f 0 99 lastid 2000000-0     -> [] | XGROUP SETID s g 2000000-0 ENTRIESREAD 5; XGROUP CREATECONSUMER s g f
		xautoclaim s g c 0 0                   -> [0-0 [[1000000-1 [f v]]] []] | XCLAIM s g c 0 1000000-1 TIME 1000000 RETRYCOUNT 3 FORCE JUSTID LASTID 2000000-0
		xack s g 7                             -> 0
		xack s g 1000000-1                     -> 1 | xack s g 1000000-1
		xgroup setid s g $                     -> OK | xgroup setid s g $
		xgroup delconsumer s g c               -> 0 | xgroup delconsumer s g c
		xgroup delconsumer s g c               -> 0
		xgroup destroy s g                     -> 1 | xgroup destroy s g
		xgroup destroy s g                     -> 0
		xsetid s 3000000-0                     -> OK | xsetid s 3000000-0
	`)
}

// A pending entry whose entry has gone is dropped on replicas, too.
func TestDroppedClaims(t *testing.T) {
	r := newRunner(t)
	r.Script(t, `
		xadd s 1 f v                    -> 1-0 | xadd s 1 f v
		xadd s 2 f v                    -> 2-0 | xadd s 2 f v
		xgroup create s g 0             -> OK | xgroup create s g 0
		xreadgroup group g c streams s > -> [[s [[1-0 [f v]] [2-0 [f v]]]]] | XCLAIM s g c 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0; XCLAIM s g c 0 2-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0; XGROUP SETID s g 2-0 ENTRIESREAD 2
		xdel s 1                        -> 1 | xdel s 1
		xclaim s g d 0 1                -> [] | XCLAIM s g c 0 1-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0; XGROUP CREATECONSUMER s g d
		xdel s 2                        -> 1 | xdel s 2
		xautoclaim s g d 0 0            -> [0-0 [] [2-0]] | XCLAIM s g c 0 2-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0
		xpending s g                    -> [0 nil nil nil]
	`)
}

// The references of groups (Redis 8.2).
func TestReferences(t *testing.T) {
	r := newRunner(t)
	for i := 1; i <= 9; i++ {
		r.Do("xadd", "s", fmt.Sprint(i), "f", "v")
	}
	r.Do("xgroup", "create", "s", "g", "0")
	r.Do("xgroup", "create", "s", "h", "0")
	r.Do("xreadgroup", "group", "g", "c", "count", "6", "streams", "s", ">")
	r.Do("xreadgroup", "group", "h", "c", "count", "4", "streams", "s", ">")
	r.Do("xack", "s", "g", "1", "2", "3")
	r.Do("xack", "s", "h", "1", "2")
	r.Script(t, `
		xdelex s ids 1                         -> -ERR wrong number of arguments for 'xdelex' command
		xdelex s x ids 1 1                     -> -ERR syntax error
		xdelex s ids 0 1                       -> -ERR Number of IDs must be a positive integer
		xdelex s ids x 1                       -> -ERR Number of IDs must be a positive integer
		xdelex s ids 3 1 2                     -> -ERR The `+"`numids`"+` parameter must match the number of arguments
		xdelex s ids 1 1 2                     -> -ERR syntax error
		xdelex s ids 1 x                       -> -ERR Invalid stream ID specified as stream command argument
		xdelex s keepref delref ids 1 1        -> -ERR syntax error
		xdelex none ids 2 1 2                  -> [-1 -1]
		xackdel s none ids 2 1 2               -> [-1 -1]
		xackdel none g ids 1 1                 -> [-1]
		xdelex s acked ids 5 1 3 5 9 99        -> [1 2 2 2 -1] | XDEL s 1-0
		xdelex s ids 1 3                       -> [1] | XDEL s 3-0
		xpending s h - + 10                    -> [[3-0 c 0 1] [4-0 c 0 1]]
		xdelex s ids 2 3 4 delref              -> [-1 1] | XDEL s 4-0; XACK s g 4-0; XACK s h 3-0 4-0
		xpending s h - + 10                    -> []
		xpending s g - + 10                    -> [[5-0 c 0 1] [6-0 c 0 1]]
		xackdel s g acked ids 3 2 5 6          -> [-1 2 2] | XACK s g 5-0 6-0
		xpending s g - + 10                    -> []
		xrange s - +                           -> [[2-0 [f v]] [5-0 [f v]] [6-0 [f v]] [7-0 [f v]] [8-0 [f v]] [9-0 [f v]]]
		xtrim s maxlen 2 acked                 -> 1 | XTRIM s MAXLEN = 2 ACKED
		xreadgroup group h d count 1 streams s > -> [[s [[5-0 [f v]]]]] | XCLAIM s h d 0 5-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 5-0; XGROUP SETID s h 5-0 ENTRIESREAD 5
		xtrim s minid 7 acked                  -> 0
		xackdel s h ids 1 5                    -> [1] | XACK s h 5-0; XDEL s 5-0
		xreadgroup group g d count 2 streams s > -> [[s [[7-0 [f v]] [8-0 [f v]]]]] | XCLAIM s g d 0 7-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 7-0; XCLAIM s g d 0 8-0 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 8-0; XGROUP SETID s g 8-0 ENTRIESREAD 8
		xadd s minid = 8 delref 10 f v         -> 10-0 | xadd s minid = 8 10-0 f v; XACK s g 7-0
		xpending s g - + 10                    -> [[8-0 d 0 1]]
		xadd s maxlen 1 keepref 11 f v         -> 11-0 | xadd s maxlen 1 11-0 f v
		xpending s g - + 10                    -> [[8-0 d 0 1]]
		xadd s maxlen 1 acked delref 12 f v    -> -ERR syntax error, only one of KEEPREF, DELREF or ACKED may be given
		xackdel s g delref ids 1 8             -> [1] | XACK s g 8-0
		xadd s maxlen 1 acked 13 f v           -> 13-0 | xadd s 13-0 f v
		xadd s delref 14 f v                   -> 14-0 | xadd s 14-0 f v
		xgroup setid s g 14                    -> OK | xgroup setid s g 14
		xgroup setid s h 14                    -> OK | xgroup setid s h 14
		xadd s minid 14 acked 15 f v           -> 15-0 | xadd s 15-0 f v; XTRIM s MINID = 14 ACKED
		xtrim s maxlen ~ 1 limit 100 acked     -> 0
		xtrim s maxlen = 1 keepref             -> 1 | xtrim s maxlen = 1
	`)
}

// XREAD has the id + of Redis 7.4: the last entry that is there.
func TestReadTop(t *testing.T) {
	r := newRunner(t)
	r.Script(t, `
		xread streams s +            -> nil
		xadd s 1 f v                 -> 1-0 | xadd s 1 f v
		xadd s 2 f v                 -> 2-0 | xadd s 2 f v
		xadd s 3 f v                 -> 3-0 | xadd s 3 f v
		xread streams s +            -> [[s [[3-0 [f v]]]]]
		xdel s 3                     -> 1 | xdel s 3
		xread streams s t + 0        -> [[s [[2-0 [f v]]]]]
		xtrim s maxlen 0             -> 2 | xtrim s maxlen 0
		xread streams s +            -> nil
	`)
}

func TestConsumerTimes(t *testing.T) {
	r := newRunner(t)
	r.Do("xadd", "s", "1", "f", "v")
	r.Script(t, `
		xgroup create s g 0               -> OK | xgroup create s g 0
		xgroup createconsumer s g c       -> 1 | xgroup createconsumer s g c
	`)
	r.Now += 10
	r.Script(t, `
		xinfo consumers s g               -> [[name c pending 0 idle 10 inactive -1]]
		xreadgroup group g c streams s >  -> [[s [[1-0 [f v]]]]] | XCLAIM s g c 0 1-0 TIME 1000010 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0; XGROUP SETID s g 1-0 ENTRIESREAD 1
	`)
	r.Now += 5
	r.Script(t, `
		xinfo consumers s g               -> [[name c pending 1 idle 5 inactive 5]]
		xreadgroup group g c streams s >  -> nil
		xinfo consumers s g               -> [[name c pending 1 idle 0 inactive 5]]
		xpending s g idle 5 - + 10        -> [[1-0 c 5 1]]
		xpending s g idle 6 - + 10        -> []
		xclaim s g d 6 1                  -> [] | XGROUP CREATECONSUMER s g d
		xclaim s g d 5 1 idle 100         -> [[1-0 [f v]]] | XCLAIM s g d 0 1-0 TIME 999915 RETRYCOUNT 2 FORCE JUSTID LASTID 1-0
		xclaim s g d 0 1 time 5000000     -> [[1-0 [f v]]] | XCLAIM s g d 0 1-0 TIME 1000015 RETRYCOUNT 3 FORCE JUSTID LASTID 1-0
		xinfo consumers s g               -> [[name c pending 0 idle 0 inactive 5] [name d pending 1 idle 0 inactive 0]]
		xinfo stream s full               -> [length 1 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 1-0 max-deleted-entry-id 0-0 entries-added 1 recorded-first-entry-id 1-0 entries [[1-0 [f v]]] groups [[name g last-delivered-id 1-0 entries-read 1 lag 0 pel-count 1 pending [[1-0 d 1000015 3]] consumers [[name c seen-time 1000015 active-time 1000010 pel-count 0 pending []] [name d seen-time 1000015 active-time 1000015 pel-count 1 pending [[1-0 1000015 3]]]]]]]
	`)
}

// What the clock says never takes an id back.
func TestClockGoesBack(t *testing.T) {
	r := newRunner(t)
	r.Script(t, `
		xadd s 2000000-7 f v  -> 2000000-7 | xadd s 2000000-7 f v
		xadd s * f v          -> 2000000-8 | xadd s 2000000-8 f v
		xadd s 2000000-18446744073709551615 f v -> 2000000-18446744073709551615 | xadd s 2000000-18446744073709551615 f v
		xadd s * f v          -> 2000001-0 | xadd s 2000001-0 f v
	`)
}

// Long work is refused under a mutex, before any change or reply, and done by an owner.
func TestSlowCommandsRunAsOwner(t *testing.T) {
	r := newRunner(t)
	run := func(owned int, words ...string) {
		t.Helper()
		before := r.Owned
		if reply := r.Do(words...); reply[0] == '-' {
			t.Errorf("%q: %s", words[:2], reply)
		}
		if got := r.Owned - before; got != owned {
			t.Errorf("%q: ran %d times as an owner, want %d", words[:min(len(words), 9)], got, owned)
		}
	}
	for i := range 20_000 {
		r.Do("xadd", "s", fmt.Sprint(i+1), "f", "v")
	}
	big := strings.Repeat("x", 600<<10)
	r.Do("xadd", "large", "1", "f", big)
	r.Do("xadd", "large", "2", "f", big)
	run(0, "xadd", "large", "3", "f", "v")
	run(1, "xadd", "large", "4", "f", strings.Repeat("x", 2<<20))
	run(1, "xrange", "s", "-", "+")
	run(0, "xrange", "s", "-", "+", "count", "100")
	run(0, "xrange", "s", "100", "200")
	run(1, "xrange", "large", "-", "+")
	run(0, "xrange", "large", "1", "1")
	run(1, "xrevrange", "s", "+", "-", "count", "15000")
	run(1, "xread", "streams", "s", "0")
	run(0, "xread", "count", "10", "streams", "s", "0")
	run(0, "xgroup", "create", "s", "g", "0")
	run(0, "xreadgroup", "group", "g", "c", "count", "10", "streams", "s", ">")
	run(1, "xreadgroup", "group", "g", "c", "streams", "s", ">")
	run(1, "xreadgroup", "group", "g", "c", "streams", "s", "0")
	run(1, "xpending", "s", "g", "-", "+", "100000")
	run(1, "xpending", "s", "g", "idle", "9999", "-", "+", "1")
	run(0, "xpending", "s", "g")
	run(0, "xautoclaim", "s", "g", "d", "0", "0")
	run(1, "xautoclaim", "s", "g", "d", "0", "0", "count", "5000", "justid")
	run(1, "xinfo", "stream", "s", "full", "count", "0")
	run(0, "xinfo", "stream", "s", "full")
	ids := []string{"s"}
	for i := range 10_500 {
		ids = append(ids, fmt.Sprint(i+1))
	}
	run(1, append([]string{"xdel"}, ids...)...)
	run(1, append([]string{"xack", "s", "g"}, ids[1:]...)...)
	run(1, "xtrim", "s", "maxlen", "10", "delref")
	run(0, "xtrim", "s", "maxlen", "5")
	run(0, "xgroup", "destroy", "s", "g")
}

// A command of the hot path allocates nothing, its effects included.
func TestHotPathAllocatesNothing(t *testing.T) {
	r := newRunner(t)
	for i := range 300 {
		r.Do("xadd", "s", fmt.Sprint(i+1), "name", "value", "count", "12")
	}
	r.Do("xgroup", "create", "s", "g", "0")
	r.Do("xreadgroup", "group", "g", "c", "streams", "s", ">")
	for _, words := range []string{
		"xadd s * name value count 12", "xadd s maxlen ~ 1000 * name value count 12", "xadd s maxlen 1000 * name other", "xadd none nomkstream * f v",
		"xlen s", "xrange s 5 20", "xrevrange s + - count 5", "xread count 5 streams s 0", "xack s g 999", "xdel s 999-5",
		"xpending s g", "xpending s g - + 5", "xtrim s maxlen ~ 1000", "xreadgroup group g c count 1 streams s >", "xreadgroup group g c count 2 streams s 0",
		"xclaim s g c 0 5 6", "xautoclaim s g c 0 0 count 2",
	} {
		args := commandtest.Args(strings.Split(words, " ")...)
		r.Run(args)
		if n := testing.AllocsPerRun(200, func() { r.Run(args) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
}

func BenchmarkCommands(b *testing.B) {
	for _, words := range []string{
		"xadd s * name 0123456789abcdef count 12345", "xadd s maxlen ~ 1000 * name 0123456789abcdef", "xrange s 5000 5010", "xread count 10 streams s 5000",
		"xreadgroup group g c count 1 streams s >",
	} {
		b.Run(words, func(b *testing.B) {
			r := newRunner(b)
			for i := range 10_000 {
				r.Do("xadd", "s", fmt.Sprint(i+1), "name", "value", "count", "12")
			}
			r.Do("xgroup", "create", "s", "g", "0")
			args := commandtest.Args(strings.Split(words, " ")...)
			b.ReportAllocs()
			for b.Loop() {
				r.Run(args)
			}
		})
	}
}

// BenchmarkAddToMany adds to a thousand streams in turn, and reports processor time, which
// neighbours on the machine change less than they do the clock's.
func BenchmarkAddToMany(b *testing.B) {
	r := newRunner(b)
	var requests [][][]byte
	for i := range 1000 {
		requests = append(requests, commandtest.Args("xadd", fmt.Sprintf("stream:%012d", i*7919%1000), "*", "field", fmt.Sprintf("value:%012d", i)))
	}
	for range 150 {
		for _, args := range requests {
			r.Run(args)
		}
	}
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		r.Run(requests[i%1000])
		i++
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	b.ReportMetric(float64(after.Utime.Nano()-before.Utime.Nano())/float64(i), "cpu-ns/op")
}
