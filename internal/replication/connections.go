package replication

import "net"

// Connection is one that replication has taken over or opened, for CLIENT LIST and KILL.
type Connection struct {
	ID        uint64
	Conn      net.Conn
	Primary   bool // to the primary; else of a replica
	AgeNanos  int64
	IdleNanos int64 // since its newest sign of life
	DB        int   // selected by the primary's stream
	LagBytes  int64 // of the stream that a replica has not taken yet
}

// linkConn is the connection of a link that is in use.
type linkConn struct {
	net.Conn
	id   uint64
	born int64 // clock.Mono
}

// Connections returns all connections of replication. To close one ends its link.
func (r *Replication) Connections() (list []Connection) {
	now := r.mono()
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.mu.link; l != nil {
		if c := l.conn.Load(); c != nil {
			idle := now - c.born
			if at := l.lastIO.Load(); at > c.born {
				idle = now - at
			}
			list = append(list, Connection{
				ID: c.id, Conn: c.Conn, Primary: true, AgeNanos: now - c.born, IdleNanos: idle, DB: max(r.mu.streamDB, 0),
			})
		}
	}
	for _, a := range r.mu.replicas {
		c := Connection{ID: a.id, Conn: a.conn, AgeNanos: now - a.born, IdleNanos: now - a.ackAt}
		if a.reader != nil {
			c.LagBytes = a.reader.Lag()
		}
		list = append(list, c)
	}
	return list
}

func (o *Options) newClientID() uint64 {
	if o.NewClientID == nil {
		return 0
	}
	return o.NewClientID()
}
