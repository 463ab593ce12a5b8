package cluster

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redwingdb/redwing/test/realnode"
)

var linearSeed = flag.Uint64("linear.seed", 0, "seed of the faults of TestSyncWritesAreLinearizable (0: a new one)")

// operation is what a client did to a key, a register of its own.
type operation struct {
	write bool   // SET, or with read SET GET
	read  bool   // GET, or with write SET GET
	value string // written
}

// registers is the model of the keys: each by itself holds the value written last.
var registers = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		op := input.(operation)
		ok := true
		if got, known := output.(string); op.read && known {
			ok = got == state.(string)
		}
		if op.write {
			return ok, op.value
		}
		return ok, state
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %v", input, output) },
}

// history gathers what clients did, by key.
type history struct {
	sync.Mutex
	of       map[string][]porcupine.Operation
	done     atomic.Int64 // answered
	unsure   atomic.Int64 // writes whose outcome is unknown
	rejected atomic.Int64 // that did not run, or reads without an answer
}

// add notes an operation; output nil: a write of which nobody knows whether it took place.
func (h *history) add(client int, key string, op operation, call int64, output any) {
	o := porcupine.Operation{ClientId: client, Input: op, Call: call, Output: output, Return: int64(time.Since(started))}
	if output == nil {
		o.Return = math.MaxInt64
		h.unsure.Add(1)
	} else {
		h.done.Add(1)
	}
	h.Lock()
	defer h.Unlock()
	h.of[key] = append(h.of[key], o)
}

var started = time.Now()

// registerClient is one client: it sends one command at a time and knows whether it was sent.
type registerClient struct {
	id    int
	n     nodes
	rng   *rand.Rand
	conns map[int]net.Conn
	last  map[string]int // key without its round: the node that served it last
}

// do sends a command to a node and returns its reply; sent tells that it may have run.
func (c *registerClient) do(node int, args ...string) (reply string, sent bool, err error) {
	conn := c.conns[node]
	if conn == nil {
		if conn, err = net.DialTimeout("tcp", c.n[node].Addr, time.Second); err != nil {
			return "", false, err
		}
		c.conns[node] = conn
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
			delete(c.conns, node)
		}
	}()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	_ = conn.SetDeadline(time.Now().Add(4 * time.Second))
	if _, err = conn.Write([]byte(b.String())); err != nil {
		return "", true, err
	}
	in := bufio.NewReader(conn) // one reply is under way
	line, err := in.ReadString('\n')
	if err != nil {
		return "", true, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if n, isBulk := strings.CutPrefix(line, "$"); isBulk && n != "-1" {
		if line, err = in.ReadString('\n'); err != nil {
			return "", true, err
		}
		return "$" + strings.TrimSuffix(line, "\r\n"), true, nil
	}
	return line, true, nil
}

// run carries one operation out, wherever the key is, and writes it into h.
func (c *registerClient) run(h *history, slotKey, key string, op operation) {
	args := []string{"GET", key}
	if op.write {
		args = []string{"SET", key, op.value}
		if op.read {
			args = append(args, "GET")
		}
	}
	call := int64(time.Since(started))
	node, known := c.last[slotKey]
	for try := 0; try < 6; try++ {
		if !known {
			node = c.rng.IntN(len(c.n))
		}
		reply, sent, err := c.do(node, args...)
		switch {
		case err != nil && sent && op.write:
			delete(c.last, slotKey)
			h.add(c.id, key, op, call, nil)
			return
		case err != nil:
			known = false
			continue
		case reply == "" || reply[0] != '-':
			c.last[slotKey] = node
			var got any = strings.TrimPrefix(reply, "$")
			if reply == "$-1" {
				got = ""
			}
			h.add(c.id, key, op, call, got)
			return
		case strings.HasPrefix(reply, "-MOVED "):
			known = false
			_, port, _ := net.SplitHostPort(strings.Fields(reply)[2])
			for i, p := range c.n {
				if strconv.Itoa(p.announced) == port {
					node, known = i, true
				}
			}
			continue
		case strings.HasPrefix(reply, "-UNCERTAIN "):
			h.add(c.id, key, op, call, nil)
			return
		default:
			// It did not run: CLUSTERDOWN, NOREPLICAS, LOADING and the like.
			known = false
		}
		time.Sleep(time.Duration(1+c.rng.IntN(10)) * time.Millisecond) // as clients do that try again
	}
	delete(c.last, slotKey)
	h.rejected.Add(1)
}

