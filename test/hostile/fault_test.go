package hostile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redwingdb/redwing/test/realnode"
)

// cluster6 is three primaries and three replicas.
func cluster6(t *testing.T, args ...string) []*process {
	t.Helper()
	nodes := startCluster(t, 6, args...)
	form(t, nodes, 1)
	return nodes
}

// role returns whether the node says "master" or "slave"; empty if it says nothing.
func (p *process) role() string {
	role, err := p.Field("role", "INFO", "replication")
	if err != nil {
		return ""
	}
	return role
}

// owner returns the primary that serves key, and its replica, as the nodes themselves
// have it.
func owner(t *testing.T, nodes []*process, key string) (primary, replica *process) {
	t.Helper()
	for _, p := range nodes {
		c := p.dial()
		if got := c.do("SET", key, "0"); got != "+OK" {
			continue
		}
		primary = p
		id := c.do("CLUSTER", "MYID")[1:]
		for line := range strings.Lines(c.do("CLUSTER", "NODES")) {
			if f := strings.Fields(strings.TrimPrefix(line, "$")); len(f) > 3 && f[3] == id {
				for _, q := range nodes {
					if strings.HasPrefix(f[1], q.Addr+"@") {
						replica = q
					}
				}
			}
		}
	}
	if primary == nil || replica == nil {
		t.Fatalf("no primary or no replica of %s: %v, %v", key, primary, replica)
	}
	return primary, replica
}

// accepts waits until the node takes a write to key.
func (p *process) accepts(key string, limit time.Duration) time.Duration {
	p.T.Helper()
	began := time.Now()
	realnode.Eventually(p.T, limit, func() error {
		c, err := p.tryDial()
		if err != nil {
			return err
		}
		defer c.Close()
		v, err := c.try("SET", key, "1")
		if err == nil && v.Text != "OK" {
			err = errors.New(v.Text)
		}
		return err
	})
	return time.Since(began)
}

// freeze sends SIGSTOP and returns when every thread of the process stands still: until
// then it may take requests, and rightly.
func (p *process) freeze() {
	p.T.Helper()
	p.Signal(syscall.SIGSTOP)
	realnode.Eventually(p.T, 10*time.Second, func() error {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
		if err != nil || len(stats) == 0 {
			return fmt.Errorf("no threads, %v", err)
		}
		for _, path := range stats {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			_, rest, _ := strings.Cut(string(text), ") ")
			if !strings.HasPrefix(rest, "T") {
				return fmt.Errorf("a thread is in state %.1s", rest)
			}
		}
		return nil
	})
}

// becomes waits until the node has a role, and for a replica a link.
func (p *process) becomes(role string, limit time.Duration) {
	p.T.Helper()
	realnode.Eventually(p.T, limit, func() error {
		if got := p.role(); got != role {
			return fmt.Errorf("%s is %q", p.Addr, got)
		}
		if role == "slave" {
			if link, err := p.Field("master_link_status", "INFO", "replication"); err != nil || link != "up" {
				return fmt.Errorf("%s: link %q, %v", p.Addr, link, err)
			}
		}
		return nil
	})
}

