// Package realnode is what the tests share that run servers as processes: the binaries
// under test, their processes, ports that are free, and waiting for a condition. No
// program imports it.
package realnode

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/config"
)

// Main builds bin/node and bin/clusterctl into a folder, whose path it stores in bin,
// runs the tests of a package and removes the folder. raced builds them with the race
// detector and checked arenas. It is called in a folder two levels below the module's
// root and returns the exit code.
func Main(m *testing.M, bin *string, raced bool) int {
	dir, err := os.MkdirTemp("", "redwing-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*bin = dir
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if raced {
		args = append(args, "-race", "-tags", "arenacheck")
	}
	build := exec.Command("go", append(args, "../../cmd/node", "../../cmd/clusterctl")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// FreePorts returns the first of n successive ports that are free with their bus
// ports, below the range from which the system takes the ports of connections.
func FreePorts(t testing.TB, n int) int {
	t.Helper()
	for range 200 {
		first := 12000 + rand.IntN(9000)
		if allFree(first, n) && allFree(first+config.BusOffset, n) {
			return first
		}
	}
	t.Fatalf("found no %d free ports", n)
	return 0
}

func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil || ln.Close() != nil {
			return false
		}
	}
	return true
}

// Eventually repeats f until it returns nil; it fails the test with f's last error when
// the time is over.
func Eventually(t testing.TB, limit time.Duration, f func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %v", limit, err)
		}
		<-tick.C
	}
}