// nemesis does harm until ctx ends, one thing after the other, and undoes it. Without disks
// it kills, and so takes the memory of, no process that alone has what was acknowledged.
func nemesis(ctx context.Context, t *testing.T, rng *rand.Rand, n nodes, l *links, disks bool) {
	pause := func(lo, hi int) {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(lo+rng.IntN(hi-lo)) * time.Millisecond):
		}
	}
	for ctx.Err() == nil {
		pause(200, 1200)
		i := rng.IntN(len(n))
		p := n[i]
		if primaries := n.byRole(t, "master"); len(primaries) > 0 && rng.IntN(3) > 0 {
			p = primaries[rng.IntN(len(primaries))] // they deserve attention
			for j := range n {
				if n[j] == p {
					i = j
				}
			}
		}
		switch rng.IntN(5) {
		case 0:
			down := []int{i}
			if disks {
				if j := rng.IntN(len(n)); j != i && rng.IntN(2) == 0 {
					down = append(down, j) // perhaps the other copy of the shard
				}
				for _, k := range down {
					n[k].Kill()
				}
				t.Logf("%v: kill %v", time.Since(started), down)
			} else {
				killed, why := n.killRedundant(t, i)
				t.Logf("%v: kill %d: %v %v", time.Since(started), i, killed, why)
				if !killed {
					break
				}
			}
			pause(10, 2000)
			for _, k := range down {
				n[k].Start()
				l.started(k, n[k])
			}
			for _, k := range down {
				n[k].AwaitLoaded()
			}
		case 1:
			t.Logf("%v: stop %d", time.Since(started), i)
			p.Signal(syscall.SIGSTOP)
			pause(100, 3000)
			p.Signal(syscall.SIGCONT)
		case 2, 3:
			in, out := rng.IntN(4) > 0, rng.IntN(4) > 0
			t.Logf("%v: cut %d off, in %v, out %v", time.Since(started), i, in, out)
			for j := range n {
				if j != i && rng.IntN(5) > 0 {
					l.setCut(j, i, in)
					l.setCut(i, j, out)
				}
			}
			pause(300, 3000)
			l.mend()
		case 4:
			t.Logf("%v: failover to %d", time.Since(started), i)
			_, err := p.ask("CLUSTER", "FAILOVER") // a primary refuses
			t.Logf("%v: failover: %v", time.Since(started), err)
		}
	}
	l.mend()
}

// observed leaves out the writes of unknown outcome whose value nobody has read: they may
// never have taken place, so the rest is a history of one copy with them or without.
func observed(ops []porcupine.Operation) []porcupine.Operation {
	seen := map[any]bool{}
	for _, o := range ops {
		if o.Input.(operation).read {
			seen[o.Output] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(ops), func(o porcupine.Operation) bool {
		return o.Output == nil && !seen[o.Input.(operation).value]
	})
}

// TestRegisterModel: the checker finds a lost write and a stale read, and lets a write of
// unknown outcome take place at any time or never.
func TestRegisterModel(t *testing.T) {
	op := func(client int, op operation, call, ret int64, output any) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: op, Call: call, Output: output, Return: ret}
	}
	write := func(v string) operation { return operation{write: true, value: v} }
	read := operation{read: true}
	for name, c := range map[string]struct {
		ops []porcupine.Operation
		ok  bool
	}{
		"unsure, unseen":  {[]porcupine.Operation{op(0, write("a"), 0, math.MaxInt64, nil), op(1, write("b"), 0, 1, "+OK"), op(1, read, 2, 3, "b")}, true},
		"in order":        {[]porcupine.Operation{op(0, write("a"), 0, 1, "+OK"), op(1, read, 2, 3, "a")}, true},
		"lost":            {[]porcupine.Operation{op(0, write("a"), 0, 1, "+OK"), op(1, read, 2, 3, "")}, false},
		"stale":           {[]porcupine.Operation{op(0, write("a"), 0, 1, "+OK"), op(0, write("b"), 2, 3, "+OK"), op(1, read, 4, 5, "a")}, false},
		"unsure and late": {[]porcupine.Operation{op(0, write("a"), 0, math.MaxInt64, nil), op(1, read, 2, 3, ""), op(1, read, 4, 5, "a")}, true},
		"unsure and back": {[]porcupine.Operation{op(0, write("a"), 0, math.MaxInt64, nil), op(1, read, 2, 3, "a"), op(1, read, 4, 5, "")}, false},
	} {
		if got := porcupine.CheckOperations(registers, c.ops); got != c.ok {
			t.Errorf("%s: %v", name, got)
		}
		if got := porcupine.CheckOperations(registers, observed(c.ops)); got != c.ok {
			t.Errorf("%s, without what nobody has seen: %v", name, got)
		}
	}
}

