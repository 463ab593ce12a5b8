package ctl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/realnode"
)

// contentOf reads every key of servers, each in database 0, as text that says all of it:
// the type, when it expires, and what is in it. Keys that expire soon are left out.
func contentOf(t *testing.T, addrs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, addr := range addrs {
		// On a loaded machine a node may be without its lease for a moment.
		realnode.Eventually(t, 20*time.Second, func() error {
			return ask(addr, func(c *redis.Client) error { return readContent(c, out) })
		})
	}
	return out
}

func readContent(c *redis.Client, out map[string]string) error {
	ctx := context.Background()
	var keys []string
	var cursor uint64
	for {
		page, next, err := c.Scan(ctx, cursor, "", 1000).Result()
		if err != nil {
			return err
		}
		keys = append(keys, page...)
		if cursor = next; cursor == 0 {
			break
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	const batch = 500
	for part := range slices.Chunk(keys, batch) {
		types := make([]*redis.StatusCmd, len(part))
		ttls := make([]*redis.Cmd, len(part))
		values := make([][]*redis.Cmd, len(part))
		p := c.Pipeline()
		for i, k := range part {
			types[i] = p.Type(ctx, k)
			ttls[i] = p.Do(ctx, "PEXPIRETIME", k)
		}
		if _, err := p.Exec(ctx); err != nil {
			return err
		}
		p = c.Pipeline()
		for i, k := range part {
			for _, args := range reading(types[i].Val(), k) {
				values[i] = append(values[i], p.Do(ctx, args...))
			}
		}
		_, _ = p.Exec(ctx) // every command has its own error
		for i, k := range part {
			at, _ := ttls[i].Val().(int64)
			if types[i].Val() == "none" || at > 0 && time.Until(time.UnixMilli(at)) < time.Minute {
				continue // it is gone, or may be by now on one side
			}
			text := types[i].Val() + " " + fmt.Sprint(ttls[i].Val())
			for _, v := range values[i] {
				err := v.Err()
				if err != nil && !redis.HasErrorPrefix(err, "NOGROUP") { // what has no group g says so
					return err
				}
				text += " " + canonical(types[i].Val(), v.Val())
			}
			out[k] = text
		}
	}
	return nil
}

// reading returns the commands that read a value whole.
func reading(kind, key string) [][]any {
	switch kind {
	case "string":
		return [][]any{{"GET", key}}
	case "list":
		return [][]any{{"LRANGE", key, 0, -1}}
	case "set":
		return [][]any{{"SMEMBERS", key}}
	case "zset":
		return [][]any{{"ZRANGE", key, 0, -1, "WITHSCORES"}}
	case "hash":
		return [][]any{{"HGETALL", key}}
	case "stream":
		return [][]any{{"XRANGE", key, "-", "+"}, {"XPENDING", key, "g", "-", "+", 1000}}
	}
	return nil
}

// canonical puts what has no order into one, and writes scores in one way. Idle times of
// pending entries are left out.
func canonical(kind string, reply any) string {
	list, ok := reply.([]any)
	if !ok {
		return fmt.Sprintf("%q", reply)
	}
	var parts []string
	switch kind {
	case "set":
		for _, e := range list {
			parts = append(parts, fmt.Sprintf("%q", e))
		}
		slices.Sort(parts)
	case "hash":
		for e := range slices.Chunk(list, 2) {
			parts = append(parts, fmt.Sprintf("%q", e))
		}
		slices.Sort(parts)
	case "zset":
		for e := range slices.Chunk(list, 2) {
			score, err := strconv.ParseFloat(fmt.Sprint(e[1]), 64)
			parts = append(parts, fmt.Sprintf("%q %v %v", e[0], score, err))
		}
	default:
		for _, e := range list {
			if p, ok := e.([]any); ok && len(p) == 4 {
				e = []any{p[0], p[1], p[3]}
			}
			parts = append(parts, fmt.Sprintf("%q", e))
		}
	}
	return strings.Join(parts, ",")
}

// wantSame fails where two contents differ.
func wantSame(t *testing.T, got, want map[string]string) {
	t.Helper()
	bad := 0
	for k, w := range want {
		if g := got[k]; g != w && bad < 5 {
			bad++
			t.Errorf("key %q: got %.300s\nwant %.300s", k, g, w)
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok && bad < 10 {
			bad++
			t.Errorf("key %q is one too many: %.300s", k, g)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
}

// populate writes keys of every type through one client of one server or cluster.
func populate(t *testing.T, c redis.UniversalClient, n int) {
	t.Helper()
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(1, 2))
	at := time.Now().Add(time.Hour)
	for from := 0; from < n; from += 500 {
		p := c.Pipeline()
		for i := from; i < min(n, from+500); i++ {
			p.Set(ctx, fmt.Sprintf("s:%d", i), strings.Repeat(strconv.Itoa(i), 1+rnd.IntN(10)), 0)
			if i%3 == 0 {
				p.PExpireAt(ctx, fmt.Sprintf("s:%d", i), at.Add(time.Duration(i)*time.Millisecond))
			}
			if i%20 == 0 {
				change(p, rnd, i)
			}
		}
		if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
	}
	// One of each that has more than a listpack holds.
	p := c.Pipeline()
	for i := range 3000 {
		v := fmt.Sprintf("%d-%s", i, strings.Repeat("v", i%90))
		p.RPush(ctx, "big:list", v)
		p.HSet(ctx, "big:hash", v, i)
		p.SAdd(ctx, "big:set", v)
		p.ZAdd(ctx, "big:zset", redis.Z{Score: float64(i) / 7, Member: v})
		p.XAdd(ctx, &redis.XAddArgs{Stream: "big:stream", ID: fmt.Sprintf("%d-1", i+1), Values: []any{"f", v}})
	}
	p.XGroupCreate(ctx, "big:stream", "g", "0")
	p.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"big:stream", ">"}, Count: 300})
	p.XAck(ctx, "big:stream", "g", "5-1")
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
}

// change does something with collections whose names come from i.
func change(c redis.Cmdable, rnd *rand.Rand, i int) {
	ctx := context.Background()
	k := func(kind string) string { return fmt.Sprintf("%s:%d", kind, i%200) }
	v := func() string { return fmt.Sprintf("%d", rnd.IntN(50)) }
	switch rnd.IntN(24) {
	case 0:
		c.Set(ctx, k("s"), v(), 0)
	case 1:
		c.Incr(ctx, k("n"))
	case 2:
		c.Append(ctx, k("a"), v())
	case 3:
		c.RPush(ctx, k("l"), v(), v())
	case 4:
		c.LPop(ctx, k("l"))
	case 5:
		c.SAdd(ctx, k("t"), v(), v())
	case 6:
		c.SPop(ctx, k("t"))
	case 7:
		c.ZIncrBy(ctx, k("z"), 0.1, v())
	case 8:
		c.ZPopMin(ctx, k("z"))
	case 9:
		c.HSet(ctx, k("h"), v(), v(), v(), v())
	case 10:
		c.HIncrByFloat(ctx, k("h"), "float", 0.25)
	case 11:
		c.XAdd(ctx, &redis.XAddArgs{Stream: k("x"), Values: []any{"f", v()}, MaxLen: 50, Approx: true})
	case 12:
		c.SetBit(ctx, k("b"), int64(rnd.IntN(500)), 1)
	case 13:
		c.PFAdd(ctx, k("p"), v(), v())
	case 14:
		c.Expire(ctx, k("h"), time.Hour)
	case 15:
		c.Del(ctx, k("n"))
	case 16:
		c.Set(ctx, k("short"), v(), 20*time.Millisecond)
	case 17: // an expiry that is put off again and again
		c.Set(ctx, "sliding", v(), 300*time.Millisecond)
	case 18:
		c.Rename(ctx, "{r}a", "{r}b")
		c.Set(ctx, "{r}a", v(), time.Hour)
	case 19:
		c.GeoAdd(ctx, k("g"), &redis.GeoLocation{Name: v(), Longitude: 10, Latitude: 20})
	default:
		c.HDel(ctx, k("h"), v())
	}
}

// across does something that concerns keys of several slots.
func across(c redis.Cmdable, rnd *rand.Rand, i int) {
	ctx := context.Background()
	k := func(kind string) string { return fmt.Sprintf("%s:%d", kind, rnd.IntN(200)) }
	switch rnd.IntN(10) {
	case 0:
		c.MSet(ctx, k("s"), i, k("s"), i+1, k("n"), i)
	case 1:
		c.Del(ctx, k("s"), k("l"), k("t"))
	case 2:
		c.RenameNX(ctx, k("s"), k("m"))
	case 3:
		c.LMove(ctx, k("l"), k("l"), "left", "right")
	case 4:
		c.SMove(ctx, k("t"), k("t"), strconv.Itoa(rnd.IntN(50)))
	case 5:
		c.SUnionStore(ctx, k("u"), k("t"), k("t"))
	case 6:
		c.ZUnionStore(ctx, k("w"), &redis.ZStore{Keys: []string{k("z"), k("z")}})
	case 7:
		c.Copy(ctx, k("h"), k("y"), 0, true)
	case 8:
		c.PFMerge(ctx, k("p"), k("p"), k("p"))
	case 9:
		c.Eval(ctx, "redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[2])", []string{k("n"), k("n")})
	}
}

// writers write to a server or cluster until stop is called, which returns how often.
func writers(t *testing.T, open func() redis.UniversalClient, count int, write func(c redis.UniversalClient, rnd *rand.Rand, i int)) (stop func() int) {
	t.Helper()
	end := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	clients := make([]redis.UniversalClient, count)
	for w := range count {
		clients[w] = open()
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(w)))
			n := 0
			for ; ; n++ {
				select {
				case <-end:
					mu.Lock()
					total += n
					mu.Unlock()
					return
				default:
				}
				write(clients[w], rnd, n)
			}
		})
	}
	return sync.OnceValue(func() int {
		close(end)
		for _, c := range clients {
			_ = c.Close() // who is held by a pause gives up
		}
		wg.Wait()
		return total
	})
}

// eventuallyKeys waits until a server has at least n keys.
func eventuallyKeys(t *testing.T, addr string, n int64) {
	t.Helper()
	realnode.Eventually(t, 20*time.Second, func() error {
		return ask(addr, func(c *redis.Client) error {
			if have := c.DBSize(context.Background()).Val(); have < n {
				return fmt.Errorf("%d keys", have)
			}
			return nil
		})
	})
}
