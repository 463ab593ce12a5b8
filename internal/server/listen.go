package server

import (
	"errors"
	"net"
	"time"

	"go.uber.org/zap"
)

const (
	sweepEvery = time.Second
	// acceptPause is how long Serve rests when the system has no descriptor to give.
	acceptPause = 10 * time.Millisecond
)

var (
	maxClientsReply = []byte("-ERR max number of clients reached\r\n")
	protectedReply  = []byte("-DENIED Redis is running in protected mode because protected " +
		"mode is enabled and no password is set for the default user. " +
		"In this mode connections are only accepted from the loopback interface. " +
		"If you want to connect from external computers to Redis you " +
		"may adopt one of the following solutions: " +
		"1) Just disable protected mode sending the command " +
		"'CONFIG SET protected-mode no' from the loopback interface " +
		"by connecting to Redis from the same host the server is " +
		"running, however MAKE SURE Redis is not publicly accessible " +
		"from internet if you do so. Use CONFIG REWRITE to make this " +
		"change permanent. " +
		"2) Alternatively you can just disable the protected mode by " +
		"editing the Redis configuration file, and setting the protected " +
		"mode option to 'no', and then restarting the server. " +
		"3) If you started the server manually just for testing, restart " +
		"it with the '--protected-mode no' option. " +
		"4) Setup a an authentication password for the default user. " +
		"NOTE: You only need to do one of the above things in order for " +
		"the server to start accepting connections from the outside.\r\n")
)

// Serve takes connections of ln until Shutdown closes it; it returns nil then. ln may
// be a TCP or a unix listener.
func (srv *Server) Serve(ln net.Listener) error {
	srv.mu.Lock()
	if srv.mu.stopping {
		srv.mu.Unlock()
		return ln.Close()
	}
	srv.mu.listeners[ln] = struct{}{}
	srv.running.Add(1)
	defer srv.running.Done()
	if !srv.mu.serving {
		srv.mu.serving = true
		srv.spawn(srv.sweep)
		srv.startLoopsLocked()
	}
	srv.mu.Unlock()
	defer func() {
		srv.mu.Lock()
		delete(srv.mu.listeners, ln)
		srv.mu.Unlock()
	}()
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			srv.accept(nc)
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			// Out of descriptors, or a connection that was gone before it was taken.
			select {
			case <-srv.mu.stop:
				return nil
			case <-time.After(acceptPause):
			}
		}
	}
}

// startLoopsLocked starts the event loops; where one cannot be had there are fewer, and
// without any each connection has a goroutine.
func (srv *Server) startLoopsLocked() {
	for range srv.o.Loops {
		l, err := newLoop()
		if err != nil {
			srv.log.Warn("no event loop", zap.Error(err))
			return
		}
		srv.mu.loops = append(srv.mu.loops, l)
		srv.spawn(func() { l.run(srv.commit) })
	}
}

// accept begins to serve a connection, or tells it why not.
func (srv *Server) accept(nc net.Conn) {
	set := srv.o.Settings
	switch {
	case srv.count.Load() >= set.MaxClients.Load():
		srv.turnAway(nc, maxClientsReply)
		return
	case set.ProtectedMode.Load() && !srv.needsAuth() && !isLocal(nc.RemoteAddr()):
		srv.turnAway(nc, protectedReply)
		return
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		secs := set.KeepAliveSecs.Load()
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: secs > 0, Idle: time.Duration(secs) * time.Second,
			Interval: time.Duration(max(secs/3, 1)) * time.Second, Count: 3,
		})
	}
	srv.serveConn(nc)
}

func (srv *Server) turnAway(nc net.Conn, reply []byte) {
	srv.stats.refused.Add(1)
	nc.SetWriteDeadline(time.Now().Add(acceptPause)) // a fresh socket takes it at once
	nc.Write(reply)
	nc.Close()
}

// isLocal reports whether addr is of this machine.
func isLocal(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// sweep closes idle clients and those that do not take their replies.
func (srv *Server) sweep() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-srv.mu.stop:
			return
		case <-t.C:
		}
		set := srv.o.Settings
		idle := set.TimeoutSecs.Load()
		if idle == 0 && set.OutputSoft.Load() == 0 && set.PubSubSoft.Load() == 0 {
			continue
		}
		for _, s := range srv.sessions() {
			s.conn.TryDo(func() {
				soft, secs := s.softLimit()
				s.sweep(idle*int64(time.Second), soft, secs*int64(time.Second))
			})
		}
	}
}

// sweep closes the session if it has been idle for idleNanos (0: never), or over the
// soft output limit for softNanos.
func (s *Session) sweep(idleNanos, softBytes, softNanos int64) {
	idle := s.idleNanos()
	if idleNanos > 0 && idle > idleNanos && s.wait == ready && !s.subscribes {
		s.kill()
	}
	if softBytes == 0 || int64(s.out.pending()) <= softBytes {
		s.softSince = 0
		return
	}
	now := s.seen + idle
	if s.softSince == 0 {
		s.softSince = now
	}
	if now-s.softSince >= softNanos {
		s.kill()
	}
}
