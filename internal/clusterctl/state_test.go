package clusterctl

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

const nodesText = `07c37dfeb235213a872192d90877d0cd55635b91 127.0.0.1:30004@31004,hostname4 slave e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 0 1426238317239 4 connected
67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 127.0.0.1:30002@31002 master,fail? - 0 1426238316232 2 disconnected 5461-10922
292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f ::1:30003@31003,,shard-id=abc master - 0 1426238318243 3 connected 10923-16000 16383
e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 127.0.0.1:30001@31001,localhost myself,master - 0 0 1 connected 0-5459 5460 [93->-292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f]
e7d1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 127.0.0.1:30009@31009 master - 0 0 0 connected
`

func TestParseNodes(t *testing.T) {
	st, err := ParseNodes(nodesText)
	if err != nil {
		t.Fatal(err)
	}
	if st.Self != "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca" {
		t.Errorf("self %s", st.Self)
	}
	want := []struct {
		addr, role, hostname, slots, open string
		bus                               int
		failed, linked                    bool
	}{
		{"127.0.0.1:30001", "primary", "localhost", "0-5460", "[93->-292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f]", 31001, false, true},
		{"127.0.0.1:30002", "primary", "", "5461-10922", "", 31002, true, false},
		{"::1:30003", "primary", "", "10923-16000 16383", "", 31003, false, true},
		{"127.0.0.1:30009", "primary", "", "", "", 31009, false, true},
		{"127.0.0.1:30004", "replica", "hostname4", "", "", 31004, false, true},
	}
	for i, w := range want {
		n := &st.Nodes[i]
		if n.Addr != w.addr || n.Role() != w.role || n.Hostname != w.hostname || n.Slots.String() != w.slots || n.BusPort != w.bus ||
			strings.Join(n.Open, "") != w.open || n.Failed() != w.failed || n.LinkUp != w.linked {
			t.Errorf("node %d is %+v, want %+v", i, n, w)
		}
	}
	if got := len(st.ReplicasOf(st.Self)); got != 1 {
		t.Errorf("%d replicas", got)
	}
}

func TestParseNodesRefuses(t *testing.T) {
	good := strings.Split(nodesText, "\n")[1]
	for name, line := range map[string]string{
		"fields":   strings.Join(strings.Fields(good)[:7], " "),
		"bus port": strings.Replace(good, "@31002", "@x", 1),
		"no bus":   strings.Replace(good, "@31002", "", 1),
		"epoch":    strings.Replace(good, " 2 disconnected", " -2 disconnected", 1),
		"range":    strings.Replace(good, "5461-10922", "5461-16384", 1),
		"order":    strings.Replace(good, "5461-10922", "9-8", 1),
	} {
		if st, err := ParseNodes(line); err == nil {
			t.Errorf("%s: %q was taken as %+v", name, line, st)
		}
	}
}

func TestFind(t *testing.T) {
	st, err := ParseNodes(nodesText)
	if err != nil {
		t.Fatal(err)
	}
	for name, addr := range map[string]string{
		"e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca": "127.0.0.1:30001",
		"67ed":            "127.0.0.1:30002",
		"127.0.0.1:30004": "127.0.0.1:30004",
		"hostname4:30004": "127.0.0.1:30004",
		"localhost:30001": "127.0.0.1:30001",
		"[::1]:30003":     "::1:30003",
		"e7d1e":           "127.0.0.1:30001",
	} {
		if n, err := st.Find(name); err != nil || n.Addr != addr {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
	for name, word := range map[string]string{
		"e7d1": "fits 2 members", "67e": "no member", "127.0.0.1:30005": "no member", "hostname5": "no member", "": "no member",
	} {
		_, err := st.Find(name)
		wantErr(t, err, ErrUsage, word)
	}
}

func FuzzParseNodes(f *testing.F) {
	f.Add(nodesText)
	f.Add("a b@1 c - 0 0 0 x 1-2 3 [4-<-b]\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		st, err := ParseNodes(text)
		if err != nil {
			return
		}
		covered := st.Covered()
		for _, n := range st.Nodes {
			if !covered.Contains(&n.Slots) {
				t.Fatalf("slots of %s are not covered", n.ID)
			}
			if found, err := st.Find(n.ID); err == nil && found.ID != n.ID {
				t.Fatalf("%q finds %q", n.ID, found.ID)
			}
			st.Head(n.ID)
		}
		st.Signature()
	})
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"0", "16383", "5-9", "9-5", "16384", "-1", "1-", "1-2-3", "+1", "65536"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRange(text)
		if err != nil {
			return
		}
		if r.From > r.To || r.To >= slots.Count {
			t.Fatalf("%q gives %v", text, r)
		}
		if again, err := ParseRange(r.String()); err != nil || again != r {
			t.Fatalf("%q gives %v, which gives %v, %v", text, r, again, err)
		}
	})
}
