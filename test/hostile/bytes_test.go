package hostile

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/test/realnode"
)

// malformed are requests that break the protocol or are at its limits.
func malformed() []string {
	long := strings.Repeat("x", 70_000)
	return []string{
		"", "\r\n", "\n", "\r", "\x00", "*", "$", "*\r\n", "$\r\n", "*1\r\n", "*0\r\nPING\r\n", "*-1\r\nPING\r\n",
		"*-9223372036854775808\r\nPING\r\n", "*9223372036854775807\r\n", "*18446744073709551616\r\n", "*1e3\r\n", "*0x10\r\n", "* 1\r\n",
		"*1\r\n$-1\r\n", "*1\r\n$-9223372036854775808\r\n", "*1\r\n$9223372036854775807\r\n", "*1\r\n$536870913\r\n", "*1\r\n$4294967296\r\n",
		"*1\r\n$4\r\nPI", "*2\r\n$4\r\nECHO\r\n", "*2\r\n$4\r\nECHO\r\n$", "*2\r\n$4\r\nECHO\r\n$1000\r\nabc",
		"*1\r\n+PING\r\n", "*1\r\n*1\r\n$4\r\nPING\r\n", "*1\r\n-4\r\n", "*1\r\n%1\r\n", "*1\r\n\r\n", "*1\r\nPING\r\n",
		"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab\r\ncdPING\r\n", "*1\r\n$0\r\n\r\nPING\r\n", "*1\r\n$4\r\nPINGPING\r\n",
		"$4\r\nPING\r\n", ":1\r\n", "+OK\r\n", "-ERR x\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(123\r\n", "%1\r\n+a\r\n+b\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n", "|1\r\n+a\r\n+b\r\n",
		"\"\r\n", "'\r\n", "\"\\x\"\r\n", "\"\\xZZ\"\r\nPING\r\n", "a\"b\"\r\n", "\"a\"b\r\nPING\r\n", "SET k 'a\r\nPING\r\n",
		"set k \"\\x00\\xff\"\r\nget k\r\n", "PING \xff\xfe\r\n", long, long + "\r\n", "PING " + long + "\r\n", "*" + long, "*1\r\n$" + long,
		"*1\r\n" + long, strings.Repeat("\r\n", 20_000) + "PING\r\n", strings.Repeat("*0\r\n", 20_000) + "PING\r\n", strings.Repeat("\n", 70_000) + "PING\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n", "PING\r\nHost: x\r\nPING\r\n", "*1\r\n$4\r\nPOST\r\nPING\r\n", "*1\r\n$5\r\nhOsT:\r\n",
		"MULTI\r\nEXEC x\r\nEXEC\r\n", "MULTI\r\n*1\r\n$-1\r\nEXEC\r\n", "MULTI\r\nSET k\r\nEXEC\r\nPING\r\n", "MULTI\r\nMULTI\r\nWATCH k\r\nEXEC\r\n",
		"HELLO 4\r\n", "HELLO x\r\n", "HELLO 3 AUTH a\r\n", "HELLO 9223372036854775808\r\n", "CLIENT REPLY\r\n", "CLIENT\r\n", "CLIENT nosuch\r\n", "COMMAND nosuch\r\n",
		"CONFIG SET maxmemory\r\n", "CONFIG SET nosuch 1\r\n", "QUIT\r\nPING\r\n",
		"nosuch" + strings.Repeat(" a", 300) + "\r\n", "nosuch '" + strings.Repeat("a", 300) + "'\r\n", "'a\\r\\nb' 'c\\r\\nd'\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
	}
}

// TestMalformed: the same bytes as from redis-server, to the point at which the
// connection is closed.
func TestMalformed(t *testing.T) {
	t.Parallel()
	redis := commandtest.StartRedis(t)
	p := startPlain(t)
	for _, in := range malformed() {
		theirs, ours := string(redis.Exchange([]byte(in))), p.exchange([]byte(in))
		if theirs == ours {
			continue
		}
		if want, ok := differs[in]; ok && strings.HasPrefix(ours, want) {
			continue
		}
		t.Errorf("%.100q\nredis-server %.300q\nours         %.300q", in, theirs, ours)
	}
	p.dial().is("+PONG", "PING")
}

