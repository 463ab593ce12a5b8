package hostile

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// TestRanges: numbers at and beyond every limit, against redis-server.
func TestRanges(t *testing.T) {
	t.Parallel()
	redis := commandtest.StartRedis(t)
	p := startPlain(t)
	c := p.dial()
	numbers := []string{
		"0", "-0", "1", "-1", "+1", "01", " 1", "1 ", "", "1.5", "1e3", "0x10", "nan", "inf", "-inf", "1e308", "1e309", "1e5000", "-1e5000", "1e-400",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616",
		"9223372036854775", "9223372036854776", "-9223372036854776", "9999999999999999999999999999", "4294967296", "2147483648", strings.Repeat("9", 400), "1\x00",
	}
	commands := []string{
		"INCRBY n N", "DECRBY n N", "INCRBYFLOAT f N", "SET s N", "INCR s", "DECR s", "INCRBY s N", "INCRBYFLOAT s N", "APPEND s 1", "INCR s",
		"EXPIRE k N", "PEXPIRE k N", "EXPIREAT k N", "PEXPIREAT k N", "EXPIRE k N NX", "EXPIRE k N GT", "EXPIRE k N LT", "EXPIRE k N XX",
		"SET e v EX N", "SET e v PX N", "SET e v EXAT N", "SET e v PXAT N", "SET e v EX N KEEPTTL", "SETEX e N v", "PSETEX e N v",
		"GETEX k EX N", "GETEX k PX N", "GETEX k EXAT N", "GETEX k PXAT N", "SETRANGE none N ''", "GETRANGE k N 3", "GETRANGE k 0 N", "SUBSTR k N N",
		"SCAN N", "SCAN 0 COUNT N", "SELECT N", "MOVE k N", "SWAPDB 0 N", "COPY k k2 DB N", "LCS k k2 MINMATCHLEN N IDX", "OBJECT FREQ N", "WAIT 0 N", "CLIENT KILL ID N", "CLIENT LIST ID N",
	}
	for _, line := range commands {
		for _, n := range numbers {
			words := strings.Fields(line)
			for i, w := range words {
				if w == "N" {
					words[i] = n
				} else if w == "''" {
					words[i] = ""
				}
			}
			for _, prepare := range [][]string{{"SELECT", "0"}, {"FLUSHALL"}, {"MSET", "k", "value", "k2", "value", "n", "10", "f", "1.5", "s", "5"}, {"EXPIRE", "k", "1000"}} {
				redis.Do(prepare...)
				c.do(prepare...)
			}
			if line == "INCR s" || line == "DECR s" {
				redis.Do("SET", "s", n)
				c.do("SET", "s", n)
			}
			theirs, err := commandtest.Parse(redis.Do(words...))
			if err != nil {
				t.Fatal(err)
			}
			ours, err := c.try(words...)
			if err != nil {
				t.Fatalf("%q: %v", words, err)
			}
			switch {
			case words[0] == "SCAN" && (theirs.Kind != '-' && ours.Kind != '-' || n == "1\x00"):
				continue // cursors are each server's own; Redis reads one up to a NUL
			case words[0] == "WAIT" && n == "9223372036854775807" && ours.Text == "ERR timeout is out of range":
				continue // as Redis 7.2 says
			}
			if theirs.Kind != ours.Kind || theirs.Text != ours.Text || theirs.Null != ours.Null {
				t.Errorf("%q\nredis-server %c%s\nours         %c%s", words, theirs.Kind, theirs.Text, ours.Kind, ours.Text)
			}
		}
	}
}

// nasty are arguments that handlers may trip over.
func nasty() []string {
	return []string{
		"", "0", "1", "-1", "2", "k", "k", "key", "{k}1", "{k}2", "\x00", "\xff\xfe", "*", "[", "[^", "[a-", "\\", "?", "a\r\nb", "nan", "inf", "1e400",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5", strings.Repeat("x", 5000), strings.Repeat("*a", 100),
		"EX", "PX", "EXAT", "PXAT", "NX", "XX", "GT", "LT", "GET", "KEEPTTL", "PERSIST", "MATCH", "COUNT", "TYPE", "DB", "REPLACE", "LEN", "IDX", "MINMATCHLEN", "WITHMATCHLEN",
		"SYNC", "ASYNC", "ON", "OFF", "SKIP", "NO", "ONE", "ID", "ADDR", "127.0.0.1:1", "AUTH", "SETNAME", "default", "3", "SLOTSRANGE", "NODE", "16383", "16384", "HARD", "SOFT",
		"FORCE", "TAKEOVER", "FILTERBY", "PATTERN", "ACLCAT", "MODULE", "maxmemory", "get", "set", "exec", "listening-port", "getack", "capa", "eof", "?", "string", "normal", "help",
	}
}

