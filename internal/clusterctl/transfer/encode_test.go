package transfer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

func runner(t *testing.T) *commandtest.Runner {
	t.Helper()
	r := commandtest.NewRunner(t, 1, commands.OnKeys(keys.Deps{})...)
	r.Now = 1_000_000
	return r
}

func ask(t *testing.T, r *commandtest.Runner, words ...string) commandtest.Reply {
	t.Helper()
	v, err := commandtest.Parse(r.Do(words...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// contents are the commands that tell all of a value.
var contents = [][]string{
	{"TYPE"}, {"PEXPIRETIME"}, {"GET"}, {"LRANGE", "0", "-1"}, {"SMEMBERS"}, {"ZRANGE", "0", "-1", "WITHSCORES"}, {"HGETALL"},
	{"HPEXPIRETIME", "FIELDS", "2", "f", "field-7"}, {"XRANGE", "-", "+"}, {"XPENDING", "g", "-", "+", "1000"}, {"XPENDING", "h", "-", "+", "1000"},
}

// Values of every type arrive whole, whether they fit one request or come in parts.
func TestEncoder(t *testing.T) {
	from := runner(t)
	long := strings.Repeat("0123456789abcdef", 20)
	for i := range 400 {
		v := fmt.Sprintf("%s-%d", long, i)
		from.Do("RPUSH", "list", v, fmt.Sprint(i))
		from.Do("SADD", "set", v)
		from.Do("ZADD", "zset", fmt.Sprint(float64(i)/7), v)
		from.Do("HSET", "hash", fmt.Sprintf("field-%d", i), v)
		from.Do("HSET", "volatile fields", fmt.Sprintf("field-%d", i), v)
		from.Do("XADD", "stream", fmt.Sprintf("%d-%d", i+1, i%3), "f", v, "g", fmt.Sprint(i))
	}
	from.Do("ZADD", "zset", "inf", "top", "-inf", "bottom", "0.1", "tenth")
	from.Do("HPEXPIREAT", "volatile fields", "5000000", "FIELDS", "2", "field-7", "field-300")
	from.Do("HSET", "small fields", "f", "1", "g", "2")
	from.Do("HPEXPIREAT", "small fields", "5000000", "FIELDS", "1", "f")
	from.Do("XADD", "stream", "9000-1", "other", "fields", "than", "before")
	from.Do("XDEL", "stream", "5-1", "400-0")
	for _, g := range []string{"g", "h"} {
		from.Do("XGROUP", "CREATE", "stream", g, "0")
		from.Do("XREADGROUP", "GROUP", g, "c1", "COUNT", "30", "STREAMS", "stream", ">")
		from.Do("XREADGROUP", "GROUP", g, "c2", "COUNT", "30", "STREAMS", "stream", ">")
	}
	from.Do("XACK", "stream", "g", "7-0", "40-0")
	from.Do("XGROUP", "CREATECONSUMER", "stream", "g", "idle")
	from.Do("SET", "string", strings.Repeat(long, 40_000))
	from.Do("SET", "number", "12345")
	from.Do("SADD", "ints", "1", "2", "3")
	from.Do("SADD", "words", "a", "b")
	from.Do("HSET", "small hash", "f", "v")
	from.Do("ZADD", "small zset", "1.5", "m")
	from.Do("RPUSH", "small list", "a", "b")
	names := ask(t, from, "KEYS", "*").Strings()
	if len(names) != 14 {
		t.Fatalf("%d keys: %q", len(names), names)
	}
	for i, key := range names {
		if i%2 == 0 {
			from.Do("PEXPIREAT", key, "9000000")
		}
	}
	for _, limit := range []int{100, 5000, 0} {
		to := runner(t)
		requests, emit := 0, emitTo(t, to)
		enc := Encoder{Limit: limit, Replace: true, Emit: func(op Op) error {
			requests++
			return emit(op)
		}}
		for _, key := range names {
			copyKey(t, from, &enc, key)
			for _, c := range contents {
				words := append([]string{c[0], key}, c[1:]...)
				if want, got := string(from.Do(words...)), string(to.Do(words...)); got != want && !sameMembers(want, got) {
					t.Errorf("limit %d, %q: %.300q\nwant %.300q", limit, words, got, want)
				}
			}
		}
		if whole := limit == 0; whole && requests > len(names)+5 || !whole && requests < 3*len(names) {
			t.Errorf("limit %d: %d requests for %d keys", limit, requests, len(names))
		}
	}
}

// Expiries of fields go through FieldExpiry, be the hash small or in parts.
func TestFieldExpiry(t *testing.T) {
	from := runner(t)
	for i := range 600 {
		from.Do("HSET", "large", fmt.Sprintf("field-%d", i), strings.Repeat("v", 100))
	}
	from.Do("HPEXPIREAT", "large", "5000000", "FIELDS", "2", "field-7", "field-599")
	from.Do("HSET", "small", "f", "1", "g", "2", "h", "3")
	from.Do("HPEXPIREAT", "small", "5000000", "FIELDS", "1", "f")
	from.Do("HPEXPIREAT", "small", "4000000", "FIELDS", "1", "g")
	for _, limit := range []int{3000, 0} {
		to := runner(t)
		asked := map[string]bool{}
		enc := Encoder{Limit: limit, Replace: true, Emit: emitTo(t, to), FieldExpiry: func(key []byte, at int64) int64 {
			asked[string(key)] = true
			return at + 1_000_000
		}}
		for key, want := range map[string]string{
			"large": "FIELDS 3 field-7 field-599 field-8: 6000000 6000000 -1",
			"small": "FIELDS 3 f g h: 6000000 5000000 -1",
		} {
			copyKey(t, from, &enc, key)
			fields, times, _ := strings.Cut(want, ": ")
			got := ask(t, to, append([]string{"HPEXPIRETIME", key}, strings.Fields(fields)...)...)
			var text []string
			for _, r := range got.Items {
				text = append(text, r.Text)
			}
			if strings.Join(text, " ") != times || !asked[key] {
				t.Errorf("limit %d: %s: %q, want %s", limit, key, text, times)
			}
			if a, b := string(from.Do("HGETALL", key)), string(to.Do("HGETALL", key)); a != b && !sameMembers(a, b) {
				t.Errorf("limit %d: %s: %.200q, want %.200q", limit, key, b, a)
			}
		}
	}
}

// sameMembers compares replies whose elements may come in any order.
func sameMembers(a, b string) bool {
	count := map[string]int{}
	for _, w := range strings.Split(a, "\r\n") {
		count[w]++
	}
	for _, w := range strings.Split(b, "\r\n") {
		count[w]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return strings.HasPrefix(a, "*")
}

// emitTo runs what an encoder emits.
func emitTo(t *testing.T, to *commandtest.Runner) func(op Op) error {
	return func(op Op) error {
		var words []string
		for _, a := range op.Args {
			words = append(words, string(a))
		}
		if r := ask(t, to, words...); r.Kind == '-' {
			return fmt.Errorf("%.80q: %s", words, r.Text)
		}
		return nil
	}
}

func copyKey(t *testing.T, from *commandtest.Runner, enc *Encoder, key string) {
	t.Helper()
	r, err := rdb.NewPayloadReader([]byte(ask(t, from, "DUMP", key).Text), rdb.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ask(t, from, "PTTL", key).Text != "-1" {
		r.Key.ExpireAt = 9_000_000
	}
	if err := enc.KeyAs(r, []byte(key)); err != nil {
		t.Errorf("%s: %v", key, err)
	}
}

// Without Replace a value in parts is written only where there is no such key.
func TestEncoderKeepsWhatIsThere(t *testing.T) {
	from := runner(t)
	for i := range 3000 {
		from.Do("RPUSH", "list", fmt.Sprint("element ", i))
		from.Do("XADD", "stream", fmt.Sprint(i+1), "f", "v")
	}
	from.Do("SET", "string", "v")
	for _, there := range []bool{true, false} {
		var ops []string
		enc := Encoder{Limit: 200, Exists: func([]byte) (bool, error) { return there, nil }, Emit: func(op Op) error {
			ops = append(ops, string(op.Args[0])+" "+string(op.Args[len(op.Args)-1]))
			return nil
		}}
		for _, key := range []string{"list", "stream"} {
			ops = nil
			copyKey(t, from, &enc, key)
			if there && len(ops) != 0 {
				t.Errorf("%s: %.100q", key, ops)
			}
			if !there && (len(ops) < 2 || ops[0] != "RESTORE REPLACE") {
				t.Errorf("%s: %.100q", key, ops)
			}
		}
		ops = nil
		copyKey(t, from, &enc, "string")
		if len(ops) != 1 || strings.HasSuffix(ops[0], "REPLACE") {
			t.Errorf("string: %q", ops)
		}
	}
}

// The digest of a value is the same however it is kept, and another for other content.
func TestDigest(t *testing.T) {
	small, large := runner(t), runner(t)
	for _, r := range []*commandtest.Runner{small, large} {
		r.Do("SET", "string", "12345")
		r.Do("RPUSH", "list", "a", "1", "b")
		r.Do("SADD", "ints", "1", "2", "3")
		r.Do("SADD", "set", "a", "b")
		r.Do("ZADD", "zset", "0", "a", "1.5", "b", "inf", "c")
		r.Do("HSET", "hash", "f", "1", "g", "2")
		r.Do("HSET", "fields", "f", "1", "g", "2", "soon", "3")
		r.Do("HPEXPIREAT", "fields", "5000000", "FIELDS", "1", "f")
		r.Do("HPEXPIREAT", "fields", "1500000", "FIELDS", "1", "soon")
		r.Do("XADD", "stream", "1-1", "f", "v")
		r.Do("XADD", "stream", "2-1", "f", "v", "g", "w")
		r.Do("XGROUP", "CREATE", "stream", "g", "1-1")
	}
	// Long elements that come and go again, in another order.
	long := strings.Repeat("x", 20_000)
	large.Do("RPUSH", "list", long)
	large.Do("RPOP", "list")
	large.Do("SADD", "ints", "word")
	large.Do("SREM", "ints", "word")
	large.Do("SADD", "set", long)
	large.Do("SREM", "set", long)
	large.Do("ZADD", "zset", "7", long)
	large.Do("ZREM", "zset", long)
	large.Do("HSET", "hash", "f", "9", long, "1")
	large.Do("HSET", "hash", "f", "1")
	large.Do("HDEL", "hash", long)
	large.Do("HSET", "fields", long, "1")
	large.Do("HDEL", "fields", long, "soon")
	large.Do("XADD", "stream", "3-1", "f", "v")
	large.Do("XDEL", "stream", "3-1")
	large.Do("XADD", "stream", "4-1", "f", "v")
	small.Do("XADD", "stream", "4-1", "f", "v")

	d := newDigester(2_000_000)
	of := func(r *commandtest.Runner, key string) Digest {
		t.Helper()
		p, err := rdb.NewPayloadReader([]byte(ask(t, r, "DUMP", key).Text), rdb.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sum, err := d.value(p)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return sum
	}
	seen := map[Digest]string{}
	for _, key := range []string{"string", "list", "ints", "set", "zset", "hash", "fields", "stream"} {
		a, b := of(small, key), of(large, key)
		if a != b {
			t.Errorf("%s: two digests of the same", key)
		}
		if seen[a] != "" {
			t.Errorf("%s has the digest of %s", key, seen[a])
		}
		seen[a] = key
	}
	for key, change := range map[string]string{
		"string": "APPEND string 6", "list": "LSET list 0 b", "ints": "SADD ints 4", "set": "SREM set a", "zset": "ZADD zset 1 a",
		"hash": "HSET hash f 3", "fields": "HPERSIST fields FIELDS 1 f", "stream": "XDEL stream 1-1",
	} {
		before := of(small, key)
		small.Do(strings.Fields(change)...)
		if of(small, key) == before {
			t.Errorf("%s is not seen", change)
		}
	}
}
