package server

import (
	"net"
	"strconv"
)

// Link is a connection of replication: CLIENT LIST and CLIENT KILL know it, but it has no
// session. Source of the names of its flags: Redis 7.2, networking.c.
type Link struct {
	ID          uint64
	Addr, Laddr net.Addr
	Primary     bool   // to the node that this one follows; else of a replica
	User        string // "" of a primary
	AgeNanos    int64
	IdleNanos   int64 // since its newest sign of life
	DB          int   // selected by the primary's stream
	LagBytes    int64 // of the stream that a replica has not taken yet
	Close       func()
}

// links returns the connections of replication.
func (srv *Server) links() []Link {
	if srv.o.Links == nil {
		return nil
	}
	return srv.o.Links()
}

// NewClientID returns the next id of CLIENT ID, for a connection that this node opens.
func (srv *Server) NewClientID() uint64 { return srv.nextID.Add(1) }

// appendInfo appends the line of CLIENT LIST.
func (l *Link) appendInfo(dst []byte) []byte {
	flags, cmd := "S", "psync"
	if l.Primary {
		flags, cmd = "M", "NULL"
	}
	for _, field := range [...][2]string{
		{"id", strconv.FormatUint(l.ID, 10)}, {"addr", addrText(l.Addr)}, {"laddr", addrText(l.Laddr)},
		{"fd", "-1"}, {"name", ""}, {"age", seconds(l.AgeNanos)}, {"idle", seconds(l.IdleNanos)}, {"flags", flags},
		{"db", strconv.Itoa(l.DB)}, {"sub", "0"}, {"psub", "0"}, {"ssub", "0"}, {"multi", "-1"},
		{"qbuf", "0"}, {"qbuf-free", "0"}, {"argv-mem", "0"}, {"multi-mem", "0"}, {"rbs", "0"}, {"rbp", "0"},
		{"obl", "0"}, {"oll", "0"}, {"omem", strconv.FormatInt(l.LagBytes, 10)}, {"tot-mem", strconv.FormatInt(l.LagBytes, 10)},
		{"events", "r"}, {"cmd", cmd}, {"user", l.userText()}, {"redir", "-1"}, {"resp", "2"}, {"lib-name", ""},
	} {
		dst = append(append(append(append(dst, field[0]...), '='), field[1]...), ' ')
	}
	return append(dst, "lib-ver="...)
}

func (l *Link) userText() string {
	if l.Primary {
		return "(superuser)"
	}
	return l.User
}

func seconds(nanos int64) string { return strconv.FormatInt(nanos/1e9, 10) }

// killLinks closes the links that f means and returns how many they were.
func (srv *Server) killLinks(f killFilter) (n int) {
	for _, l := range srv.links() {
		if f.id != 0 && f.id != l.ID ||
			f.addr != "" && f.addr != addrText(l.Addr) ||
			f.laddr != "" && f.laddr != addrText(l.Laddr) ||
			f.user != "" && f.user != l.User ||
			!f.kind.hasLink(&l) {
			continue
		}
		l.Close()
		n++
	}
	return n
}
