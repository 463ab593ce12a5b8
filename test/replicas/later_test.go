package replicas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestLaterCommands: a redis-server follows a node to which commands are given that it does
// not have itself. Fields that expire are another matter, and trims with ACKED it leaves out.
func TestLaterCommands(t *testing.T) {
	t.Parallel()
	rnd := seeded(t)
	p := node(t)
	r := redisServer(t, p.of())
	r.await("master_link_status", "up")
	p.do("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
	p.do("XGROUP", "CREATE", "s", "h", "0")
	c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
	defer c.Close()
	ctx := context.Background()
	last, done := 0, map[string]int{}
	for range 3000 {
		words := later(rnd, &last)
		if v, err := c.Do(ctx, args(words)...).Result(); err == nil && v != nil {
			done[words[0]]++
		} else if err != nil && err != redis.Nil {
			t.Fatalf("%q: %v", words, err)
		}
	}
	for _, name := range []string{"XADD", "XTRIM", "XDELEX", "XACKDEL", "BITOP", "MSETEX", "SET", "DELEX", "HGETDEL"} {
		if done[name] < 20 {
			t.Errorf("%s was done %d times", name, done[name])
		}
	}
	converged(t, p, r)
	for _, group := range []string{"g", "h"} {
		if a, b := pendingOf(t, p, group), pendingOf(t, r, group); !slices.Equal(a, b) {
			t.Errorf("pending of %s: %q\nat the replica: %q", group, a, b)
		}
	}
}

// later draws a command. last is the last id of the stream.
func later(rnd *rand.Rand, last *int) []string {
	num := func(n int) string { return strconv.Itoa(rnd.IntN(n)) }
	refs := func() string { return []string{"KEEPREF", "DELREF", "ACKED"}[rnd.IntN(3)] }
	ids := func() []string {
		n := 1 + rnd.IntN(4)
		out := []string{"IDS", strconv.Itoa(n)}
		for range n {
			out = append(out, fmt.Sprintf("1-%d", max(1, *last-rnd.IntN(40))))
		}
		return out
	}
	trim := func() []string {
		ref := []string{"KEEPREF", "DELREF"}[rnd.IntN(2)]
		if rnd.IntN(2) == 0 {
			return []string{ref, "MAXLEN", []string{"=", "~"}[rnd.IntN(2)], num(60)}
		}
		return []string{"MINID", fmt.Sprintf("1-%d", max(1, *last-rnd.IntN(40))), ref}
	}
	key := func() string { return "k" + num(5) }
	switch n := rnd.IntN(20); {
	case n < 5:
		*last++
		return []string{"XADD", "s", refs(), fmt.Sprintf("1-%d", *last), "f", num(9)}
	case n < 6:
		*last++
		return slices.Concat([]string{"XADD", "s"}, trim(), []string{fmt.Sprintf("1-%d", *last), "f", num(9)})
	case n < 7:
		return append([]string{"XTRIM", "s"}, trim()...)
	case n < 10:
		return []string{"XREADGROUP", "GROUP", []string{"g", "h"}[rnd.IntN(2)], "c", "COUNT", num(6), "STREAMS", "s", ">"}
	case n < 12:
		return append([]string{"XDELEX", "s", refs()}, ids()...)
	case n < 14:
		return append([]string{"XACKDEL", "s", []string{"g", "h"}[rnd.IntN(2)], refs()}, ids()...)
	case n < 15:
		return []string{"BITOP", []string{"DIFF", "DIFF1", "ANDOR", "ONE"}[rnd.IntN(4)], "b" + num(3), "b" + num(3), "b" + num(3)}
	case n < 16:
		return []string{"SETBIT", "b" + num(3), num(200), "1"}
	case n < 17:
		return []string{"MSETEX", "2", key(), num(3), key(), num(3), []string{"NX", "XX"}[rnd.IntN(2)]}
	case n < 18:
		return []string{"SET", key(), num(3), []string{"IFEQ", "IFNE"}[rnd.IntN(2)], num(3)}
	case n < 19:
		return []string{"DELEX", key(), []string{"IFEQ", "IFNE"}[rnd.IntN(2)], num(3)}
	case rnd.IntN(2) == 0:
		return []string{"HGETDEL", "h", "FIELDS", "2", num(9), num(9)}
	default:
		return []string{"HSET", "h", num(9), num(9), num(9), num(9)}
	}
}

// pendingOf returns what is pending in a group, without times.
func pendingOf(t *testing.T, s *server, group string) (out []string) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
	defer c.Close()
	list, err := c.XPendingExt(context.Background(), &redis.XPendingExtArgs{Stream: "s", Group: group, Start: "-", End: "+", Count: 100_000}).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		out = append(out, strings.Join([]string{x.ID, x.Consumer, strconv.FormatInt(x.RetryCount, 10)}, " "))
	}
	return out
}
