package differ

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/engine"
)

const (
	randomCommands      = 60_000
	randomCommandsShort = 10_000
	checkEvery          = 500 // commands between comparisons of the whole data
)

// TestRandom sends a seeded stream of random commands to redis-server and to our
// handlers, and the effects of ours to a replica, and wants equal replies throughout
// and equal data at the end on all three. SEED chooses the stream.
func TestRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	redis, ours, replica := commandtest.StartRedis(t), newSession(t), newSession(t)
	applier := command.NewApplier(replica.Table, replica.Keyspace)
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	n := randomCommands
	if testing.Short() {
		n = randomCommandsShort
	}
	for i := range n {
		words := g.command()
		theirs, mine := string(redis.Do(words...)), ours.do(words...)
		if words[0] == "keys" || words[0] == "scan" {
			theirs, mine = inOrder(theirs), inOrder(mine)
		}
		if theirs != mine {
			t.Fatalf("SEED=%d, command %d, %q\nredis: %q\n ours: %q", seed, i, words, theirs, mine)
		}
		apply(t, applier, ours)
		if i%checkEvery == 0 || i == n-1 {
			where := fmt.Sprintf("SEED=%d, after command %d, %q", seed, i, words)
			compareData(t, where, redis, ours, replica)
		}
	}
}

// apply runs what the last command staged.
func apply(t *testing.T, a *command.Applier, from session) {
	b := from.Ctx.Block
	for _, e := range b.Entries {
		reqs, err := commandtest.Requests(b.Buf[e.Start:e.End])
		if err != nil || len(reqs) != 1 {
			t.Fatalf("effect %q: %v", b.Buf[e.Start:e.End], err)
		}
		called := false
		if err := a.Apply(e.DB, reqs[0], func() { called = true }); err != nil || !called {
			t.Fatalf("effect %q: called back %v, %v", b.Buf[e.Start:e.End], called, err)
		}
	}
}

// compareData compares every key of the databases in use, with its expiry.
func compareData(t *testing.T, where string, redis *commandtest.Redis, ours, replica session) {
	t.Helper()
	was := ours.DB
	defer func() { ours.DB = was }()
	for db := range randomDatabases {
		redis.Ask("SELECT", strconv.Itoa(db))
		ours.DB, replica.DB = db, db
		replica.Mode = engine.ModeReplica
		for _, words := range dataRequests() {
			want := string(redis.Do(words...))
			if words[0] == "keys" {
				want = inOrder(want)
			}
			for name, s := range map[string]session{"ours": ours, "replica": replica} {
				got := s.do(words...)
				if words[0] == "keys" {
					got = inOrder(got)
				}
				if got != want {
					t.Fatalf("%s: db %d, %q\nredis: %q\n%s: %q", where, db, words, want, name, got)
				}
			}
		}
	}
	redis.Ask("SELECT", strconv.Itoa(was))
}

func dataRequests() [][]string {
	reqs := [][]string{{"dbsize"}, {"keys", "*"}}
	for i := range randomKeys {
		reqs = append(reqs, []string{"get", key(i)}, []string{"pexpiretime", key(i)})
	}
	return reqs
}

const (
	randomKeys      = 20
	randomDatabases = 2
	farFuture       = 33_177_117_420_000 // no test lives to see a key expire
)

func key(i int) string { return fmt.Sprintf("key:%d", i) }

// generator draws commands.
type generator struct{ r *rand.Rand }

func (g generator) one(of ...string) string { return of[g.r.IntN(len(of))] }
func (g generator) key() string             { return key(g.r.IntN(randomKeys)) }
func (g generator) db() string              { return strconv.Itoa(g.r.IntN(randomDatabases)) }

func (g generator) small() string { return strconv.Itoa(g.r.IntN(60) - 20) }

func (g generator) integer() string {
	return g.one(g.small(), g.small(), strconv.FormatUint(g.r.Uint64(), 10), strconv.FormatInt(int64(g.r.Uint64()), 10),
		"9223372036854775807", "-9223372036854775808", "0", "x", "1.5", "")
}

func (g generator) float() string {
	return g.one(g.small(), strconv.FormatFloat(g.r.NormFloat64(), 'g', 1+g.r.IntN(20), 64),
		strconv.FormatFloat(g.r.ExpFloat64()*1e9, 'f', g.r.IntN(12), 64), "1e30", "-1e30", ".1", "inf", "x")
}

func (g generator) value() string {
	switch g.r.IntN(6) {
	case 0:
		return g.integer()
	case 1:
		return g.float()
	case 2:
		return strings.Repeat(g.one("a", "ab", "\x00", "xyz"), g.r.IntN(60))
	case 3:
		return strings.Repeat("long", g.r.IntN(3000))
	}
	return g.one("", "foo", "bar", "hello world", "10.5", "00", "12", "\r\n")
}

