package clusterctl

import "testing"

func TestSplitAddr(t *testing.T) {
	for text, want := range map[string]struct {
		host string
		port int
	}{
		"10.0.0.1:7000": {"10.0.0.1", 7000}, "[::1]:7000": {"::1", 7000}, "::1:7000": {"::1", 7000}, "host:1": {"host", 1},
		"host": {}, "host:": {}, ":7000": {}, "host:0": {}, "host:65536": {}, "host:x": {}, "": {},
	} {
		host, port, err := splitAddr(text)
		if (err == nil) != (want.port != 0) || err == nil && (host != want.host || port != want.port) {
			t.Errorf("%q gives %q %d %v", text, host, port, err)
		}
	}
}

func TestDialAddr(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:7000": "10.0.0.1:7000", "::1:7000": "[::1]:7000", "[::1]:7000": "[::1]:7000", "node1:7000": "node1:7000", "nonsense": "nonsense",
	} {
		if got := dialAddr(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestSameHost(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"10.0.0.1", "10.0.0.1", true}, {"10.0.0.1", "10.0.0.2", false}, {"::1", "0:0:0:0:0:0:0:1", true},
		{"localhost", "127.0.0.1", true}, {"bad..name", "127.0.0.1", false},
	} {
		if got := sameHost(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
	if ip, err := resolve("localhost"); err != nil || ip != "127.0.0.1" {
		t.Errorf("localhost is %s, %v", ip, err)
	}
	if _, err := resolve("bad..name"); err == nil {
		t.Error("a name that does not exist was resolved")
	}
}
