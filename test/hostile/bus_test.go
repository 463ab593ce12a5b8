package hostile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/test/realnode"
)

// hello is the opening of a bus connection (docs/format/bus.md).
type hello struct {
	version, proto, flags           byte
	generation                      uint64
	cluster, node, run, expect, adr string
}

func (h hello) bytes() []byte {
	body := append([]byte{h.proto, h.flags}, binary.BigEndian.AppendUint64(nil, h.generation)...)
	body = append(body, random(32)...)
	for _, s := range []string{h.cluster, h.node, h.run, h.expect, h.adr} {
		body = append(append(body, byte(len(s))), s...)
	}
	b := append([]byte("RWBS"), h.version)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// dialBus sends b to the node's bus port, closes the connection for writing if half is
// set, and returns what comes back within a moment or until the node closes.
func (p *process) dialBus(b []byte, half bool) string {
	p.T.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port+10000), replyWait)
	if err != nil {
		p.Running()
		p.T.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(replyWait)); err != nil {
		p.T.Fatal(err)
	}
	if _, err := c.Write(b); err == nil && half {
		_ = c.(*net.TCPConn).CloseWrite()
	}
	got, err := io.ReadAll(c)
	if err, ok := err.(net.Error); ok && err.Timeout() {
		p.T.Errorf("%.60q: the bus keeps the connection", b)
	}
	return string(got)
}

// dropped returns a counter of CLUSTER INFO.
func (p *process) dropped(reason string) int {
	p.T.Helper()
	text, err := p.Field("redwing_bus_dropped_"+reason, "CLUSTER", "INFO")
	if err != nil {
		p.T.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		p.T.Fatalf("redwing_bus_dropped_%s: %q", reason, text)
	}
	return n
}

