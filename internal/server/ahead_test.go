package server

import (
	"fmt"
	"strings"
	"testing"
)

// Requests are parsed before those ahead of them have run; nobody can tell.
func TestParsedAhead(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Auth = password("pw") })
	c := h.client()
	// The limits are those at the request, not those at its parsing.
	wide := request("mget", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k")
	c.feed("auth pw\r\n" + string(wide))
	c.expect("+OK|*11" + strings.Repeat("|$-1", 11))

	// What follows a protocol error is not run, what comes before it is.
	d := h.client()
	d.feed("auth pw\r\nset a 1\r\n\r\nget a\r\n*1\r\n$x\r\nset a 2\r\n")
	d.expect("+OK|+OK|$1|1|-ERR Protocol error: invalid bulk length")
	if !d.s.Ended() {
		t.Error("goes on behind a protocol error")
	}
	c.do("get a", "$1|1")

	// A session that parks in the midst of what is parsed reads on and loses nothing.
	h.ks.Own(h.ks.AllShards())
	in, want := "", ""
	for i := range 3 * aheadMax {
		in += fmt.Sprintf("set k%d %d\r\nping \"%d\"\r\n", i, i, i)
		want += fmt.Sprintf("+OK|$%d|%d|", len(fmt.Sprint(i)), i)
	}
	for len(in) > 0 {
		n := min(len(in), 37)
		c.feed(in[:n])
		in = in[n:]
	}
	c.expect("")
	h.ks.Disown(h.ks.AllShards())
	c.settle()
	c.expect(strings.TrimSuffix(want, "|"))

	// Who quits leaves the rest undone.
	c.feed("set a 3\r\nquit\r\nset a 4\r\nset b 4\r\nset c 4\r\n")
	c.expect("+OK|+OK")
	e := h.client()
	e.do("auth pw|get a|get b", "+OK|$1|3|$-1")
}
