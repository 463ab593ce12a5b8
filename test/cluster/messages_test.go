package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestMessagesReachEveryNode: PUBLISH at one node reaches the subscribers of all, SPUBLISH
// those of the slot's shard; a client that waits for a key is sent away with its slot.
func TestMessagesReachEveryNode(t *testing.T) {
	n := start(t, 4)
	n.create(t, 1)
	n.awaitHealthy(t)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var heard []*redis.PubSub
	for _, p := range n {
		c := redis.NewClient(&redis.Options{Addr: p.Addr})
		defer c.Close()
		sub := c.Subscribe(ctx, "news")
		defer sub.Close()
		if _, err := sub.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, sub)
	}
	for i, p := range n {
		// The first ones may come before the nodes know each other.
		deadline := time.Now().Add(20 * time.Second)
		for j, sub := range heard {
			for {
				text := fmt.Sprintf("from %d", i)
				p.must("publish", "news", text)
				one, cancel := context.WithTimeout(ctx, time.Second)
				m, err := sub.ReceiveMessage(one)
				cancel()
				if err == nil && m.Payload == text {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("node %d does not hear node %d: %v", j, i, err)
				}
			}
		}
	}
	// The shard of a key: its primary and its replica.
	owner := n.byRole(t, "master")[0]
	key := keyOf(t, owner)
	var mates nodes
	for _, p := range n {
		c := redis.NewClient(&redis.Options{Addr: p.Addr, MaxRetries: -1})
		defer c.Close()
		sub := c.SSubscribe(ctx, key)
		defer sub.Close()
		if _, err := sub.Receive(ctx); err != nil {
			continue // it is sent away
		}
		mates = append(mates, p)
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		got := make(chan error, 1)
		go func() { _, err := sub.ReceiveMessage(one); got <- err }()
		for done := false; !done; {
			owner.must("spublish", key, "to the shard")
			select {
			case err := <-got:
				if err != nil {
					t.Fatalf("%s does not hear its shard: %v", p.Addr, err)
				}
				done = true
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	if len(mates) != 2 {
		t.Errorf("%d nodes carry the channel of a shard of two", len(mates))
	}
}
