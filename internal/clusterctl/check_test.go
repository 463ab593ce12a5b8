package clusterctl

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
	"github.com/redwingdb/redwing/internal/slots"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(w *fakecluster.World)
		want  string // severity, number of the node, start of the text
		fatal bool
	}{
		{"healthy", func(*fakecluster.World) {}, "", false},
		{"dead replica", func(w *fakecluster.World) { w.Node(2).Kill() }, "error n2 does not answer", true},
		{"failed but alive", func(w *fakecluster.World) { w.Node(3).Fail() }, "error n3 answers, but the cluster holds it for failed", true},
		{"uncovered", func(w *fakecluster.World) { w.Node(0).Disown(slots.Range{From: 5, To: 6}) }, "error  2 slots have no owner: 5-6", true},
		{"unlinked", func(w *fakecluster.World) { w.Node(3).Unlink() }, "error n3 is not linked", true},
		{"blind", func(w *fakecluster.World) { w.Node(3).Blind() }, "error n3 sees another topology than n0", true},
		{"no replica", func(w *fakecluster.World) { w.Node(3).Leave() }, "warning n1 has no replica", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := fakecluster.Formed(t, 2, 1)
			c.spoil(w)
			r := must[*Report](t)(Check(context.Background(), dial(t), w.Node(0).Addr))
			if r.Healthy() == c.fatal {
				t.Errorf("healthy %v: %+v", r.Healthy(), r.Findings)
			}
			var pairs []string
			for i, addr := range w.Addrs() {
				pairs = append(pairs, addr, fmt.Sprintf("n%d", i))
			}
			var got []string
			for _, f := range r.Findings {
				got = append(got, strings.NewReplacer(pairs...).Replace(f.Severity+" "+f.Node+" "+f.Text))
			}
			all := strings.Join(got, "\n")
			if c.want == "" && all != "" || !strings.Contains(all, c.want) {
				t.Errorf("findings:\n%s\nwant %q", all, c.want)
			}
		})
	}
}

func TestCheckNeedsTheSeed(t *testing.T) {
	_, err := Check(context.Background(), dial(t), "127.0.0.1:1")
	wantErr(t, err, ErrUnreachable)
}

func TestWaitHealthyTimesOut(t *testing.T) {
	w := fakecluster.Formed(t, 2, 0)
	wantErr(t, WaitHealthy(context.Background(), hasty(t), w.Node(0).Addr, 3), ErrTimeout, "2 of 3 nodes")
	w.Node(1).Kill()
	wantErr(t, WaitHealthy(context.Background(), hasty(t), w.Node(0).Addr, 2), ErrTimeout, "does not answer")
}

func TestPrintReport(t *testing.T) {
	var b strings.Builder
	r := &Report{Nodes: 3, Shards: 2, Covered: 16000, Findings: []Finding{
		{"error", "", "384 slots have no owner: 0-383"}, {"warning", "10.0.0.1:7000", "has no replica"},
	}}
	if err := PrintReport(&b, r); err != nil {
		t.Fatal(err)
	}
	const want = `error    384 slots have no owner: 0-383
warning  10.0.0.1:7000 has no replica
unhealthy: 3 nodes, 2 shards, 16000 of 16384 slots covered
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestStatus(t *testing.T) {
	w := fakecluster.Formed(t, 2, 1)
	w.Node(0).SetKeys(5)
	w.Node(2).SetKeys(5)
	w.Node(3).Kill()
	s := must[*Status](t)(ReadStatus(context.Background(), dial(t), w.Node(1).Addr))
	if s.State != "ok" || s.Covered != slots.Count || s.Keys != 5 || s.Epoch != "7" || len(s.Nodes) != 4 {
		t.Errorf("%+v", s)
	}
	byAddr := map[string]NodeStatus{}
	for _, n := range s.Nodes {
		byAddr[n.Addr] = n
	}
	if n := byAddr[w.Node(2).Addr]; n.Role != "replica" || n.Primary != w.Node(0).Addr || n.LagBytes != 10 || n.Link != "up" || n.State != "ok" || n.Memory != 1024 {
		t.Errorf("replica %+v", n)
	}
	if n := byAddr[w.Node(3).Addr]; n.State != "unreachable" {
		t.Errorf("dead replica %+v", n)
	}
	var b strings.Builder
	if err := PrintStatus(&b, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cluster ok, 16384 of 16384 slots covered, 5 keys, epoch 7\n", "2.00K", "unreachable"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := PrintJSON(&b, s); err != nil || !json.Valid([]byte(b.String())) {
		t.Errorf("%v in %s", err, b.String())
	}
}

func TestPrintNodes(t *testing.T) {
	st := must[*State](t)(ParseNodes(nodesText))
	var b strings.Builder
	PrintNodes(&b, st)
	const want = ` ID                                        ADDRESS          ROLE     PRIMARY   EPOCH  SLOTS  RANGES             FLAGS          
 e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca  127.0.0.1:30001  primary  -             1   5461  0-5460             [master]       
 67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1  127.0.0.1:30002  primary  -             2   5462  5461-10922         [master fail?] 
 292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f  ::1:30003        primary  -             3   5079  10923-16000 16383  [master]       
 e7d1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  127.0.0.1:30009  primary  -             0      0                     [master]       
 07c37dfeb235213a872192d90877d0cd55635b91  127.0.0.1:30004  replica  e7d1eecc      4      0                     [slave]        
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestPasswords(t *testing.T) {
	w := fakecluster.Formed(t, 1, 0)
	w.Node(0).SetPassword("secret")
	for _, c := range []struct{ password, word string }{{"", "asks for a password"}, {"wrong", "refuses the password"}, {"secret", ""}} {
		conns := NewConns(Options{Password: c.password})
		defer conns.Close()
		_, err := conns.State(context.Background(), w.Node(0).Addr)
		if c.word == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantErr(t, err, ErrDenied, c.word, w.Node(0).Addr)
	}
}

func TestPlainNode(t *testing.T) {
	w := fakecluster.New(t, 1)
	w.Fail("CLUSTER NODES", "ERR This instance has cluster support disabled")
	_, err := dial(t).State(context.Background(), w.Node(0).Addr)
	wantErr(t, err, nil, "not a cluster node")
}

func TestUnreachable(t *testing.T) {
	for addr, word := range map[string]string{
		"127.0.0.1:1": "connection refused",
		"bad..name:1": "no such host",
	} {
		_, err := dial(t).State(context.Background(), addr)
		wantErr(t, err, ErrUnreachable, addr, word)
	}
	_, err := dial(t).State(context.Background(), "nonsense")
	wantErr(t, err, ErrUsage, "host:port")
}
