package hostile

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/test/realnode"
)

// TestPipelines: a client may write all it has before it reads the first reply.
func TestPipelines(t *testing.T) {
	t.Parallel()
	p := startPlain(t)
	c := p.dial()
	const n = 100_000
	var b, want bytes.Buffer
	for i := range n {
		switch i % 4 {
		case 0:
			b.Write(request("INCR", "n"))
			fmt.Fprintf(&want, ":%d\r\n", i/4+1)
		case 1:
			b.WriteString("ECHO abc\r\n")
			want.WriteString("$3\r\nabc\r\n")
		case 2:
			b.Write(request("NOSUCH", "n"))
			want.WriteString("-ERR unknown command 'NOSUCH', with args beginning with: 'n' \r\n")
		case 3:
			b.Write(request("SET", "n"))
			want.WriteString("-ERR wrong number of arguments for 'set' command\r\n")
		}
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(c.in, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		at := 0
		for got[at] == want.Bytes()[at] {
			at++
		}
		t.Fatalf("at byte %d: %.200q, want %.200q", at, got[at:], want.Bytes()[at:])
	}
}

// TestBigRequests: requests of as many arguments as there may be, and replies as long as
// the keyspace, while another client is served.
func TestBigRequests(t *testing.T) {
	t.Parallel()
	p := startPlain(t)
	c := p.dial()
	const most = 1<<20 - 1 // arguments behind the name
	c.is("+OK", "SET", "k999999", "x")
	fill := []string{"MSET"}
	for i := range most / 2 {
		fill = append(fill, "k"+strconv.Itoa(i), "v")
	}
	names := []string{"MGET"}
	for i := range most {
		names = append(names, "k"+strconv.Itoa(i))
	}
	w := watch(t, p, "PING")
	c.is("+OK", fill...)
	v, err := c.try(names...)
	if err != nil || len(v.Items) != most || v.Items[0].Text != "v" || !v.Items[most-1].Null {
		t.Fatalf("MGET: %d items, %v", len(v.Items), err)
	}
	names[0] = "EXISTS"
	c.is(":"+strconv.Itoa(most/2+1), names...)
	names[0] = "TOUCH"
	c.is(":"+strconv.Itoa(most/2+1), names...)
	if v, err = c.try("KEYS", "*9999*"); err != nil || len(v.Items) == 0 {
		t.Fatalf("KEYS: %d items, %v", len(v.Items), err)
	}
	if v, err = c.try("KEYS", strings.Repeat("*a", 1000)); err != nil || len(v.Items) != 0 {
		t.Fatalf("KEYS: %d items, %v", len(v.Items), err)
	}
	if v, err = c.try("SCAN", "0", "COUNT", "9223372036854775807"); err != nil || len(v.Items) != 2 {
		t.Fatalf("SCAN: %d items, %v", len(v.Items), err)
	}
	names[0] = "DEL"
	c.is(":"+strconv.Itoa(most/2+1), names...)
	w.end(t, "a million arguments")
	c.is(":0", "DBSIZE")
	for _, in := range []string{"*1048577\r\n$4\r\nPING\r\n", "*99999999\r\n"} {
		if got := p.exchange([]byte(in)); got != "-ERR Protocol error: invalid multibulk length\r\n" {
			t.Errorf("%q: %q", in, got)
		}
	}
	// A count without its arguments costs its sender the bytes, not the node.
	before := p.rss()
	for range 50 {
		d := p.dial()
		if _, err := io.WriteString(d, "*1048576\r\n$536870912\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	c.is("+PONG", "PING")
	if grown := p.rss() - before; grown > 64<<20 {
		t.Errorf("fifty announced requests took %d bytes", grown)
	}
}

// TestBigValues: to the limit of a value, and a byte beyond.
func TestBigValues(t *testing.T) {
	t.Parallel()
	p := startPlain(t)
	c := p.dial()
	size := 64 << 20
	if !testing.Short() {
		size = 256 << 20
	}
	big := strings.Repeat("x", size)
	w := watch(t, p, "INCR", "n")
	c.is("+OK", "SET", "k", big)
	c.is(":"+strconv.Itoa(2*size), "APPEND", "k", big)
	c.is(":"+strconv.Itoa(2*size), "SETRANGE", "k", strconv.Itoa(size-1), "yy")
	c.is("$xyyx", "GETRANGE", "k", strconv.Itoa(size-2), strconv.Itoa(size+1))
	v, err := c.try("GET", "k")
	if err != nil || len(v.Text) != 2*size || v.Text[size] != 'y' {
		t.Fatalf("GET: %d bytes, %v", len(v.Text), err)
	}
	const tooLong = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	for _, words := range [][]string{
		{"SETRANGE", "k", "536870912", "x"}, {"SETRANGE", "k", "536870911", "xx"}, {"SETRANGE", "none", "9223372036854775807", "x"},
		{"SETRANGE", "k", "9223372036854775800", "xxxxxxxxxx"},
	} {
		c.is(tooLong, words...)
	}
	c.is("-ERR offset is out of range", "SETRANGE", "k", "-1", "x")
	c.is(":0", "SETRANGE", "none", "536870911", "")
	if !testing.Short() {
		c.is(":536870912", "SETRANGE", "k", "536870911", "z")
		c.is(tooLong, "APPEND", "k", "x")
	}
	c.is("+OK", "SET", "copy", "1")
	c.is(":1", "COPY", "k", "copy", "REPLACE")
	c.is("+OK", "RENAME", "copy", "k")
	w.end(t, "values of "+strconv.Itoa(2*size>>20)+" MiB")
	c.is("+OK", "FLUSHALL")
	realnode.Eventually(t, 40*time.Second, func() error {
		if rss := p.rss(); rss > int64(size) {
			return fmt.Errorf("%d MiB resident after FLUSHALL", rss>>20)
		}
		return nil
	})
	c.is("+OK", "CONFIG", "SET", "proto-max-bulk-len", "1mb")
	if got := p.exchange([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n")); got != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("over proto-max-bulk-len: %q", got)
	}
}

// TestNeverReads: a client that asks and does not read is held by the output limit; the
// others are served.
func TestNeverReads(t *testing.T) {
	t.Parallel()
	p := startPlain(t, "--client-output-buffer-limit", "normal", "16mb", "0", "0")
	c := p.dial()
	c.is("+OK", "SET", "k", strings.Repeat("x", 1<<20))
	w := watch(t, p, "PING")
	before := p.rss()
	var deaf []*client
	for range 8 {
		d := p.dial()
		deaf = append(deaf, d)
		if err := d.SetDeadline(time.Now().Add(replyWait)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write(bytes.Repeat(request("GET", "k"), 1000)); err != nil {
			t.Logf("write: %v", err) // it may be closed already
		}
	}
	realnode.Eventually(t, 20*time.Second, func() error {
		got, err := p.Field("connected_clients", "INFO", "clients")
		if err == nil && got != "3" {
			err = fmt.Errorf("%s clients", got)
		}
		return err
	})
	if grown := p.rss() - before; grown > 512<<20 {
		t.Errorf("clients that do not read took %d MiB", grown>>20)
	}
	w.end(t, "eight deaf clients")
	for _, d := range deaf {
		if n, err := io.Copy(io.Discard, d.in); n > 64<<20 {
			t.Errorf("a deaf client was sent %d bytes, %v", n, err)
		}
	}
	// Without a limit a client that reads late gets all of it.
	c.is("+OK", "CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
	d := p.dial()
	if err := d.SetDeadline(time.Now().Add(replyWait)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(bytes.Repeat(request("GET", "k"), 64)); err != nil {
		t.Fatal(err)
	}
	c.is("+PONG", "PING")
	for i := range 64 {
		if v, _, err := commandtest.ReadReply(d.in); err != nil || len(v.Text) != 1<<20 {
			t.Fatalf("reply %d: %d bytes, %v", i, len(v.Text), err)
		}
	}
}

// TestManyIdle: connections that send half a request and stay, up to maxclients and
// beyond; timeout frees the idle ones.
func TestManyIdle(t *testing.T) {
	t.Parallel()
	const limit = 1000
	p := startPlain(t, "--maxclients", strconv.Itoa(limit), "--client-query-buffer-limit", "1mb")
	c := p.dial()
	c.is("+PONG", "PING")
	before := p.rss()
	var wg sync.WaitGroup
	idle := make([]net.Conn, limit-1)
	for i := range idle {
		wg.Go(func() {
			nc, err := net.DialTimeout("tcp", p.Addr, replyWait)
			if err != nil {
				t.Error(err)
				return
			}
			idle[i] = nc
			if _, err := io.WriteString(nc, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\nab"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	defer func() {
		for _, nc := range idle {
			if nc != nil {
				nc.Close()
			}
		}
	}()
	realnode.Eventually(t, 20*time.Second, func() error {
		got := c.do("INFO", "clients")
		if !strings.Contains(got, fmt.Sprintf("connected_clients:%d\r\n", limit)) {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	if perConn := (p.rss() - before) / limit; perConn > 100<<10 {
		t.Errorf("%d bytes for an idle connection", perConn)
	}
	over := p.dial()
	if err := over.SetDeadline(time.Now().Add(replyWait)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(over.in); err != nil || string(got) != "-ERR max number of clients reached\r\n" {
		t.Errorf("over maxclients: %q, %v", got, err)
	}
	c.is("+OK", "SET", "k", "v")
	// A request that grows over the query buffer ends its connection.
	idle[0].Close()
	realnode.Eventually(t, 20*time.Second, func() error {
		big, err := p.tryDial()
		if err != nil {
			return err
		}
		defer big.Close()
		if err := big.SetDeadline(time.Now().Add(replyWait)); err != nil {
			return err
		}
		if _, err := io.WriteString(big, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000\r\n"+strings.Repeat("x", 3_000_000)); err == nil {
			big.Conn.(*net.TCPConn).CloseWrite()
		}
		if got, _ := io.ReadAll(big.in); len(got) > 0 { // a reset is an end too
			return fmt.Errorf("over the query buffer: %q", got)
		}
		return nil
	})
	c.is("$v", "GET", "k")
	c.is("+OK", "CONFIG", "SET", "timeout", "1")
	realnode.Eventually(t, 20*time.Second, func() error {
		if got := c.do("INFO", "clients"); !strings.Contains(got, "connected_clients:1\r\n") {
			return fmt.Errorf("%.100s", got)
		}
		return nil
	})
}