// TestStoppedPrimary: a primary that stands still is replaced, and when it goes on it
// neither takes a write nor serves a read of what it has lost.
func TestStoppedPrimary(t *testing.T) {
	t.Parallel()
	nodes := cluster6(t)
	rounds := 2
	if !testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		key := "key" + strconv.Itoa(round)
		old, heir := owner(t, nodes, key)
		// Connections that are there before, with requests already in the socket when
		// the process goes on.
		const clients = 8
		var conns [clients]*client
		for i := range conns {
			conns[i] = old.dial()
			conns[i].is("+OK", "SET", key, "before")
		}
		old.freeze()
		began := time.Now()
		for i, c := range conns {
			if i%2 == 0 {
				if _, err := c.Write(slices.Concat(request("GET", key), request("SET", key, "stale"), request("INCR", "n{"+key+"}"))); err != nil {
					t.Fatal(err)
				}
			}
		}
		heir.accepts(key, 30*time.Second)
		t.Logf("round %d: replaced after %v", round, time.Since(began))
		heir.dial().is("+OK", "SET", key, "after")
		old.Signal(syscall.SIGCONT)
		var wg sync.WaitGroup
		var replies [clients]map[string]int
		deadline := time.Now().Add(2 * time.Second)
		for i, c := range conns {
			wg.Go(func() {
				replies[i] = map[string]int{}
				pending := 0
				if i%2 == 0 {
					pending = 3
				}
				for time.Now().Before(deadline) {
					var kind, text string
					if pending > 0 {
						pending--
						v, err := c.receive()
						if err != nil {
							return
						}
						kind, text = string(v.Kind), v.Text
					} else {
						words := [][]string{{"GET", key}, {"SET", key, "stale"}, {"EXISTS", key}, {"DEL", key}}[len(replies[i])%4]
						v, err := c.try(words...)
						if err != nil {
							return // the node may close its clients when it changes sides
						}
						kind, text = string(v.Kind), v.Text
					}
					code, _, _ := strings.Cut(text, " ")
					if kind != "-" || code != "MOVED" && code != "CLUSTERDOWN" && code != "UNCERTAIN" {
						t.Errorf("the replaced primary replied %s%s", kind, text)
						return
					}
					replies[i][code]++
				}
			})
		}
		wg.Wait()
		t.Logf("round %d: its replies %v", round, replies)
		heir.dial().is("$after", "GET", key)
		old.becomes("slave", 30*time.Second)
		c := old.dial()
		c.is("+OK", "READONLY")
		realnode.Eventually(t, 10*time.Second, func() error {
			if got := c.do("GET", key); got != "$after" {
				return errors.New(got)
			}
			return nil
		})
		healthy(t, nodes[0])
	}
}

