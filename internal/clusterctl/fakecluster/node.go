package fakecluster

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/redcon"

	"github.com/redwingdb/redwing/internal/slots"
)

// Node is one address that answers. The fields but for ID and Addr are guarded by the
// mutex of its world.
type Node struct {
	ID   string
	Addr string

	w       *World
	stop    func() // ends the listener and its connections
	cluster int    // nodes with the same number are one cluster
	primary *Node
	slots   slots.Set

	keys     int
	failed   bool   // the others say so
	unlinked bool   // a replica without its primary
	alone    bool   // it does not see the other members
	password string // "": none
}

func (n *Node) listen(t testing.TB) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.Addr = ln.Addr().String()
	srv := redcon.NewServer(n.Addr, n.serve, func(redcon.Conn) bool { return true }, nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(ln) // ends when the listener is closed, and closes its connections
	}()
	n.stop = sync.OnceFunc(func() {
		_ = ln.Close() // nothing is lost with it
		<-ended
	})
	t.Cleanup(n.stop)
}

// Kill ends the node; the others hold it for failed.
func (n *Node) Kill() {
	n.set(func() { n.failed = true })
	n.stop()
}

// Fail lets the others hold the node for failed while it answers.
func (n *Node) Fail() { n.set(func() { n.failed = true }) }

// Leave makes the node a cluster of its own.
func (n *Node) Leave() { n.set(n.leaveLocked) }

// SetKeys says how many keys the node holds.
func (n *Node) SetKeys(keys int) { n.set(func() { n.keys = keys }) }

// SetPassword makes the node ask for a password.
func (n *Node) SetPassword(p string) { n.set(func() { n.password = p }) }

// Unlink takes a replica's link to its primary down.
func (n *Node) Unlink() { n.set(func() { n.unlinked = true }) }

// Blind lets the node see nobody but itself.
func (n *Node) Blind() { n.set(func() { n.alone = true }) }

// Disown takes slots away from the node.
func (n *Node) Disown(r slots.Range) {
	n.set(func() {
		var s slots.Set
		s.AddRange(r)
		n.slots.Subtract(&s)
	})
}

func (n *Node) set(f func()) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	f()
}

// serve answers one command.
func (n *Node) serve(conn redcon.Conn, cmd redcon.Command) {
	words := make([]string, len(cmd.Args))
	for i, a := range cmd.Args {
		words[i] = string(a)
	}
	name := strings.ToUpper(words[0])
	if name == "CLUSTER" && len(words) > 1 {
		name += " " + strings.ToUpper(words[1])
		words = words[1:]
	}
	reply, hook := n.answer(conn, name, words[1:])
	conn.WriteRaw(reply)
	if hook != nil {
		hook()
	}
}

// line returns the node's line of CLUSTER NODES. REQUIRES: the world's mutex held.
func (n *Node) lineLocked(myself bool) string {
	var flags []string
	if myself {
		flags = append(flags, "myself")
	}
	role, primary := "master", "-"
	if n.primary != nil {
		role, primary = "slave", n.primary.ID
	}
	flags = append(flags, role)
	if n.failed {
		flags = append(flags, "fail")
	}
	_, port, err := net.SplitHostPort(n.Addr)
	if err != nil {
		n.w.t.Error(err)
	}
	line := fmt.Sprintf("%s %s@1%s %s %s 0 0 1 connected", n.ID, n.Addr, port, strings.Join(flags, ","), primary)
	for _, r := range n.slots.Ranges() {
		line += " " + r.String()
	}
	return line + "\n"
}