// names returns the names of all commands as words, subcommands included.
func (c *client) names() (out [][]string) {
	c.t.Helper()
	all, err := c.try("COMMAND")
	if err != nil || len(all.Items) < 50 {
		c.t.Fatalf("COMMAND: %d items, %v", len(all.Items), err)
	}
	for _, item := range all.Items {
		out = append(out, []string{item.Items[0].Text})
		for _, sub := range item.Items[9].Items {
			out = append(out, strings.Split(sub.Items[0].Text, "|"))
		}
	}
	return out
}

// TestArity: every command says in Redis' words that arguments are missing or too many.
func TestArity(t *testing.T) {
	t.Parallel()
	c := startPlain(t).dial()
	all, err := c.try("COMMAND")
	if err != nil {
		t.Fatal(err)
	}
	check := func(info commandtest.Reply) {
		full := info.Items[0].Text
		arity, err := strconv.Atoi(info.Items[1].Text)
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Split(full, "|")
		counts := []int{max(arity, -arity) - 1}
		if arity > 0 {
			counts = append(counts, arity+1)
		}
		for _, n := range counts {
			request := append([]string{}, words...)
			for len(request) < n {
				request = append(request, "a")
			}
			if n < len(words) || len(request) > n {
				continue
			}
			want := "-ERR wrong number of arguments for '" + full + "' command"
			if full == "exec" {
				want = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
			}
			c.is(want, request...)
		}
	}
	for _, info := range all.Items {
		if len(info.Items[9].Items) == 0 {
			check(info)
		}
		for _, sub := range info.Items[9].Items {
			check(sub)
		}
	}
}

// TestEveryCommand sends every command random arguments: whatever comes back is a
// reply, and the node goes on.
func TestEveryCommand(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"plain", "cluster"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			var p *process
			if mode == "plain" {
				p = startPlain(t)
			} else {
				p = startCluster(t, 1)[0]
				form(t, []*process{p}, 0)
			}
			everyCommand(t, p)
		})
	}
}

func everyCommand(t *testing.T, p *process) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pool := nasty()
	names := p.dial().names()
	limit := 6 * time.Second
	if !testing.Short() {
		limit = 2 * time.Minute
	}
	rounds, sent := 0, 0
	c := p.dial()
	for began := time.Now(); time.Since(began) < limit; rounds++ {
		for _, name := range names {
			words := append([]string{}, name...)
			for range r.IntN(7) {
				words = append(words, pool[r.IntN(len(pool))])
			}
			sent++
			switch name[0] {
			case "shutdown":
				words = []string{"SHUTDOWN", "NOSUCH"}
			case "client", "hello", "quit", "reset", "auth", "psync", "sync", "wait", "replicaof", "slaveof", "replconf", "monitor", "multi",
				"blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop":
				// These may block, close the connection, take it over, or say nothing more.
				one(t, p, words, name[0] != "psync" && name[0] != "sync")
				if name[0] == "replicaof" || name[0] == "slaveof" {
					one(t, p, []string{"REPLICAOF", "NO", "ONE"}, true)
				}
				continue
			}
			if _, err := c.try(words...); err != nil {
				var timeout net.Error
				if p.Running(); errors.As(err, &timeout) && timeout.Timeout() || strings.Contains(err.Error(), "commandtest:") {
					t.Fatalf("%q: %v", words, err)
				}
				c = p.dial() // CLIENT KILL may have meant this connection
			}
		}
	}
	t.Logf("%d rounds, %d requests", rounds, sent)
	if rounds == 0 {
		t.Error("not even one round")
	}
	p.dial().is("+PONG", "PING")
}

// one sends a request on a connection of its own. No reply within a moment, or the end
// of the connection, is an answer too; what comes must be a reply if parseable.
func one(t *testing.T, p *process, words []string, parseable bool) {
	t.Helper()
	c := p.dial()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(request(words...)); err != nil {
		return
	}
	_, raw, err := commandtest.ReadReply(c.in)
	if err != nil && parseable && strings.Contains(err.Error(), "commandtest:") {
		t.Errorf("%q: %q: %v", words, raw, err)
	}
}