// differs are the requests to which our reply is another one, and how ours begins.
var differs = map[string]string{
	// Redis looks for the line's end first in what one read has brought.
	strings.Repeat("x", 70_000) + "\r\n":           "-ERR Protocol error: too big inline request\r\n",
	"PING " + strings.Repeat("x", 70_000) + "\r\n": "-ERR Protocol error: too big inline request\r\n",
	// Redis sees no line end behind a NUL.
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n": "-ERR unknown command '\x16\x03\x01\x02', with args beginning with: \r\n",
}

// TestBeforeAuth: a client that has not said its password may not make the node read or
// keep much.
func TestBeforeAuth(t *testing.T) {
	t.Parallel()
	redis := commandtest.StartRedis(t, "--requirepass", "secret")
	p := startPlain(t, "--requirepass", "secret")
	big := "$16385\r\n" + strings.Repeat("x", 16385) + "\r\n"
	for _, in := range []string{
		"PING\r\nGET k\r\nnosuch\r\nSET k v\r\nMULTI\r\nEXEC\r\nAUTH a b c d\r\nAUTH x\r\nAUTH default x\r\nRESET\r\nGET k\r\n",
		"*11\r\n", "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10), "*1048576\r\n", "*2\r\n$3\r\nGET\r\n" + big, "*1\r\n$536870912\r\n", "*2\r\n$3\r\nGET\r\n$16384\r\n" + strings.Repeat("x", 16384) + "\r\n",
		"AUTH secret\r\n*11\r\n" + strings.Repeat("$4\r\nMGET\r\n", 11) + "PING\r\n", "EXEC\r\nDISCARD\r\nWATCH k\r\nCLIENT ID\r\nQUIT\r\n",
	} {
		if theirs, ours := string(redis.Exchange([]byte(in))), p.exchange([]byte(in)); theirs != ours {
			t.Errorf("%.100q\nredis-server %.300q\nours         %.300q", in, theirs, ours)
		}
	}
}

// TestRandomBytes: streams that begin well and then decay never end the node, and never
// keep it from serving others.
func TestRandomBytes(t *testing.T) {
	t.Parallel()
	p := startPlain(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	rounds := 2000
	if !testing.Short() {
		rounds = 50_000
	}
	seeds := malformed()
	for range rounds {
		b := []byte(seeds[r.IntN(len(seeds))])
		if len(b) > 2000 {
			b = b[:2000]
		}
		b = append(b, request("SET", "k", strings.Repeat("v", r.IntN(50)))...)
		for range 1 + r.IntN(8) {
			at := r.IntN(len(b))
			switch r.IntN(4) {
			case 0:
				b[at] = byte(r.Uint32())
			case 1:
				b = append(b[:at], append([]byte("\r\n*2$-1\x00"), b[at:]...)...)
			case 2:
				b[at] = "0123456789-*$\r\n '\""[r.IntN(18)]
			case 3:
				b = b[:at+1]
			}
		}
		p.exchange(b)
	}
	p.dial().is("+PONG", "PING")
}

// TestHalfRequests: clients that stop in the middle of a request and stay, or go.
func TestHalfRequests(t *testing.T) {
	t.Parallel()
	p := startPlain(t)
	whole := string(request("SET", "key", "value"))
	for cut := range len(whole) {
		c, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, whole[:cut]); err != nil {
			t.Fatal(err)
		}
		switch cut % 3 {
		case 0:
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		case 1: // reset
			if err := c.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		default: // stays
			t.Cleanup(func() { c.Close() })
		}
	}
	c := p.dial()
	c.is("+PONG", "PING")
	c.is("$-1", "GET", "key")
	realnode.Eventually(t, 10*time.Second, func() error { // those that went are gone
		got, err := p.Field("connected_clients", "INFO", "clients")
		if err == nil && got != fmt.Sprint(len(whole)/3+2) {
			err = fmt.Errorf("%s clients", got)
		}
		return err
	})
}
