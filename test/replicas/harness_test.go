package replicas

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/test/realnode"
)

var bin string // the folder of the binaries

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // servers are killed here
	os.Exit(realnode.Main(m, &bin, raced))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// patience is how long anything may take on a machine under load.
const patience = time.Minute

// server is a process of a node, a redis-server or a sentinel.
type server struct {
	*realnode.Process
	name string
}

// node starts a Redwing node with the given lines of configuration.
func node(t *testing.T, lines ...string) *server {
	t.Helper()
	return &server{realnode.Run(t, realnode.Options{
		Program: filepath.Join(bin, "node"), Lines: append(lines, "enable-debug-command yes"),
	}), "node"}
}

// redisServer starts a redis-server with the given lines of configuration.
func redisServer(t *testing.T, lines ...string) *server {
	t.Helper()
	return &server{realnode.Run(t, realnode.Options{
		Program: redistest.Lookup(t, "redis-server"),
		Lines:   append([]string{`save ""`, "repl-diskless-sync-delay 0", "enable-debug-command yes"}, lines...),
	}), "redis"}
}

// again starts the process anew and waits until it answers.
func (s *server) again() {
	s.T.Helper()
	s.Start()
	s.Await()
}

// of is the line of configuration, or the command, that makes a replica of s.
func (s *server) of() string { return "replicaof 127.0.0.1 " + strconv.Itoa(s.Port) }

// try sends a command on a connection of its own.
func (s *server) try(args ...any) (string, error) {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, MaxRetries: -1, ReadTimeout: 20 * time.Second, DisableIdentity: true})
	defer c.Close()
	v, err := c.Do(context.Background(), args...).Result()
	if list, ok := v.([]any); ok {
		words := make([]string, len(list))
		for i := range list {
			words[i] = fmt.Sprint(list[i])
		}
		return strings.Join(words, " "), err
	}
	return fmt.Sprint(v), err
}

// do is try that must succeed.
func (s *server) do(args ...any) string {
	s.T.Helper()
	got, err := s.try(args...)
	if err != nil {
		s.T.Fatalf("%s %d: %v: %v", s.name, s.Port, args, err)
	}
	return got
}

// info returns a field of INFO, empty where it is missing or the server does not answer.
func (s *server) info(field string) string {
	value, _ := s.Field(field, "INFO", "everything") // who waits for a value asks again
	return value
}

// await waits until INFO shows a field with a value.
func (s *server) await(field, value string) {
	s.T.Helper()
	realnode.Eventually(s.T, patience, func() error {
		if got := s.info(field); got != value {
			return fmt.Errorf("%s %d: %s is %q, wanted %q", s.name, s.Port, field, got, value)
		}
		return nil
	})
}

// converged waits until all replicas have the data of p, which nobody writes to but by
// keys that expire.
func converged(t *testing.T, p *server, replicas ...*server) {
	t.Helper()
	for _, r := range replicas {
		r.await("master_link_status", "up")
		realnode.Eventually(t, patience, func() error {
			if a, b := p.info("master_repl_offset"), r.info("slave_repl_offset"); a != b {
				return fmt.Errorf("%s %d: offset %s of %s", r.name, r.Port, b, a)
			}
			if p.do("DEBUG", "DIGEST") == r.do("DEBUG", "DIGEST") {
				return nil
			}
			if keys := unlike(p, r); keys != "" {
				return fmt.Errorf("%s %d is not like its primary:%s", r.name, r.Port, keys)
			}
			return nil
		})
	}
}

// unlike tells of each key whose value is not the same on two servers, a line for each
// server. With a redis-server zeros with and without a sign are the same scores: it keeps
// the sign in a skiplist alone, and makes a listpack of a small one that it loads.
func unlike(a, b *server) string {
	var out strings.Builder
	for db := range 16 {
		var both []*redis.Client
		for _, s := range []*server{a, b} {
			c := redis.NewClient(&redis.Options{Addr: s.Addr, DB: db, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
			defer c.Close()
			both = append(both, c)
		}
		keys := map[string]bool{}
		for _, c := range both {
			for _, key := range c.Keys(context.Background(), "*").Val() {
				keys[key] = true
			}
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			same := func(question ...any) bool { return slices.Equal(ask(both[0], question...), ask(both[1], question...)) }
			alike := same("DEBUG", "DIGEST-VALUE", key)
			if !alike && (a.name == "redis" || b.name == "redis") && ask(both[0], "TYPE", key)[0] == "zset" {
				alike = slices.EqualFunc(ask(both[0], "ZRANGE", key, 0, -1, "WITHSCORES"), ask(both[1], "ZRANGE", key, 0, -1, "WITHSCORES"), sameNumber)
			}
			if alike && same("PEXPIRETIME", key) {
				continue
			}
			for _, c := range both {
				fmt.Fprintf(&out, "\n%s: db %d %q %s %s expires at %s: %q", c.Options().Addr, db, key,
					ask(c, "TYPE", key), ask(c, "OBJECT", "ENCODING", key), ask(c, "PEXPIRETIME", key), ask(c, "DUMP", key))
			}
		}
	}
	return out.String()
}

// ask returns the reply to a command, which may be an error: the items of an array, or one.
func ask(c *redis.Client, args ...any) []string {
	v, err := c.Do(context.Background(), args...).Result()
	if err != nil {
		return []string{err.Error()}
	}
	list, ok := v.([]any)
	if !ok {
		return []string{fmt.Sprint(v)}
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = fmt.Sprint(list[i])
	}
	return out
}

// sameNumber reports whether two texts are equal, or the same number written in two ways.
func sameNumber(a, b string) bool {
	x, err := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return a == b || err == nil && err2 == nil && x == y
}
