package server

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// Replies to clients whose wait was ended from outside. Source: Redis 7.2, networking.c
// and blocked.c.
var (
	errUnblocked = resp.NewError("UNBLOCKED client unblocked via CLIENT UNBLOCK")
	errDemoted   = resp.NewError("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")
)

// force is how a block is ended from outside.
type force uint8

const (
	noForce      force = iota
	forceTimeout       // as if its time had passed
	forceError         // with an error
	forceClose         // with another error, and the connection with it
)

// unblock ends the block of the session, if it is in one that can be ended so. The
// caller is the owner.
func (s *Session) unblock(how force) bool {
	if s.wait != blocked || s.closed {
		return false
	}
	s.parked.force = how
	s.Wake()
	return true
}

// UnblockAll ends every wait for keys with an error and closes the connections: this
// node has become a replica, where the keys change without regard to who waits. It
// locks nothing and returns at once.
func (srv *Server) UnblockAll() {
	if !srv.waits.Active() {
		return
	}
	srv.spawn(func() {
		for _, s := range srv.sessions() {
			s.conn.Do(func() {
				if s.wait == blocked && s.parked.wait != nil {
					s.unblock(forceClose)
				}
			})
		}
	})
}

// Rerouted is told of a new View: clients are sent away that wait for keys which this
// node serves no longer, and subscriptions end to channels that it does not carry. It
// returns at once.
func (srv *Server) Rerouted() {
	if srv.cluster == nil {
		return
	}
	srv.dropShardChannels()
	if srv.waits.Active() {
		srv.spawn(srv.reviewWaits)
	}
}

// reviewWaits has each command run again from its gates that would not be routed here.
func (srv *Server) reviewWaits() {
	for _, s := range srv.sessions() {
		s.conn.Do(func() {
			if s.wait != blocked || s.closed || s.parked.wait == nil {
				return
			}
			w := s.parked.wait
			if srv.routeWait(w).Kind != Serve && w.GiveUp() {
				s.tick()
				s.retryWait(w)
				s.run()
			}
		})
	}
}

// runClientUnblock is CLIENT UNBLOCK id [TIMEOUT|ERROR]. It runs off-loop, since it
// becomes the owner of the other session.
func runClientUnblock(c *command.Ctx) error {
	how := forceTimeout
	if len(c.Args) > 4 {
		return unknownClientWords(c)
	}
	if len(c.Args) == 4 {
		switch {
		case command.Is(c.Args[3], "timeout"):
		case command.Is(c.Args[3], "error"):
			how = forceError
		default:
			return errUnblockReason
		}
	}
	id, ok := command.ParseInt(c.Args[2])
	if !ok {
		return resp.ErrNotInteger
	}
	srv := session(c).srv
	srv.mu.Lock()
	other := srv.mu.all[uint64(id)]
	srv.mu.Unlock()
	n := int64(0)
	if other != nil {
		other.conn.Do(func() {
			if other.unblock(how) {
				n = 1
			}
		})
	}
	c.Out.Int(n)
	return nil
}

var errUnblockReason = resp.NewError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
