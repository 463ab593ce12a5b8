package node

import "github.com/redwingdb/redwing/internal/server"

// links are the connections of replication as CLIENT LIST and CLIENT KILL take them.
func (n *Node) links() (list []server.Link) {
	for _, c := range n.repl.Connections() {
		list = append(list, server.Link{
			ID: c.ID, Addr: c.Conn.RemoteAddr(), Laddr: c.Conn.LocalAddr(), Primary: c.Primary, User: "default",
			AgeNanos: c.AgeNanos, IdleNanos: c.IdleNanos, DB: c.DB, LagBytes: c.LagBytes,
			Close: func() { _ = c.Conn.Close() }, // the link's own goroutine takes note
		})
	}
	return list
}
