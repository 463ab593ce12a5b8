package serial_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/redistest"
)

// long is a value past every threshold of the compact encodings.
var long = strings.Repeat("long", 100)

// many returns a command with n elements, made by elem.
func many(n int, elem func(i int) []string, words ...string) []string {
	for i := range n {
		words = append(words, elem(i)...)
	}
	return words
}

// values are commands that make a key each, of every type and encoding, named after the
// encoding that redis 7.0 has for it.
func values() map[string][][]string {
	pair := func(i int) []string { return []string{fmt.Sprint("f", i), fmt.Sprint(i * i)} }
	one := func(i int) []string { return []string{fmt.Sprint("e", i)} }
	return map[string][][]string{
		"list listpack": {{"RPUSH", "list listpack", "a", "1", "", "-70000"}},
		"list nodes":    {many(3000, one, "RPUSH", "list nodes", long)},
		"list plain":    {{"RPUSH", "list plain", "a", strings.Repeat(long, 50), "b"}},
		"int":           {{"SET", "int", "-12345678901"}},
		"embstr":        {{"SET", "embstr", "short"}},
		"raw":           {{"SET", "raw", long}},
		"appended":      {{"APPEND", "appended", "short"}},
		"stream": {
			many(1, one, "XADD", "stream", "1-1", "a"), {"XADD", "stream", "1-2", "a", "2"}, {"XADD", "stream", "7-0", "b", "x", "c", long},
			{"XDEL", "stream", "1-1"}, {"XGROUP", "CREATE", "stream", "g", "0"}, {"XGROUP", "CREATE", "stream", "h", "$"},
			{"XREADGROUP", "GROUP", "g", "alice", "COUNT", "1", "STREAMS", "stream", ">"}, {"XREADGROUP", "GROUP", "g", "bob", "STREAMS", "stream", ">"},
		},
		"stream empty":  {{"XADD", "stream empty", "1-1", "a", "b"}, {"XDEL", "stream empty", "1-1"}},
		"set intset":    {{"SADD", "set intset", "1", "-70000", "9000000000"}},
		"set integers":  {many(600, func(i int) []string { return []string{fmt.Sprint(i)} }, "SADD", "set integers")},
		"set listpack":  {{"SADD", "set listpack", "a", "1", ""}},
		"set table":     {many(300, one, "SADD", "set table")},
		"zset listpack": {{"ZADD", "zset listpack", "1.5", "a", "-inf", "b", "0.1", "c", "3", "d", "1e300", "e"}},
		"zset tree":     {many(300, func(i int) []string { return []string{fmt.Sprint(i % 7), fmt.Sprint("m", i)} }, "ZADD", "zset tree")},
		"hash listpack": {{"HSET", "hash listpack", "f", "v", "1", "2", "n", "-70000", "e", ""}},
		"hash table":    {many(600, pair, "HSET", "hash table"), {"HSET", "hash table", "long", long}},
		"hash long":     {{"HSET", "hash long", "f", long}},
	}
}

// What redis dumps is restored here, and what is dumped here is restored by redis, with
// the same contents.
func TestRedisBothWays(t *testing.T) {
	r := newRunner(t)
	redis := redistest.Start(t)
	c := redis.Dial()
	defer c.Close()
	for key, cmds := range values() {
		for _, cmd := range cmds {
			if got := c.Do(cmd...); strings.HasPrefix(got, "-") {
				t.Fatalf("%.60q: %s", cmd, got)
			}
		}
		theirs := c.Do("DUMP", key)
		if got := ask(t, r, "RESTORE", key, "0", theirs); got != "OK" {
			t.Errorf("%s: restoring redis' payload: %s", key, got)
			continue
		}
		ours := payload(t, r, key)
		if got := c.Do("RESTORE", "copy of "+key, "0", ours); got != "OK" {
			t.Errorf("%s: redis restoring our payload: %s", key, got)
			continue
		}
		if a, b := c.Do("DEBUG", "DIGEST-VALUE", key), c.Do("DEBUG", "DIGEST-VALUE", "copy of "+key); a != b {
			t.Errorf("%s: digest %s, ours %s", key, a, b)
		}
		if a, b := c.Do("OBJECT", "ENCODING", key), ask(t, r, "OBJECT", "ENCODING", key); a != b && key != "appended" && !newer(key) {
			t.Errorf("%s: encoding %s, ours %s", key, a, b)
		}
	}
}

// newer reports whether 7.2 has another encoding than 7.0 for a key of values.
func newer(key string) bool { return key == "set listpack" || key == "list listpack" }

// The size of a value decides whether it is dumped and restored as an owner.
func TestBigValuesOwnTheirShard(t *testing.T) {
	r := newRunner(t)
	redis := commandtest.StartRedis(t)
	redis.Do(many(12_000, func(i int) []string { return []string{fmt.Sprint(i), "v"} }, "HSET", "h")...)
	p := redis.Ask("DUMP", "h").Text
	if got := ask(t, r, "RESTORE", "h", "0", p); got != "OK" || r.Owned != 1 {
		t.Fatalf("%s, owned %d times", got, r.Owned)
	}
	if payload(t, r, "h"); r.Owned != 2 {
		t.Fatalf("owned %d times", r.Owned)
	}
	r.Do("SET", "s", "v")
	if ask(t, r, "RESTORE", "t", "0", payload(t, r, "s")); r.Owned != 2 {
		t.Fatalf("owned %d times", r.Owned)
	}
}