// TestBusGarbage: what is no packet of this cluster is dropped and counted, and the
// cluster goes on.
func TestBusGarbage(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 3)
	form(t, nodes, 0)
	p := nodes[1]
	cluster, err := p.Field("redwing_cluster_id", "CLUSTER", "INFO")
	if err != nil || len(cluster) != 40 {
		t.Fatalf("cluster id %q, %v", cluster, err)
	}
	self := p.dial().do("CLUSTER", "MYID")[1:]
	good := hello{version: 1, proto: 1, generation: 1, cluster: cluster, node: strings.Repeat("a", 40), run: "0123456789abcdef", expect: self, adr: "127.0.0.1:1"}
	with := func(change func(*hello)) []byte {
		h := good
		change(&h)
		return h.bytes()
	}
	for _, c := range []struct {
		reason string
		in     []byte
	}{
		{"malformed", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
		{"malformed", request("PING")},
		{"malformed", []byte("PING\r\n")},
		{"malformed", []byte("RCmb\x00\x00\x08\x88" + strings.Repeat("\x00", 2200))}, // Redis' own bus
		{"malformed", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"malformed", []byte("RWBS")},
		{"malformed", []byte{}},
		{"malformed", good.bytes()[:20]},
		{"malformed", []byte("RWBS\x01\xff\xff" + strings.Repeat("x", 65535))},
		{"malformed", []byte("RWBS\x01\x00\x00")},
		{"malformed", []byte("RWBS\x01\x00\x40" + strings.Repeat("\xff", 64))},
		{"malformed", with(func(h *hello) { h.node = "" })},
		{"version", with(func(h *hello) { h.version = 9 })},
		{"protocol", with(func(h *hello) { h.proto = 99 })},
		{"protocol", with(func(h *hello) { h.proto = 0 })},
		{"auth", with(func(h *hello) { h.flags = 1 })},
		{"cluster", with(func(h *hello) { h.cluster = strings.Repeat("f", 40) })},
		{"cluster", with(func(h *hello) { h.cluster = "" })},
		{"generation", with(func(h *hello) { h.generation = 7 })},
		{"node", with(func(h *hello) { h.expect = strings.Repeat("b", 40) })},
		{"node", with(func(h *hello) { h.expect = "" })},
		{"node", with(func(h *hello) { h.node = self })},
		{"frame", append(good.bytes(), 0xff, 0xff, 0xff, 0xff, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1)},
		{"frame", append(good.bytes(), 0, 0, 0, 3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1)},
		{"frame", append(good.bytes(), 0, 0, 0, 10, 99, 1, 0, 0, 0, 0, 0, 0, 0, 1)},
		{"frame", append(good.bytes(), 0, 0, 0, 10, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1)},
		{"protocol", append(good.bytes(), 0, 0, 0, 10, 1, 250, 0, 0, 0, 0, 0, 0, 0, 1)}, // a call that nobody answers
	} {
		before := p.dropped(c.reason)
		p.dialBus(c.in, true)
		realnode.Eventually(t, 10*time.Second, func() error {
			if got := p.dropped(c.reason); got <= before {
				return fmt.Errorf("%.60q: %s is %d, was %d", c.in, c.reason, got, before)
			}
			return nil
		})
	}
	// Half a handshake that stays open.
	before := p.dropped("timeout")
	p.dialBus(good.bytes()[:30], false)
	if got := p.dropped("timeout"); got <= before {
		t.Errorf("timeout is %d, was %d", got, before)
	}
	// Frames of every kind of call, with content that nobody sends; random streams of
	// every protocol, as a peer of the cluster that has gone mad.
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	rounds := 3
	if !testing.Short() {
		rounds = 40
	}
	for range rounds {
		b := good.bytes()
		for kind := range 130 {
			body := make([]byte, r.IntN(60))
			for i := range body {
				body[i] = "\x00\x01\xff{}[]\"'0a:,"[r.IntN(13)]
			}
			b = binary.BigEndian.AppendUint32(b, uint32(10+len(body)))
			b = append(b, 1, byte(kind))
			b = binary.BigEndian.AppendUint64(b, uint64(kind))
			b = append(b, body...)
		}
		p.dialBus(b, true)
		for proto := byte(1); proto <= 6; proto++ {
			b := with(func(h *hello) { h.proto = proto })
			c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port+10000), replyWait)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(append(b, random(r.IntN(3000))...)); err != nil {
				t.Logf("protocol %d: %v", proto, err) // closed already
			}
			c.Close() // a View stream, for one, goes on until its reader goes
		}
	}
	// UDP to the bus port, whether or not somebody listens.
	udp, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", p.Port+10000))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for range 200 {
		_, _ = udp.Write(random(1 + r.IntN(1400))) // refused where nobody listens
	}
	// A crowd that connects and says nothing.
	var crowd []net.Conn
	for range 400 {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port+10000), replyWait)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, c)
	}
	healthy(t, nodes[0])
	for _, c := range crowd {
		c.Close()
	}
	for _, n := range nodes {
		n.Running()
		if got := n.dial().do("CLUSTER", "INFO"); !strings.Contains(got, "cluster_state:ok") || !strings.Contains(got, "cluster_known_nodes:3\r\n") {
			t.Errorf("%s: %s", n.Addr, got)
		}
	}
}

// TestBusSecret: a node that does not know the secret is refused, and counted by both.
func TestBusSecret(t *testing.T) {
	t.Parallel()
	a := startCluster(t, 1, "--bus-secret", "a long word that all share")[0]
	b := startCluster(t, 1, "--bus-secret", "another long word")[0]
	c := startCluster(t, 1)[0]
	form(t, []*process{a}, 0)
	for _, n := range []*process{b, c} {
		before := a.dropped("auth")
		got := n.dial().do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(a.Port))
		t.Logf("MEET without the secret: %s", got)
		realnode.Eventually(t, 10*time.Second, func() error {
			if now := a.dropped("auth"); now <= before && n.dropped("auth") == 0 {
				return fmt.Errorf("nobody has counted it: %d", now)
			}
			return nil
		})
	}
	if got := a.dial().do("CLUSTER", "INFO"); !strings.Contains(got, "cluster_known_nodes:1\r\n") {
		t.Errorf("a stranger was let in: %s", got)
	}
}
