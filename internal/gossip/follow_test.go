package gossip

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/bus"
)

// TestFollow: a node gossips in the cluster it belongs to, in none, and in the next.
func TestFollow(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.New(bus.Options{Listener: ln})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() { b.Run(ctx) })
	defer wg.Wait()
	defer b.Close()
	defer cancel()

	var now atomic.Pointer[Situation]
	now.Store(&Situation{})
	changed := make(chan struct{}, 1)
	opens := atomic.Int64{}
	f, err := NewFollower(FollowOptions{
		Options: Options{Bus: b, Newest: func() uint64 { return 0 }, Heard: func(uint64) {}, ProbeInterval: 50 * time.Millisecond, RejoinInterval: 20 * time.Millisecond},
		Listen: func() (net.PacketConn, error) {
			opens.Add(1)
			return net.ListenPacket("udp", ln.Addr().String())
		},
		Now:     func() Situation { return *now.Load() },
		Changed: changed,
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { f.Run(ctx) })

	enter := func(cluster string, peers ...Peer) {
		b.SetIdentity(bus.Identity{Node: "me", Run: "r", Cluster: cluster, Generation: 1, Addr: ln.Addr().String()})
		now.Store(&Situation{Cluster: cluster, Self: Member{Node: "me", Run: "r", Addr: ln.Addr().String()}, Peers: peers})
		changed <- struct{}{}
	}
	one := start(t, "one", "r", "c1", "", "127.0.0.1:0")
	two := start(t, "two", "r", "c2", "", "127.0.0.1:0")
	enter("c1", Peer{"one", one.addr})
	eventually(t, "known in the first", func() bool { return len(one.g.Members()) == 2 && len(f.Members()) == 2 })
	enter("")
	eventually(t, "gone", func() bool { return len(one.g.Members()) == 1 && f.Members() == nil })
	enter("c2", Peer{"two", two.addr})
	eventually(t, "known in the second", func() bool { return len(two.g.Members()) == 2 && len(f.Members()) == 2 })
	if n := opens.Load(); n != 2 {
		t.Fatalf("the socket was opened %d times", n)
	}
}
