package replication

import (
	"fmt"
	"sync"
	"testing"
)

// events are what the owner of a Replication has been told.
type events struct {
	mu struct {
		sync.Mutex
		list []string
	}
}

func (e *events) add(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.list = append(e.mu.list, s)
}

func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Sprint(e.mu.list)
}

// The owner hears of dropped data while there are none, and with no shard locked.
func TestDropIsTold(t *testing.T) {
	var told events
	p := startNode(t, nodeOptions{})
	r := startNode(t, nodeOptions{dropped: func(n *node) { told.add(fmt.Sprint(len(n.state()), " keys")) }})
	p.do("MSET", "a", "1", "b", "2")
	r.do("MSET", "mine", "1", "too", "2", "three", "3")
	r.rep.Follow(p.target())
	sameState(t, p, r)
	if got := told.String(); got != "[0 keys]" {
		t.Fatalf("told %s", got)
	}
	p.cut()
	p.do("SET", "c", "3")
	sameState(t, p, r)
	if got := told.String(); got != "[0 keys]" {
		t.Fatalf("a partial resync drops nothing, told %s", got)
	}
}

// The owner hears of what REPLICAOF changes, and of nothing else.
func TestRoleIsTold(t *testing.T) {
	var told events
	p := startNode(t, nodeOptions{})
	r := startNode(t, nodeOptions{followed: func(host, port string) { told.add(host + ":" + port) }})
	port := fmt.Sprint(p.port())
	for _, args := range [][]string{
		{"REPLICAOF", "NO", "ONE"}, // is a primary already
		{"REPLICAOF", "127.0.0.1", "none"},
		{"REPLICAOF", "127.0.0.1", port},
		{"SLAVEOF", "127.0.0.1", port}, // follows already
		{"SLAVEOF", "no", "one"},
		{"REPLICAOF", "127.0.0.1", "0" + port},
	} {
		r.do(args...)
	}
	if got, want := told.String(), "[127.0.0.1:"+port+" : 127.0.0.1:"+port+"]"; got != want {
		t.Fatalf("told %s, want %s", got, want)
	}
}
