package clusterctl

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// downFor answers so many requests by CLUSTERDOWN, then by OK.
func downFor(t *testing.T, requests int) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewScanner(c)
				for in.Scan() {
					if !strings.HasPrefix(in.Text(), "*") {
						continue // a request begins with its length
					}
					reply := "+OK\r\n"
					if requests--; requests >= 0 {
						reply = "-CLUSTERDOWN The cluster is down\r\n"
					}
					if _, err := c.Write([]byte(reply)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// A node that is without its lease for a moment is asked again, one that stays so is not
// asked for ever, and an interrupt ends the wait.
func TestDoWaitsForTheLease(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	if reply, err := dial(t).Do(ctx, downFor(t, 3), "SET", "k", "v"); err != nil || reply != "OK" {
		t.Errorf("%v, %v", reply, err)
	}
	began := time.Now()
	_, err := dial(t).Do(ctx, downFor(t, 1<<30), "SET", "k", "v")
	wantErr(t, err, nil, "CLUSTERDOWN", "SET k")
	if took := time.Since(began); took < downWait {
		t.Errorf("given up after %v", took)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*downPause)
	defer cancel()
	began = time.Now()
	_, err = dial(t).Do(ctx, downFor(t, 1<<30), "SET", "k", "v")
	if took := time.Since(began); err == nil || took > downWait/2 {
		t.Errorf("%v after %v", err, took)
	}
}
