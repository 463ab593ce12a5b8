package differ

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// TestProtocol sends well-formed, odd and malformed bytes to both servers and wants the
// same bytes back, the point at which the connection is closed included.
func TestProtocol(t *testing.T) {
	known, err := LoadKnown("protocol ")
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := commandtest.StartRedis(t), startServer(t)
	for _, in := range []string{
		"",
		"PING\r\n",
		"PING\n",
		"  PING  \r\n",
		"\r\n\r\nPING\r\n",
		"PING hello\r\nECHO x\r\n",
		"set k 'a b'\r\nget k\r\n",
		"set k \"a\\x41\\n\\r\\t\\a\\b\\\"\"\r\nget k\r\n",
		"set k 'it\\'s'\r\nget k\r\n",
		"get \"k\r\nPING\r\n",
		"get 'k\r\n",
		"get 'k'x\r\nPING\r\n",
		"get \"k\"x\r\nPING\r\n",
		"get ''\r\n",
		"*1\r\n$4\r\nPING\r\n",
		"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI",
		"*0\r\n*1\r\n$4\r\nPING\r\n",
		"*-1\r\n*1\r\n$4\r\nPING\r\n",
		"*-10\r\nPING\r\n",
		"*1048576\r\nPING\r\n",
		"*1048577\r\nPING\r\n",
		"*2147483648\r\nPING\r\n",
		"*99999999999999999999\r\nPING\r\n",
		"*abc\r\nPING\r\n",
		"*\r\nPING\r\n",
		"*1 \r\nPING\r\n",
		"*+1\r\n$4\r\nPING\r\n",
		"*01\r\n$4\r\nPING\r\n",
		"*1\r\nPING\r\n",
		"*1\r\n:4\r\n",
		"*1\r\n$\r\n",
		"*1\r\n$abc\r\n",
		"*1\r\n$-1\r\n",
		"*1\r\n$-2\r\n",
		"*1\r\n$ 4\r\nPING\r\n",
		"*1\r\n$536870913\r\nPING\r\n",
		"*1\r\n$9223372036854775808\r\n",
		"*1\r\n$0\r\n\r\nPING\r\n",
		"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
		"*1\r\n$4\r\nPINGxxPING\r\n",
		"*2\r\n$4\r\nECHO\r\n$5\r\na\r\nbc\r\n",
		"*2\r\n$4\r\nECHO\r\n$3\r\nabcdPING\r\n",
		"*1\n$4\r\nPING\r\n",
		"*1\r\r\n$4\r\nPING\r\n",
		"*" + strings.Repeat("1", 70_000),
		"*1\r\n$" + strings.Repeat("1", 70_000),
		strings.Repeat("x", 70_000),
		"PING " + strings.Repeat("x", 60_000) + "\r\n",
		"PING\x00\r\n",
		"\x00\r\nPING\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST / HTTP/1.1\r\nPING\r\n",
		"HOST: x\r\nPING\r\n",
		"QUIT\r\nPING\r\n",
		"quit x\r\nPING\r\n",
		"nosuch\r\nPING\r\n",
		"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n",
		"CLIENT REPLY SKIP\r\nPING\r\nPING\r\n",
		"CLIENT REPLY SKIP\r\nnosuch\r\nPING\r\n",
		"HELLO 3 foo\r\nPING\r\n",
		"MULTI\r\nSET a 1\r\n",
		strings.Repeat("PING\r\n", 5000),
	} {
		name := "protocol " + quote(clipped(in))
		if err := known.Check(name, string(theirs.Exchange([]byte(in))), string(ours.Exchange([]byte(in)))); err != nil {
			t.Error(clipped(err.Error()))
		}
	}
	if gone := known.Gone(); len(gone) > 0 && !t.Failed() {
		t.Errorf("differences of known.tsv that have gone: %q", gone)
	}
}

func clipped(s string) string {
	if len(s) > 400 {
		return s[:400] + "..."
	}
	return s
}
