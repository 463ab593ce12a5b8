package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/redwingdb/redwing/internal/bus"
)

const (
	maxPacket   = 65536
	packetQueue = 512
	streamQueue = 16
)

// transport is memberlist's network: UDP beside the bus port, streams over the bus.
type transport struct {
	bus     *bus.Bus
	conn    net.PacketConn
	addr    string // announced
	packets chan *memberlist.Packet
	streams chan net.Conn
	lost    atomic.Int64
	quit    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func newTransport(b *bus.Bus, conn net.PacketConn, addr string) *transport {
	t := &transport{
		bus: b, conn: conn, addr: addr, quit: make(chan struct{}),
		packets: make(chan *memberlist.Packet, packetQueue), streams: make(chan net.Conn, streamQueue),
	}
	b.Handle(bus.ProtoGossip, t.take)
	t.wg.Go(t.read)
	return t
}

// read takes packets from the socket; when memberlist does not keep up they are lost,
// as packets may be.
func (t *transport) read() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := t.conn.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || t.closed() {
				return
			}
			select { // ICMP errors of earlier sends surface here
			case <-t.quit:
				return
			case <-time.After(time.Millisecond):
			}
			continue
		}
		if n == 0 {
			continue
		}
		p := &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: from, Timestamp: time.Now()}
		select {
		case t.packets <- p:
		default:
			t.lost.Add(1)
		}
	}
}

func (t *transport) closed() bool {
	select {
	case <-t.quit:
		return true
	default:
		return false
	}
}

func (t *transport) take(c net.Conn, _ bus.Peer) {
	select {
	case t.streams <- c:
	case <-t.quit:
		c.Close()
	default:
		t.lost.Add(1)
		c.Close()
	}
}

// FinalAdvertiseAddr implements memberlist.Transport.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	host, port, err := net.SplitHostPort(t.addr)
	if err != nil {
		return nil, 0, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, 0, err
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		return ip, n, nil
	}
	if host != "" && net.ParseIP(host) == nil {
		a, err := net.ResolveIPAddr("ip", host)
		if err != nil {
			return nil, 0, err
		}
		return a.IP, n, nil
	}
	ip, err := ownIP()
	return ip, n, err
}

// ownIP is an address of this machine that others may reach.
func ownIP() (net.IP, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP, nil
		}
	}
	return net.IPv4(127, 0, 0, 1), nil
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	_, err = t.conn.WriteTo(b, to)
	return now, err
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

// PacketCh implements memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout implements memberlist.Transport. The bus connects to known nodes only.
func (t *transport) DialTimeout(addr string, _ time.Duration) (net.Conn, error) {
	return nil, fmt.Errorf("gossip: %s: no node named", addr)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport. The name is node or
// node/run.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	node, _, _ := strings.Cut(a.Name, "/")
	if node == "" {
		return t.DialTimeout(a.Addr, timeout)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return t.bus.DialAddr(ctx, bus.ProtoGossip, a.Addr, node)
}

// Shutdown implements memberlist.Transport.
func (t *transport) Shutdown() error {
	t.once.Do(func() {
		t.bus.Handle(bus.ProtoGossip, nil)
		close(t.quit)
		t.conn.Close()
	})
	t.wg.Wait()
	for {
		select {
		case c := <-t.streams:
			c.Close()
		default:
			return nil
		}
	}
}
