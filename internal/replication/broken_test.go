package replication

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// flakyProxy stands before a primary and breaks connections after 300,000 bytes,
// until it is told to heal.
type flakyProxy struct {
	port   int
	broken atomic.Int64
	heal   atomic.Bool
	close  func() // takes no connection any more
}

func brokenPrimary(t *testing.T, p *node) *flakyProxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flakyProxy{port: ln.Addr().(*net.TCPAddr).Port}
	ended := make(chan struct{})
	f.close = func() {
		_ = ln.Close()
		<-ended
	}
	t.Cleanup(f.close)
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", p.ln.Addr().String())
			if err != nil {
				_ = c.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(up, c)
				_ = up.Close()
			}()
			go func() {
				if f.heal.Load() {
					_, _ = io.Copy(c, up)
				} else {
					_, _ = io.CopyN(c, up, 300_000)
					f.broken.Add(1)
				}
				_ = c.Close()
				_ = up.Close()
			}()
		}
	}()
	return f
}
