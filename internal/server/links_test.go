package server

import (
	"net"
	"strings"
	"testing"
)

// Links of replication are listed and killed as Redis does it with its own.
func TestLinks(t *testing.T) {
	closed := map[uint64]bool{}
	at := func(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
	link := func(id uint64, port int, primary bool) Link {
		return Link{ID: id, Addr: at(port), Laddr: at(6379), Primary: primary, User: "default", LagBytes: 7, Close: func() { closed[id] = true }}
	}
	links := []Link{link(77, 1001, false), link(78, 1002, true)}
	h := newHarness(t, func(o *Options) { o.Links = func() []Link { return links } })
	c := h.client()
	list := func(args string) string {
		c.feed("client list " + args + "\r\n")
		c.settle()
		return c.sent()
	}
	for args, want := range map[string]string{
		"type replica": "id=77 addr=127.0.0.1:1001 laddr=127.0.0.1:6379 fd=-1 name= age=0 idle=0 flags=S db=0 ",
		"type slave":   " omem=7 tot-mem=7 events=r cmd=psync user=default redir=-1 resp=2 lib-name= lib-ver=\n",
		"type master":  "id=78 addr=127.0.0.1:1002 laddr=127.0.0.1:6379 fd=-1 name= age=0 idle=0 flags=M db=0 ",
		"id 78":        " cmd=NULL user=(superuser) redir=-1 ",
	} {
		if got := list(args); !strings.Contains(got, want) || strings.Count(got, "\n") != 3 {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	if got := list(""); strings.Count(got, " laddr=") != 3 {
		t.Errorf("%q", got)
	}
	c.do("client kill type replica", ":1")
	c.do("client kill 127.0.0.1:1002", "+OK")
	c.do("client kill 127.0.0.1:1003", "-ERR No such client")
	c.do("client kill type pubsub", ":0")
	if !closed[77] || !closed[78] {
		t.Fatalf("closed %v", closed)
	}
	c.do("client kill id 77 addr 127.0.0.1:1002", ":0")
}
