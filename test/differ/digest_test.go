package differ

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// TestDigest wants the same DEBUG DIGEST of the same data in several databases.
func TestDigest(t *testing.T) {
	redis, ours := commandtest.StartRedis(t, "--enable-debug-command", "yes"), newSession(t)
	for _, line := range []string{
		"debug digest",
		"set a 1",
		"debug digest",
		"set b hello",
		"pexpireat b 33177117420000",
		"debug digest",
		"hset h f v g 1 h 2",
		"rpush l a 1 b 2 a",
		"sadd ints 3 1 2",
		"sadd s x y z 1",
		"zadd z 1 a 2.5 b -inf c 3e20 d 1 1",
		"xadd x 1-1 f v g 2",
		"xadd x 2-1 other field",
		"debug digest",
		"select 3",
		"set a 1",
		"debug digest",
		"debug digest-value a b h l ints s z x nosuch",
		"select 0",
		"debug digest-value a b h l ints s z x nosuch",
		"debug digest-value",
		"debug digest x",
		"del a",
		"debug digest",
	} {
		words := strings.Fields(line)
		if words[0] != "select" && ours.Table.Lookup([]byte(words[0])) == nil {
			continue // of a type that is not there
		}
		if want, got := string(redis.Do(words...)), ours.do(words...); got != want {
			t.Errorf("%s: %q, redis %q", line, got, want)
		}
	}
}

// placeAndClock are what DEBUG OBJECT says that is no property of the value.
var placeAndClock = regexp.MustCompile(`Value at:\w+ |lru:\d+ lru_seconds_idle:\d+`)

var serialized = regexp.MustCompile(`serializedlength:\d+`)

// TestDebugObject wants DEBUG OBJECT to tell the same of values of both servers.
func TestDebugObject(t *testing.T) {
	redis, ours := commandtest.StartRedis(t, "--enable-debug-command", "yes"), newSession(t)
	do := func(words ...string) {
		if ours.Table.Lookup([]byte(words[0])) != nil {
			redis.Do(words...)
			ours.do(words...)
		}
	}
	var many, pairs, scored []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("element:%d", i*i))
		pairs = append(pairs, fmt.Sprintf("field:%d", i), strings.Repeat("v", i%20)) // too short to be compressed
		scored = append(scored, strconv.Itoa(i), fmt.Sprintf("member:%d", i))
	}
	do("set", "int", "12345")
	do("set", "embstr", "hello")
	do("set", "raw", strings.Repeat("text that can be compressed ", 30))
	do(append([]string{"rpush", "list"}, many...)...)
	do("rpush", "list", strings.Repeat("big", 5000), "1", "2")
	do("linsert", "list", "before", "element:400", "new")
	do("lpush", "list", "first", "-1")
	do("hset", "hash", "f", "1", "g", "v")
	do(append([]string{"hset", "bighash"}, pairs...)...)
	do("sadd", "ints", "1", "2", "70000")
	do(append([]string{"sadd", "bigset"}, many...)...)
	do("zadd", "zset", "1", "a", "2", "b")
	do(append([]string{"zadd", "bigzset"}, scored...)...)
	for _, key := range []string{"int", "embstr", "raw", "list", "hash", "bighash", "ints", "bigset", "zset", "bigzset", "nosuch"} {
		if string(ours.do("exists", key)) == ":0\r\n" && key != "nosuch" {
			continue
		}
		theirs := placeAndClock.ReplaceAllString(string(redis.Do("debug", "object", key)), "")
		mine := placeAndClock.ReplaceAllString(ours.do("debug", "object", key), "")
		if key == "raw" || key == "list" || key == "bighash" { // other bytes by another LZF
			theirs, mine = serialized.ReplaceAllString(theirs, ""), serialized.ReplaceAllString(mine, "")
		}
		if theirs != mine {
			t.Errorf("%s:\nredis %s ours %s", key, theirs, mine)
		}
	}
	for _, size := range []string{"0", "10", "1kb", "3gb", "4gb", "5gb", "x", "-1"} {
		words := []string{"debug", "quicklist-packed-threshold", size}
		if theirs, mine := string(redis.Do(words...)), ours.do(words...); theirs != mine {
			t.Errorf("%q: %q, redis %q", words, mine, theirs)
		}
	}
}