// time returns a time far ahead, in ms, s, or nonsense.
func (g generator) expiry() []string {
	at := farFuture + g.r.Int64N(1e9)
	switch g.r.IntN(8) {
	case 0, 1:
		return []string{"exat", strconv.FormatInt(at/1000, 10)}
	case 2:
		return []string{g.one("ex", "px", "exat", "pxat"), g.one("0", "-1", "x", "9223372036854775807")}
	}
	return []string{"pxat", strconv.FormatInt(at, 10)}
}

func (g generator) command() []string {
	cmd := g.one(generated...)
	words := append([]string{cmd}, g.arguments(cmd)...)
	if cmd == "select" || cmd == "scan" {
		return words // the session's own; without a COUNT cursors differ
	}
	if g.r.IntN(100) == 0 {
		words = words[:1+g.r.IntN(len(words))] // arity
	}
	if g.r.IntN(100) == 0 {
		words = append(words, g.value())
	}
	return words
}

var generated = []string{
	"get", "set", "set", "set", "setnx", "getset", "getdel", "getex", "mget", "mset", "msetnx", "append", "strlen",
	"getrange", "substr", "setrange", "incr", "decr", "incrby", "decrby", "incrbyfloat", "lcs", "del", "unlink", "exists",
	"touch", "expireat", "pexpireat", "persist", "ttl", "expiretime", "pexpiretime", "type", "rename", "renamenx", "copy",
	"move", "select", "keys", "scan", "dbsize", "swapdb", "flushdb", "flushall",
}

func (g generator) arguments(cmd string) []string {
	switch cmd {
	case "set":
		words := []string{g.key(), g.value()}
		for g.r.IntN(2) == 0 {
			if g.r.IntN(2) == 0 {
				words = append(words, g.expiry()...)
			} else {
				words = append(words, g.one("nx", "XX", "get", "KEEPTTL", "persist"))
			}
		}
		return words
	case "getex":
		words := []string{g.key()}
		for g.r.IntN(2) == 0 {
			words = append(words, append(g.expiry(), "persist")[:1+g.r.IntN(3)]...)
		}
		return words
	case "mset", "msetnx":
		var words []string
		for range 1 + g.r.IntN(4) {
			words = append(words, g.key(), g.value())
		}
		return words
	case "mget", "del", "unlink", "exists", "touch":
		var words []string
		for range 1 + g.r.IntN(3) {
			words = append(words, g.key())
		}
		return words
	case "setnx", "getset", "append":
		return []string{g.key(), g.value()}
	case "getrange", "substr":
		return []string{g.key(), g.integer(), g.integer()}
	case "setrange":
		return []string{g.key(), strconv.Itoa(g.r.IntN(200) - 2), g.value()}
	case "incrby", "decrby":
		return []string{g.key(), g.integer()}
	case "incrbyfloat":
		return []string{g.key(), g.float()}
	case "lcs":
		// Values of thousands of bytes would make this most of the test.
		return append([]string{"nokey", g.key()}, []string{"idx", "len", "withmatchlen"}[:g.r.IntN(4)]...)
	case "expireat", "pexpireat":
		at := farFuture + g.r.Int64N(1e9)
		if cmd == "expireat" {
			at /= 1000
		}
		words := []string{g.key(), g.one(strconv.FormatInt(at, 10), strconv.FormatInt(at, 10), g.integer())}
		for g.r.IntN(2) == 0 {
			words = append(words, g.one("nx", "xx", "gt", "lt"))
		}
		return words
	case "rename", "renamenx":
		return []string{g.key(), g.key()}
	case "copy":
		words := []string{g.key(), g.key()}
		for g.r.IntN(2) == 0 {
			words = append(words, append([]string{"replace"}, "db", g.db())[g.r.IntN(2):]...)
		}
		return words
	case "move":
		return []string{g.key(), g.db()}
	case "select":
		return []string{g.db()}
	case "keys":
		return []string{g.one("*", "key:1*", "key:[0-4]", "*[^5-9]", "key:?")}
	case "scan":
		return []string{"0", "count", "1000", "match", g.one("*", "key:1*", "*[02468]")}
	case "swapdb":
		return []string{g.db(), g.db()}
	case "dbsize":
		return nil
	case "flushdb", "flushall":
		if g.r.IntN(10) != 0 {
			return []string{"nonsense"} // else nothing would live long
		}
		return nil
	}
	return []string{g.key()}
}
