package cluster

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/test/realnode"
)

// links are the ways between the nodes of a test: each node announces ports of a proxy,
// which knows by the process at the other end who talks to whom, and can keep back what is
// said. A link that is cut is silent: connections stay, and new ones are taken.
type links struct {
	t  *testing.T
	mu struct {
		sync.Mutex
		pids    []int           // of the nodes
		cut     map[[2]int]bool // [from][to]
		changed *sync.Cond
		conns   map[net.Conn]struct{}
		next    *walk // that has not begun
		closed  bool
	}
	walking sync.Mutex
	wg      sync.WaitGroup
	lns     []net.Listener
	over    chan struct{} // closed with the test
}

// startLinked starts n nodes that reach each other through links alone; addr of a node
// stays that which tests talk to, never cut.
func startLinked(t *testing.T, n int, args ...string) (nodes, *links) {
	t.Helper()
	l := &links{t: t, over: make(chan struct{})}
	l.mu.cut, l.mu.conns = map[[2]int]bool{}, map[net.Conn]struct{}{}
	l.mu.changed = sync.NewCond(&l.mu)
	t.Cleanup(l.close)
	var out nodes
	for i := range n {
		port, announced := realnode.FreePorts(t, 1), realnode.FreePorts(t, 1)
		o := options(append([]string{"--cluster-announce-ip", "127.0.0.1",
			"--cluster-announce-port", strconv.Itoa(announced),
			"--cluster-announce-bus-port", strconv.Itoa(announced + config.BusOffset)}, args...)...)
		o.Port = port
		p := &process{realnode.Prepare(t, o), announced}
		l.listen(i, announced, port)
		l.listen(i, announced+config.BusOffset, port+config.BusOffset)
		p.Start()
		out = append(out, p)
		l.mu.pids = append(l.mu.pids, 0)
		l.started(i, p)
	}
	for _, p := range out {
		p.AwaitLoaded()
	}
	return out, l
}

// started notes which process a node is now.
func (l *links) started(i int, p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.pids[i] = p.PID()
}

// setCut cuts the ways from one node to another, or mends them.
func (l *links) setCut(from, to int, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cut {
		l.mu.cut[[2]int{from, to}] = true
	} else {
		delete(l.mu.cut, [2]int{from, to})
	}
	l.mu.changed.Broadcast()
}

// mend mends all.
func (l *links) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.mu.cut)
	l.mu.changed.Broadcast()
}

func (l *links) close() {
	close(l.over)
	l.mu.Lock()
	l.mu.closed = true
	for c := range l.mu.conns {
		_ = c.Close()
	}
	l.mu.changed.Broadcast()
	l.mu.Unlock()
	for _, ln := range l.lns {
		_ = ln.Close()
	}
	l.wg.Wait()
}

func (l *links) listen(to, announced, port int) {
	l.t.Helper()
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", announced))
	if err != nil {
		l.t.Fatal(err)
	}
	l.lns = append(l.lns, ln)
	l.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.serve(c, to, port) })
		}
	})
}

// hold registers a connection, so that close ends it.
func (l *links) hold(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		_ = c.Close()
		return false
	}
	l.mu.conns[c] = struct{}{}
	return true
}

func (l *links) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mu.conns, c)
	_ = c.Close()
}

func (l *links) serve(c net.Conn, to, port int) {
	if !l.hold(c) {
		return
	}
	defer l.drop(c)
	// Who is at the other end is looked for while something is cut: it costs a walk
	// of /proc, which all share that come before it begins.
	from := sync.OnceValue(func() int { return l.owner(c.RemoteAddr().(*net.TCPAddr).Port) })
	there := func() (int, int) { return from(), to }
	back := func() (int, int) { return to, from() }
	if !l.pass(there) {
		return
	}
	d, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		// Nobody is there. A refusal would have whoever asks wait before he asks again.
		select {
		case <-l.over:
		case <-time.After(100 * time.Millisecond):
		}
		return
	}
	if !l.hold(d) {
		return
	}
	defer l.drop(d)
	var both sync.WaitGroup
	both.Go(func() { l.relay(d, c, there) })
	both.Go(func() { l.relay(c, d, back) })
	both.Wait()
}

// relay copies what one end says until either end has gone.
func (l *links) relay(dst, src net.Conn, way func() (from, to int)) {
	defer dst.Close()
	defer src.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if !l.pass(way) {
			return
		}
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits until the way is open; false if the test is over.
func (l *links) pass(way func() (from, to int)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.cut) > 0 && !l.mu.closed {
		l.mu.Unlock()
		from, to := way()
		l.mu.Lock()
		if !l.mu.cut[[2]int{from, to}] || l.mu.closed {
			break
		}
		l.mu.changed.Wait()
	}
	return !l.mu.closed
}

// walk finds out who has which connection, once for all that ask before it begins.
type walk struct {
	once  sync.Once
	owner map[int]int // node by local port
}

// owner returns which node has the connection from this local port, -1: none.
func (l *links) owner(port int) int {
	l.mu.Lock()
	if l.mu.next == nil {
		l.mu.next = &walk{}
	}
	w := l.mu.next
	l.mu.Unlock()
	w.once.Do(func() {
		l.walking.Lock()
		defer l.walking.Unlock()
		l.mu.Lock()
		l.mu.next = nil // who asks from now on may be newer than what is read
		pids := slices.Clone(l.mu.pids)
		l.mu.Unlock()
		w.owner = owners(pids)
	})
	if i, ok := w.owner[port]; ok {
		return i
	}
	return -1
}

// owners walks /proc for the local ports of connections of these processes.
func owners(pids []int) map[int]int {
	owner := map[int]int{}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return owner
	}
	port := map[string]int{} // by socket
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 10 || f[9] == "0" {
			continue
		}
		if text, ok := strings.CutPrefix(f[1], "0100007F:"); ok {
			if n, err := strconv.ParseInt(text, 16, 32); err == nil {
				port["socket:["+f[9]+"]"] = int(n)
			}
		}
	}
	for i, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if to, err := os.Readlink(dir + "/" + e.Name()); err == nil && port[to] != 0 {
				owner[port[to]] = i
			}
		}
	}
	return owner
}

// addrs are the addresses under which nodes know each other.
func (l *links) addrs(n nodes) []string {
	var out []string
	for _, p := range n {
		out = append(out, fmt.Sprintf("127.0.0.1:%d", p.announced))
	}
	return out
}
