package cluster

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// serve answers requests of a client library with the rig's commands.
func (r *rig) serve() (addr string) {
	r.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	var conns sync.WaitGroup
	var one sync.Mutex // a rig belongs to one goroutine
	conns.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					request, _, err := commandtest.ReadReply(in)
					if err != nil {
						return
					}
					one.Lock()
					reply := r.raw(words(request.Strings()))
					one.Unlock()
					if _, err := conn.Write([]byte(reply)); err != nil {
						return
					}
				}
			})
		}
	})
	r.Cleanup(conns.Wait)
	r.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

func words(list []string) (line string) {
	for _, w := range list {
		line += w + " "
	}
	return line
}

// go-redis must find in the replies what the View says.
func TestGoRedisParsesTheTopology(t *testing.T) {
	r := newRig(t, false)
	client := redis.NewClient(&redis.Options{Addr: r.serve(), Protocol: 2, DisableIdentity: true})
	r.Cleanup(func() { client.Close() })
	ctx := context.Background()

	//lint:ignore SA1019 clients of every age still send it
	slots, err := client.ClusterSlots(ctx).Result()
	if err != nil || len(slots) != 3 {
		t.Fatal(slots, err)
	}
	first, second := slots[0], slots[1]
	if first.Start != 0 || first.End != 99 || len(first.Nodes) != 2 || first.Nodes[1].ID != id("b") || first.Nodes[1].Addr != "10.0.0.2:2" {
		t.Errorf("%+v", first)
	}
	if second.Start != 100 || second.End != 199 || len(second.Nodes) != 1 || second.Nodes[0].NetworkingMetadata["hostname"] != "c.example" {
		t.Errorf("%+v", second)
	}

	shards, err := client.ClusterShards(ctx).Result()
	if err != nil || len(shards) != 3 {
		t.Fatal(shards, err)
	}
	if s := shards[0]; len(s.Slots) != 2 || s.Slots[1].Start != 200 || len(s.Nodes) != 2 || s.Nodes[0].Role != "master" ||
		s.Nodes[1].Role != "replica" || s.Nodes[1].ReplicationOffset != 900 || s.Nodes[1].Port != 2 {
		t.Errorf("%+v", s)
	}
	if n := shards[1].Nodes[0]; n.Hostname != "c.example" || n.Endpoint != "10.0.0.3" || n.Health != "online" {
		t.Errorf("%+v", n)
	}
	if got, err := client.ClusterMyShardID(ctx).Result(); err != nil || got != id("1") {
		t.Error(got, err)
	}
}