// TestEnds: a replica that stands still, kill -9 of a raft leader's node, SIGTERM and
// SHUTDOWN NOW of primaries, and the death of all nodes at once.
func TestEnds(t *testing.T) {
	t.Parallel()
	nodes := cluster6(t)
	ids := map[*process]string{}
	for _, p := range nodes {
		ids[p] = p.dial().do("CLUSTER", "MYID")
	}

	// A stopped replica holds up nobody, and comes back.
	primary, replica := owner(t, nodes, "a")
	replica.freeze()
	began := time.Now()
	c := primary.dial()
	for i := range 200 {
		c.is("+OK", "SET", "a", strconv.Itoa(i))
	}
	c.is(":0", "WAIT", "1", "100")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("200 writes beside a stopped replica took %v", took)
	}
	replica.Signal(syscall.SIGCONT)
	replica.becomes("slave", 30*time.Second)
	healthy(t, nodes[0])

	// A replica that lacks something is waited for, and takes over with it.
	primary, replica = owner(t, nodes, "a")
	replica.freeze()
	c = primary.dial()
	c.is("+OK", "SET", "a", "last")
	primary.Signal(syscall.SIGTERM)
	realnode.Eventually(t, 10*time.Second, func() error {
		left, err := primary.Field("shutdown_in_milliseconds", "INFO", "server")
		if err == nil && left == "" {
			err = errors.New("it does not wait")
		}
		return err
	})
	replica.Signal(syscall.SIGCONT)
	if code := primary.Ended(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	replica.becomes("master", 30*time.Second)
	realnode.Eventually(t, 10*time.Second, func() error {
		if got := replica.dial().do("GET", "a"); got != "$last" {
			return errors.New(got)
		}
		return nil
	})
	primary.Start()
	primary.AwaitLoaded()
	primary.becomes("slave", 30*time.Second)
	healthy(t, nodes[0])

	// SIGTERM hands over at once.
	primary, replica = owner(t, nodes, "a")
	primary.Signal(syscall.SIGTERM)
	took := replica.accepts("a", 30*time.Second)
	t.Logf("after SIGTERM of the primary its replica took writes after %v", took)
	if took > 3*time.Second { // tens of milliseconds where nothing else runs
		t.Errorf("the hand-over took %v", took)
	}
	released := false
	for _, p := range nodes {
		text, err := os.ReadFile(p.LogPath())
		if err != nil {
			t.Fatal(err)
		}
		released = released || strings.Contains(string(text), "(auto, released)")
	}
	if !released {
		t.Error("the shard was not given up: its lease had to end")
	}
	if code := primary.Ended(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	primary.Start()
	primary.AwaitLoaded()
	primary.becomes("slave", 30*time.Second)
	healthy(t, nodes[0])

	// SHUTDOWN NOW does not.
	primary, replica = owner(t, nodes, "a")
	began = time.Now()
	nowait := primary.dial()
	if v, err := nowait.try("SHUTDOWN", "NOW"); err == nil {
		t.Errorf("SHUTDOWN NOW replied %c%s", v.Kind, v.Text)
	}
	if code := primary.Ended(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SHUTDOWN NOW", code)
	}
	took = time.Since(began)
	if took > 3*time.Second { // less than a tenth of it where nothing else runs
		t.Errorf("SHUTDOWN NOW took %v", took)
	}
	t.Logf("SHUTDOWN NOW took %v; its replica took writes %v later", took, replica.accepts("a", 30*time.Second))
	primary.Start()
	primary.AwaitLoaded()
	primary.becomes("slave", 30*time.Second)
	healthy(t, nodes[0])

	// kill -9 of the node that leads the topology log, while clients write elsewhere.
	lead := leader(nodes)
	if lead == nil {
		t.Fatal("no log tells who leads")
	}
	lead.Kill()
	rest := slices.DeleteFunc(slices.Clone(nodes), func(p *process) bool { return p == lead })
	for i := range 6 {
		key := "b" + strconv.Itoa(i)
		realnode.Eventually(t, 30*time.Second, func() error {
			var last error
			for _, p := range rest {
				c, err := p.tryDial()
				if err != nil {
					return err
				}
				v, err := c.try("SET", key, "1")
				c.Close()
				if err == nil && v.Text == "OK" {
					return nil
				}
				last = fmt.Errorf("%s: %s, %v", key, v.Text, err)
			}
			return last
		})
	}
	lead.Start()
	lead.AwaitLoaded()
	lead.becomes("slave", 30*time.Second)
	healthy(t, nodes[0])

	// All at once: identities and what was saved stay, and it heals by itself.
	keys := map[*process]string{}
	for _, p := range nodes {
		c := p.dial()
		c.is("+OK", "SAVE")
		keys[p] = c.do("DBSIZE")
	}
	for _, p := range nodes {
		p.Signal(syscall.SIGKILL)
	}
	for _, p := range nodes {
		<-p.Done()
	}
	for _, p := range nodes {
		p.Start()
	}
	for _, p := range nodes {
		p.AwaitLoaded()
		if got := p.dial().do("CLUSTER", "MYID"); got != ids[p] {
			t.Errorf("%s came back as %s, was %s", p.Addr, got, ids[p])
		}
	}
	healthy(t, nodes[0])
	for _, p := range nodes {
		p.dial().is(keys[p], "DBSIZE")
	}
	owner(t, nodes, "a")
}

// leader returns the node whose log last says that it leads.
func leader(nodes []*process) (lead *process) {
	newest := ""
	for _, p := range nodes {
		text, err := os.ReadFile(p.LogPath())
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"text": "leads"`) && line > newest { // lines begin with the time
				newest, lead = line, p
			}
		}
	}
	return lead
}

// TestFullDisk: a node whose cluster directory takes no more bytes says so and goes on,
// or ends saying why; the others take writes all the time; with room again it is a
// member as before. The disk is a small tmpfs, for which the test must be root.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Log("not root: no small file system can be made; only the node's start is tested")
		refused(t, []string{"--port", strconv.Itoa(realnode.FreePorts(t, 1)), "--dir", "/dev/full"}, "/dev/full")
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Logf("no tmpfs can be mounted here (%v): only the node's start is tested", err)
		refused(t, []string{"--port", strconv.Itoa(realnode.FreePorts(t, 1)), "--dir", "/dev/full"}, "/dev/full")
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	const lenient = "--cluster-require-full-coverage" // a slot without owner concerns no other
	nodes := startCluster(t, 2, lenient, "no")
	sick := startPlain(t, "--cluster-enabled", "yes", lenient, "no", "--cluster-dir", filepath.Join(dir, "cluster"))
	nodes = append(nodes, sick)
	form(t, nodes, 0)
	realnode.Eventually(t, 20*time.Second, func() error { // it shall vote when its disk fills up
		if voters, err := sick.Field("redwing_voters", "CLUSTER", "INFO"); err != nil || voters != "3" {
			return fmt.Errorf("%s voters, %v", voters, err)
		}
		return nil
	})
	id := sick.dial().do("CLUSTER", "MYID")
	key, other := "", ""
	for i := range 100 {
		k := "k" + strconv.Itoa(i)
		if nodes[0].dial().do("SET", k, "v") == "+OK" {
			key = k
		} else if sick.dial().do("SET", k, "v") == "+OK" {
			other = k
		}
	}
	if key == "" || other == "" {
		t.Fatal("no key of the nodes found")
	}
	fill := filepath.Join(dir, "fill")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(random(64 << 10))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// Clients write to a healthy node while the log takes entries.
	var writes, failures atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	c := nodes[0].dial()
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if v, err := c.try("SET", key, "v"); err != nil || v.Text != "OK" {
				if failures.Add(1) == 1 {
					t.Logf("a write elsewhere: %s, %v", v.Text, err)
				}
			}
			writes.Add(1)
		}
	})
	d := nodes[1].dial()
	mine := ownSlot(t, d)
	for range 15 { // entries of the log
		for _, words := range [][]string{{"CLUSTER", "DELSLOTS", mine}, {"CLUSTER", "ADDSLOTS", mine}} {
			if got := d.do(words...); got != "+OK" {
				t.Logf("%q: %s", words, got)
			}
		}
	}
	close(stop)
	wg.Wait()
	t.Logf("%d writes elsewhere, %d failed", writes.Load(), failures.Load())
	if failures.Load() > writes.Load()/10 {
		t.Errorf("%d of %d writes on a healthy node failed", failures.Load(), writes.Load())
	}
	sick.Running()
	// A restart on the full disk: it runs or says why it does not.
	sick.Kill()
	sick.Start()
	select {
	case <-sick.Done():
		if !strings.Contains(sick.Log(), "no space left") {
			t.Errorf("it ended without a word of the full disk:\n%s", sick.Log())
		}
	case <-time.After(3 * time.Second):
		sick.Kill()
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	sick.Start()
	sick.AwaitLoaded()
	if got := sick.dial().do("CLUSTER", "MYID"); got != id {
		t.Errorf("came back as %s, was %s", got, id)
	}
	healthy(t, nodes[0])
	sick.accepts(other, 30*time.Second)
	sick.Kill() // before its file system goes
}

// ownSlot returns a slot of the node.
func ownSlot(t *testing.T, c *client) string {
	t.Helper()
	for i := range 1000 {
		k := "s" + strconv.Itoa(i)
		if got := c.do("GET", k); got == "$-1" {
			return strings.TrimPrefix(c.do("CLUSTER", "KEYSLOT", k), ":")
		}
	}
	t.Fatal("the node has no slot")
	return ""
}
