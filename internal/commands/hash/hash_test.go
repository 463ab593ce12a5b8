package hash_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/hash"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/engine"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 2, hash.Specs(hash.Deps{}), keys.Specs(keys.Deps{}), str.Specs())
	r.Now = 1_000_000
	return r
}

// What is propagated.
func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		hset h a 1 b 2 -> 2 | hset h a 1 b 2
		hset h a 3 c 4 -> 1 | hset h a 3 c 4
		hset h a -> -ERR wrong number of arguments for 'hset' command
		hmset h d 1 -> OK | hmset h d 1
		hsetnx h a 9 -> 0
		hsetnx h e 9 -> 1 | hsetnx h e 9
		hincrby h a 2 -> 5 | hincrby h a 2
		hincrbyfloat h a 0.5 -> 5.5 | HSET h a 5.5
		hincrby h a 1 -> -ERR hash value is not an integer
		hdel h x -> 0
		hdel h a b -> 2 | hdel h a b
		hdel h c d e -> 3 | hdel h c d e
		exists h -> 0
		set s v -> OK | set s v
		hset s a 1 -> -WRONGTYPE Operation against a key holding the wrong kind of value
	`)
}

// The expiry of fields (https://redis.io/docs/latest/commands/hexpire/ and its kin).
func TestFieldExpiry(t *testing.T) {
	r := newRunner(t)
	r.Script(t, `
		hset h a 1 b 2 c 3 -> 3 | hset h a 1 b 2 c 3
		object encoding h -> listpack
		hexpire h 10 fields 2 a x -> [1 -2] | HPEXPIREAT h 1010000 FIELDS 1 a
		object encoding h -> listpackex
		httl h fields 3 a b x -> [10 -1 -2]
		hpttl h fields 1 a -> [10000]
		hexpiretime h fields 1 a -> [1010]
		hpexpiretime h fields 1 a -> [1010000]
		hexpire h 5 nx fields 2 a b -> [0 1] | HPEXPIREAT h 1005000 FIELDS 1 b
		hexpire h 20 xx fields 2 a c -> [1 0] | HPEXPIREAT h 1020000 FIELDS 1 a
		hexpire h 15 gt fields 3 a b c -> [0 1 0] | HPEXPIREAT h 1015000 FIELDS 1 b
		hexpire h 15 lt fields 3 a b c -> [1 0 1] | HPEXPIREAT h 1015000 FIELDS 2 a c
		hincrby h a 5 -> 6 | hincrby h a 5
		hincrbyfloat h a 0.5 -> 6.5 | HSETEX h KEEPTTL FIELDS 1 a 6.5
		httl h fields 1 a -> [15]
		hset h a 7 -> 0 | hset h a 7
		httl h fields 1 a -> [-1]
		hpersist h fields 3 a b x -> [-1 1 -2] | HPERSIST h FIELDS 1 b
		hexpireat h 1 fields 1 b -> [2] | HDEL h b
		hpexpireat h 1000001 fields 1 c -> [1] | HPEXPIREAT h 1000001 FIELDS 1 c
		hgetall h -> [c 3 a 7]
		hexpire missing 1 fields 2 a b -> [-2 -2]
		hexpire h -1 fields 1 a -> -ERR invalid expire time, must be >= 0
		hexpire h 999999999999999 fields 1 a -> -ERR invalid expire time in 'hexpire' command
		hexpire h x fields 1 a -> -ERR value is not an integer or out of range
		hexpire h 1 fields 0 a -> -ERR Parameter `+"`numFields`"+` should be greater than 0
		hexpire h 1 fields 2 a -> -ERR The `+"`numfields`"+` parameter must match the number of arguments
		hexpire h 1 what 1 a -> -ERR Mandatory argument FIELDS is missing or not at the right position
		httl h fields 0 a -> -ERR Number of fields must be a positive integer
	`)
	r.Now += 10
	r.Script(t, `
		hgetall h -> [a 7]
		hlen h -> 2
		hget h c -> nil
		hdel h c -> 0
		hsetnx h c 1 -> 1 | hsetnx h c 1
		httl h fields 1 c -> [-1]
	`)
}

// HGETDEL, HGETEX and HSETEX.
func TestCombined(t *testing.T) {
	newRunner(t).Script(t, `
		hsetex h ex 10 fields 2 a 1 b 2 -> 1 | HSETEX h PXAT 1010000 FIELDS 2 a 1 b 2
		httl h fields 2 a b -> [10 10]
		hsetex h keepttl fields 1 a 3 -> 1 | HSETEX h KEEPTTL FIELDS 1 a 3
		httl h fields 1 a -> [10]
		hsetex h fnx fields 2 a 4 c 1 -> 0
		hsetex h fxx fields 2 a 4 c 1 -> 0
		hsetex h fxx fields 1 a 4 -> 1 | HSET h a 4
		hsetex h nx fields 1 a 4 -> 0
		hsetex nokey xx fields 1 a 4 -> 0
		hsetex h ex 1 px 2 fields 1 a 4 -> -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
		hsetex h fnx fxx fields 1 a 4 -> -ERR Only one of FXX or FNX arguments can be specified
		hsetex h ex 0 fields 1 a 4 -> -ERR invalid expire time in 'hsetex' command
		hsetex h what fields 1 a 4 -> -ERR unknown argument: what
		hsetex h fields 1 a 4 b -> -ERR The `+"`numfields`"+` parameter must match the number of arguments
		hgetex h ex 20 fields 2 a x -> [4 nil] | HPEXPIREAT h 1020000 FIELDS 1 a
		hgetex h persist fields 2 a b -> [4 2] | HPERSIST h FIELDS 2 a b
		hgetex h fields 1 a -> [4]
		hgetex h pxat 1 fields 1 b -> [2] | HDEL h b
		hgetdel h fields 2 a x -> [4 nil] | HDEL h a
		exists h -> 0
		hgetdel h fields 1 a -> [nil]
		hgetdel h field 1 a -> -ERR Mandatory argument FIELDS is missing or not at the right position
	`)
}

// A table gives the same answers, and scans return every field.
func TestTable(t *testing.T) {
	r := newRunner(t)
	r.Keyspace.SetLimits(engine.Limits{HashEntries: 4, HashValue: 10})
	for i := range 1000 {
		r.Do("hset", "h", fmt.Sprint("f", i), fmt.Sprint(i))
	}
	r.Script(t, `
		object encoding h -> hashtable
		hlen h -> 1000
		hget h f17 -> 17
		hexpire h 10 fields 1 f17 -> [1] | HPEXPIREAT h 1010000 FIELDS 1 f17
		hincrby h f17 1 -> 18 | hincrby h f17 1
		httl h fields 1 f17 -> [10]
		hmget h f1 f2000 -> [1 nil]
		hstrlen h f999 -> 3
	`)
	seen := map[string]bool{}
	for cursor := "0"; ; {
		v, err := commandtest.Parse(r.Do("hscan", "h", cursor, "count", "50", "novalues"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range v.Items[1].Strings() {
			seen[f] = true
		}
		if cursor = v.Items[0].Text; cursor == "0" {
			break
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d fields scanned", len(seen))
	}
	for _, count := range []string{"5", "900", "-30"} {
		v, err := commandtest.Parse(r.Do("hrandfield", "h", count, "withvalues"))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(v.Items); i += 2 {
			if f := v.Items[i].Text; f != "f17" && f != "f"+v.Items[i+1].Text {
				t.Errorf("drew %s %s", f, v.Items[i+1].Text)
			}
		}
	}
	r.Now += 20_000
	r.Script(t, `
		hget h f17 -> nil
		hlen h -> 1000
	`)
	if !strings.Contains(string(r.Do("hkeys", "h")), "*999\r\n") {
		t.Error("the expired field is shown")
	}
}

func TestNoAllocations(t *testing.T) {
	r := newRunner(t)
	for _, big := range []bool{false, true} {
		if big {
			r.Keyspace.SetLimits(engine.Limits{HashEntries: 1, HashValue: 10})
		}
		r.Do("hset", "h", "a", "1", "b", "2")
		for _, words := range [][]string{{"hset", "h", "a", "3"}, {"hget", "h", "a"}, {"hincrby", "h", "b", "1"}, {"hgetall", "h"}, {"hexists", "h", "q"}, {"hmget", "h", "a", "b"}} {
			args := commandtest.Args(words...)
			if n := testing.AllocsPerRun(100, func() { r.Run(args) }); n != 0 {
				t.Errorf("%v allocates %.0f times", words, n)
			}
		}
	}
}
