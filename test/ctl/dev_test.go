package ctl

import (
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redwingdb/redwing/test/realnode"
)

func TestDev(t *testing.T) {
	d := newDev(t, 3, 1, 0)
	d.up().want(t, 0, "3 primaries and 3 replicas are up", "redis-cli -c -p "+strconv.Itoa(d.port))
	d.ctl("check").want(t, 0, "healthy: 6 nodes, 3 shards")
	first := d.pid(0)
	d.up() // again: nothing is started
	if d.pid(0) != first {
		t.Error("node 0 was started twice")
	}
	d.kill(0)
	d.ctl("check").want(t, 1, "cannot be reached: connection refused")
	r := ctl("-a", d.addr(1), "check")
	r.want(t, 3, d.addr(0), "does not answer", "unhealthy: 6 nodes")
	d.up() // what was killed comes back, whoever the primary is now
	d.ctl("check").want(t, 0, "healthy: 6 nodes, 3 shards")

	d.run("down").want(t, 0, "stopped 6 nodes")
	if _, err := os.Stat(d.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	realnode.Eventually(t, 5*time.Second, func() error {
		ln, err := net.Listen("tcp", d.addr(0))
		if err != nil {
			return err
		}
		return ln.Close()
	})
	d.run("down").want(t, 0, "stopped 0 nodes")
}

// The port of the last node is taken: none is started.
func TestDevPortTaken(t *testing.T) {
	d := newDev(t, 2, 0, 0)
	ln, err := net.Listen("tcp", d.addr(1))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d.run("up").want(t, 1, "port "+strconv.Itoa(d.port+1)+" is taken by another process")
	if _, err := os.Stat(d.dir); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
}
