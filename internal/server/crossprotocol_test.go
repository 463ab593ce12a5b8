package server

import "testing"

// TestCrossProtocol: the lines of an HTTP request that no command may be named after
// close the connection, and what stands behind them does not run.
func TestCrossProtocol(t *testing.T) {
	h := newHarness(t, nil)
	for _, in := range []string{"POST / HTTP/1.1\r\n", "Host: localhost\r\n", "hOSt:\r\n", string(request("post"))} {
		c := h.client()
		c.feed("GET / HTTP/1.1\r\n" + in + "set k attacked\r\n")
		if got := c.sent(); got != "" || !c.s.Ended() {
			t.Errorf("%q: replied %q, ended: %v", in, got, c.s.Ended())
		}
	}
	c := h.client()
	c.do("get k|posts|host|ping", "$-1|-ERR unknown command 'posts', with args beginning with: |-ERR unknown command 'host', with args beginning with: |+PONG")
}

// TestExecArity: an EXEC that is no EXEC ends the transaction and says why.
func TestExecArity(t *testing.T) {
	h := newHarness(t, nil)
	c := h.client()
	const why = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
	c.do("multi|set k v|exec x|exec|get k", "+OK|+QUEUED|"+why+"|-ERR EXEC without MULTI|$-1")
	c.do("exec x", why)
	c.do("multi|set k|exec", "+OK|-ERR wrong number of arguments for 'set' command|"+execAbort)
}
