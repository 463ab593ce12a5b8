package zset_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/zset"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 2, zset.Specs(zset.Deps{}), keys.Specs(keys.Deps{}))
	r.Now = 1_000_000
	return r
}

// What is propagated must mean the same at any time and on any machine.
func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		zadd z 1 a 2 b             -> 2 | zadd z 1 a 2 b
		zadd z 1 a 2 b             -> 0
		zadd z xx gt ch 3 a 1 b    -> 1 | zadd z xx gt ch 3 a 1 b
		zadd z nx 9 a              -> 0
		zadd z incr 1.5 a          -> 4.5 | zadd z incr 1.5 a
		zadd z xx 1 new            -> 0
		zincrby z -0.5 a           -> 4 | zincrby z -0.5 a
		zincrby z 0 a              -> 4
		zincrby z inf a            -> inf | zincrby z inf a
		zincrby z -inf a           -> -ERR resulting score is not a number (NaN)
		zrem z none                -> 0
		zrem z a none              -> 1 | zrem z a none
		zadd z 1 a 3 c 4 d 5 e     -> 4 | zadd z 1 a 3 c 4 d 5 e
		zpopmin z                  -> [a 1] | zpopmin z
		zpopmax z 0                -> []
		zpopmax none               -> []
		zmpop 2 none z max count 2 -> [z [[e 5] [d 4]]] | ZPOPMAX z 2
		bzpopmin none z 0          -> [z b 2] | ZPOPMIN z
		bzmpop 0 1 z min count 9   -> [z [[c 3]]] | ZPOPMIN z 1
		exists z                   -> 0
		zmpop 1 z min              -> nil
		zadd z 1 a 2 b 3 c 4 d     -> 4 | zadd z 1 a 2 b 3 c 4 d
		zremrangebyscore z 2 (3    -> 1 | zremrangebyscore z 2 (3
		zremrangebyscore z 2 (3    -> 0
		zremrangebyrank z 0 0      -> 1 | zremrangebyrank z 0 0
		zremrangebylex z [x [x     -> 0
		zunionstore d 1 z          -> 2 | zunionstore d 1 z
		zinterstore d 2 z none     -> 0 | zinterstore d 2 z none
		zinterstore d 2 z none     -> 0
		zdiffstore d 1 z           -> 2 | zdiffstore d 1 z
		zrangestore d z 5 6        -> 0 | zrangestore d z 5 6
		zrangestore d z 5 6        -> 0
		zrangestore d z 0 0        -> 1 | zrangestore d z 0 0
	`)
}

// Those who wait are served in the order in which they came, each by what is left.
func TestBlocking(t *testing.T) {
	newRunner(t).Script(t, `
		@a bzpopmin z 0            -> blocked
		@b bzmpop 0 2 y z max count 3 -> blocked
		@c bzpopmax z 0            -> blocked
		zadd z 1 a 2 b 3 c         -> 3 | zadd z 1 a 2 b 3 c; ZPOPMIN z; ZPOPMAX z 2
		@a                         -> [z a 1]
		@b                         -> [z [[c 3] [b 2]]]
		exists z                   -> 0
		zadd y 1 a                 -> 1 | zadd y 1 a
		zunionstore z 1 y          -> 1 | zunionstore z 1 y; ZPOPMAX z
		@c                         -> [z a 1]
		@a bzpopmin q 10           -> blocked
		@a timeout                 -> nil
		@a bzmpop 10 1 q min       -> blocked
		@a timeout                 -> nil
	`)
}

// A command that would take long asks for its shards, once, before it changes anything.
func TestSlow(t *testing.T) {
	r := newRunner(t)
	words := []string{"zadd", "z"}
	for i := range 11_000 {
		words = append(words, fmt.Sprint(i), fmt.Sprintf("m%d", i))
	}
	for _, request := range []string{
		strings.Join(words, " "), "zrange z 0 -1", "zrangebyscore z -inf inf withscores", "zunion 1 z", "zinter 2 z z", "zdiff 2 z none",
		"zunionstore d 1 z", "zrangestore d z 0 -1", "zrandmember z 11000", "zrandmember z -11000", "zlexcount z - +", "zrangebylex z [a [b",
		"zscan z 0 count 20000", "zremrangebyrank z 0 10500", "zunionstore z 1 d", "zpopmin z 10500",
	} {
		before := r.Owned
		if reply := r.Do(strings.Split(request, " ")...); reply[0] == '-' {
			t.Errorf("%.40s: %s", request, reply)
		}
		if r.Owned != before+1 {
			t.Errorf("%.40s was run as an owner %d times", request, r.Owned-before)
		}
	}
	for _, request := range []string{"zadd d 1 a", "zrange d 0 9", "zcard d", "zpopmin d", "zrank d m5000", "zcount d 0 5000", "zremrangebyscore d 0 100"} {
		before := r.Owned
		r.Do(strings.Split(request, " ")...)
		if r.Owned != before {
			t.Errorf("%s was run as an owner", request)
		}
	}
}

func TestScanMeetsAll(t *testing.T) {
	r := newRunner(t)
	for i := range 1000 {
		r.Do("zadd", "z", fmt.Sprint(i), fmt.Sprintf("m%d", i))
	}
	met := map[string]string{}
	for cursor := "0"; ; {
		v, err := commandtest.Parse(r.Do("zscan", "z", cursor, "count", "20"))
		if err != nil {
			t.Fatal(err)
		}
		pairs := v.Items[1].Strings()
		for i := 0; i < len(pairs); i += 2 {
			met[pairs[i]] = pairs[i+1]
		}
		if cursor = v.Items[0].Text; cursor == "0" {
			break
		}
	}
	if len(met) != 1000 || met["m17"] != "17" {
		t.Errorf("%d members met, m17 is %q", len(met), met["m17"])
	}
}

func TestRandomMembers(t *testing.T) {
	r := newRunner(t)
	for i := range 400 {
		r.Do("zadd", "z", fmt.Sprint(i), fmt.Sprintf("m%d", i))
		r.Do("zadd", "small", fmt.Sprint(i%7), fmt.Sprintf("m%d", i%7))
	}
	for _, key := range []string{"z", "small"} {
		seen := map[string]int{}
		for range 4000 {
			v, _ := commandtest.Parse(r.Do("zrandmember", key))
			seen[v.Text]++
		}
		want := map[string]int{"z": 400, "small": 7}[key]
		for m, n := range seen {
			if n < 4000/want/20 || n > 4000/want*4 {
				t.Errorf("%s of %s drawn %d times of 4000", m, key, n)
			}
		}
		if len(seen) < want*99/100 {
			t.Errorf("%d members of %s ever drawn", len(seen), key)
		}
		for _, n := range []int{1, 5, 7, 100, 300, 400} {
			v, _ := commandtest.Parse(r.Do("zrandmember", key, fmt.Sprint(n)))
			distinct := map[string]bool{}
			for _, m := range v.Strings() {
				distinct[m] = true
			}
			if len(v.Items) != min(n, want) || len(distinct) != len(v.Items) {
				t.Errorf("%d members of %s: %d, %d of them different", n, key, len(v.Items), len(distinct))
			}
		}
		if v, _ := commandtest.Parse(r.Do("zrandmember", key, "-1000")); len(v.Items) != 1000 {
			t.Errorf("-1000 members of %s: %d", key, len(v.Items))
		}
	}
}

func TestAllocations(t *testing.T) {
	r := newRunner(t)
	for i := range 500 {
		r.Do("zadd", "big", fmt.Sprint(i), fmt.Sprintf("m%d", i))
	}
	r.Do("zadd", "small", "1", "a", "2.5", "b", "3", "17", "4", "d")
	for _, words := range []string{
		"zadd small 1 a", "zadd small 1.75 x; zrem small x", "zadd small 2 a; zadd small 9 a; zadd small 1 a", "zscore small b", "zrank small d",
		"zrange small 0 -1 withscores", "zrangebyscore small 2 (4", "zcount small 1 3", "zrangebylex small - +", "zadd small 0 p; zpopmin small",
		"zadd small 99 p; zpopmax small", "zincrby small 1 b; zincrby small -1 b", "zcard small", "zmscore small a b", "zrandmember small",
		"zadd fresh 1 a; zpopmin fresh",
		"zadd big 7 m7", "zadd big 7.5 x; zrem big x", "zadd big 1000 m3; zadd big 3 m3", "zscore big m10", "zrank big m10", "zrevrank big m10",
		"zrange big 10 20 withscores", "zrevrange big 0 9", "zrangebyscore big 100 120 limit 2 5", "zcount big 5 400", "zadd big -1 p; zpopmin big",
		"zadd big 9999 p; zpopmax big 1", "zincrby big 0.5 m9; zincrby big -0.5 m9", "zremrangebyscore big 10000 20000", "zrandmember big",
		"zadd big -1 p; bzpopmin big 0",
	} {
		var requests [][][]byte
		for _, request := range strings.Split(words, "; ") {
			requests = append(requests, commandtest.Args(strings.Split(request, " ")...))
		}
		n := testing.AllocsPerRun(200, func() {
			for _, args := range requests {
				r.Run(args)
			}
		})
		if n != 0 {
			t.Errorf("%s allocates %v times", words, n)
		}
	}
}

func BenchmarkCommands(b *testing.B) {
	r := newRunner(b)
	for i := range 10_000 {
		r.Do("zadd", "z", fmt.Sprint(i*7919%10_000), fmt.Sprintf("member:%d", i))
	}
	for i := range 100 {
		r.Do("zadd", "small", fmt.Sprint(i*79%100), fmt.Sprintf("member:%d", i))
	}
	for _, words := range []string{
		"zadd z 5000.5 member:77; zadd z 77 member:77", "zadd z -1 x; zpopmin z", "zscore z member:99", "zrange z 0 9", "zrank z member:99",
		"zadd small 50.5 member:77; zadd small 77 member:77", "zadd small -1 x; zpopmin small", "zscore small member:50", "zrange small 0 9",
	} {
		b.Run(words, func(b *testing.B) {
			var requests [][][]byte
			for _, request := range strings.Split(words, "; ") {
				requests = append(requests, commandtest.Args(strings.Split(request, " ")...))
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, args := range requests {
					r.Run(args)
				}
			}
		})
	}
}
