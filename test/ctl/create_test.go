package ctl

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/realnode"
)

// Wrong input is refused before anything is changed.
func TestCreateRefuses(t *testing.T) {
	d := newDev(t, 1, 0, 3)
	d.up()
	empty, full, locked := d.fresh(1), d.fresh(2), d.fresh(3, "--requirepass", "secret")
	if err := ask(full, func(c *redis.Client) error {
		return c.Do(context.Background(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err()
	}); err != nil {
		t.Fatal(err)
	}
	realnode.Eventually(t, 5*time.Second, func() error { // it serves when it has its lease
		return ask(full, func(c *redis.Client) error { return c.Set(context.Background(), "key", "value", 0).Err() })
	})
	for _, c := range []struct {
		nodes []string
		code  int
		words []string
	}{
		{[]string{empty, empty}, 2, []string{empty + " is named twice"}},
		{[]string{empty, strings.Replace(empty, "127.0.0.1", "localhost", 1)}, 2, []string{"are the same node"}},
		{[]string{empty, "10.0.0.1"}, 2, []string{"want host:port"}},
		{[]string{empty, "127.0.0.1:1"}, 1, []string{"127.0.0.1:1 cannot be reached: connection refused"}},
		{[]string{empty, locked}, 1, []string{locked, "asks for a password"}},
		{[]string{"--password", "wrong", locked}, 1, []string{locked, "refuses the password"}},
		{[]string{d.addr(0), full}, 1, []string{"members of different clusters"}},
		{[]string{empty, full}, 1, []string{"made otherwise already"}},
	} {
		ctl(append([]string{"create", "--yes", "--replicas", "0"}, c.nodes...)...).want(t, c.code, c.words...)
	}
	ctl("-a", empty, "nodes").want(t, 0, " 0  ") // still without slots
	ctl("create", "--password", "secret", "--yes", "--replicas", "0", locked).want(t, 0)
	ctl("-a", locked, "--password", "secret", "check").want(t, 0)
}

// A cluster of which only the first node was formed is finished.
func TestCreateFinishes(t *testing.T) {
	d := newDev(t, 1, 0, 3)
	d.up()
	nodes := []string{d.addr(0), d.fresh(1), d.fresh(2), d.fresh(3)}
	// The first node owns what it should own, and the second has joined.
	if err := ask(nodes[0], func(c *redis.Client) error {
		return c.Do(context.Background(), "CLUSTER", "DELSLOTSRANGE", 8192, 16383).Err()
	}); err != nil {
		t.Fatal(err)
	}
	d.ctl("add-node", "--yes", nodes[1]).want(t, 0)
	args := append([]string{"create", "--yes", "--replicas", "1"}, nodes...)
	r := ctl(args...)
	r.want(t, 0, "[1/6]", nodes[1]+"       takes 8192 slots (8192-16383)", nodes[3]+"       becomes a replica of "+nodes[1])
	d.ctl("check").want(t, 0, "healthy: 4 nodes, 2 shards")
	ctl(args...).want(t, 0, "nothing to do")
}