// TestSyncWritesAreLinearizable: clients whose writes are synchronous write and read
// registers while nodes are killed, stopped and cut off; what they saw of each key must be
// a history of one copy. Each key is used for a second or so, so that the writes of
// unknown outcome, which may take place at any later time, stay few.
func TestSyncWritesAreLinearizable(t *testing.T) { linearizable(t, false) }

// TestSyncWritesSurviveOnDisks is that with appendfsync always on every node, which are killed
// then without regard to what other copies there are.
func TestSyncWritesSurviveOnDisks(t *testing.T) { linearizable(t, true) }

func linearizable(t *testing.T, disks bool) {
	seed := *linearSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	count, replicas, length := 6, 2, 100*time.Second
	if testing.Short() || raced {
		count, replicas, length = 4, 1, 14*time.Second
	}
	t.Logf("seed %d", seed)
	var args []string
	if disks {
		args = []string{"--appendonly", "yes", "--appendfsync", "always"}
	}
	n, l := startLinked(t, count, args...)
	clusterctl(t, n[0], append([]string{"create", "--yes", "--replicas", strconv.Itoa(replicas)}, l.addrs(n)...)...)
	n.awaitHealthy(t)
	n[0].must("CLUSTER", "WRITE-CONCERN", "SET", "sync-writes", "always")
	n.awaitInSync(t, 1+replicas)

	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	h := &history{of: map[string][]porcupine.Operation{}}
	var clients sync.WaitGroup
	const registersAtOnce = 6
	begun := time.Now()
	for i := range 8 {
		c := &registerClient{id: i, n: n, rng: rand.New(rand.NewPCG(seed, uint64(i))), conns: map[int]net.Conn{}, last: map[string]int{}}
		clients.Go(func() {
			for step := 0; ctx.Err() == nil; step++ {
				slotKey := fmt.Sprintf("{%d}", c.rng.IntN(registersAtOnce))
				key := fmt.Sprintf("%s:%d", slotKey, time.Since(begun)/(1500*time.Millisecond))
				op := operation{write: c.rng.IntN(2) == 0, value: fmt.Sprintf("%d.%d", i, step)}
				op.read = !op.write || c.rng.IntN(3) == 0
				c.run(h, slotKey, key, op)
			}
			for _, conn := range c.conns {
				_ = conn.Close()
			}
		})
	}
	nemesis(ctx, t, rand.New(rand.NewPCG(seed, 99)), n, l, disks)
	clients.Wait()
	n.awaitInSync(t, 1+replicas)

	// Whatever was acknowledged is still there: read at last.
	last := &registerClient{id: 8, n: n, rng: rand.New(rand.NewPCG(seed, 8)), conns: map[int]net.Conn{}, last: map[string]int{}}
	keys := make([]string, 0, len(h.of))
	for key := range h.of {
		keys = append(keys, key)
	}
	for _, key := range keys {
		realnode.Eventually(t, 20*time.Second, func() error {
			before := h.done.Load()
			last.run(h, key[:strings.Index(key, ":")], key, operation{read: true})
			if h.done.Load() == before {
				return fmt.Errorf("no answer to the read of %s", key)
			}
			return nil
		})
	}
	t.Logf("%d operations answered, %d unsure, %d rejected, %d keys", h.done.Load(), h.unsure.Load(), h.rejected.Load(), len(h.of))
	if h.done.Load() < 500 {
		t.Error("the cluster hardly served at all")
	}
	for key, ops := range h.of {
		ops = observed(ops)
		result, info := porcupine.CheckOperationsVerbose(registers, ops, time.Minute)
		switch result {
		case porcupine.Illegal:
			path := filepath.Join(t.TempDir(), "history.html")
			t.Errorf("seed %d: the history of %s, %d operations, is not linearizable (drawn at %s: %v)",
				seed, key, len(ops), path, porcupine.VisualizePath(registers, info, path))
			for _, o := range ops {
				t.Logf("%s client %d: %s [%d, %d]", key, o.ClientId, registers.DescribeOperation(o.Input, o.Output), o.Call, o.Return)
			}
		case porcupine.Unknown:
			t.Errorf("seed %d: the history of %s, %d operations, could not be checked in time", seed, key, len(ops))
		}
	}
}
