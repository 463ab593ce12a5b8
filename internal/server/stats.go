package server

import (
	"sync/atomic"

	"github.com/redwingdb/redwing/internal/command"
)

// counters are the sums over all connections.
type counters struct {
	commands       atomic.Int64
	netIn, netOut  atomic.Int64
	connections    atomic.Int64
	refused        atomic.Int64 // connections over maxclients or in protected mode
	hits, misses   atomic.Int64
	rejected       atomic.Int64 // commands that did not run
	errors         atomic.Int64 // commands that ran and failed
	protocolErrors atomic.Int64
	blocked        atomic.Int64 // clients parked now
}

// SpecStats counts the runs of one command.
type SpecStats struct {
	Calls atomic.Int64
	Nanos atomic.Int64
}

// Totals are the counters as INFO shows them.
type Totals struct {
	Commands, NetInBytes, NetOutBytes int64
	Connections, RefusedConnections   int64
	Hits, Misses                      int64
	RejectedCalls, Errors             int64
	Clients, Blocked                  int64
	BlockingKeys, BlockingOnNoKey     int64 // keys that are waited for; whose end is, too
	Channels, Patterns, ShardChannels int64 // with subscribers
}

const (
	tallySpecs = 4
	// flushCalls and flushNanos bound how far the sums lag behind a busy connection.
	flushCalls = 256
	flushNanos = 50_000_000
)

// tally counts for one connection without atomics; it is flushed into the sums now and
// then, and when somebody asks.
type tally struct {
	in, out int64
	calls   int64
	flushed int64 // clock.Mono
	turn    int
	specs   [tallySpecs]specTally
	ctx     *command.Ctx
}

type specTally struct {
	spec         *command.Spec
	calls, nanos int64
}

// note counts one run of spec.
func (t *tally) note(srv *Server, spec *command.Spec, nanos int64) {
	t.calls++
	for i := range t.specs {
		if e := &t.specs[i]; e.spec == spec {
			e.calls++
			e.nanos += nanos
			return
		}
	}
	e := &t.specs[t.turn%tallySpecs]
	t.turn++
	e.flush(srv)
	*e = specTally{spec, 1, nanos}
}

func (e *specTally) flush(srv *Server) {
	if e.calls == 0 {
		return
	}
	st := srv.statsOf(e.spec)
	st.Calls.Add(e.calls)
	st.Nanos.Add(e.nanos)
	e.calls, e.nanos = 0, 0
}

func (t *tally) flushIfDue(srv *Server, now int64) {
	if t.calls >= flushCalls || now-t.flushed > flushNanos {
		t.flushed = now
		t.flush(srv)
	}
}

func (t *tally) flush(srv *Server) {
	st := &srv.stats
	st.commands.Add(t.calls)
	st.netIn.Add(t.in)
	st.netOut.Add(t.out)
	t.calls, t.in, t.out = 0, 0, 0
	if c := t.ctx; c != nil && c.Hits|c.Misses != 0 {
		st.hits.Add(c.Hits)
		st.misses.Add(c.Misses)
		c.Hits, c.Misses = 0, 0
	}
	for i := range t.specs {
		t.specs[i].flush(srv)
	}
}

// statsOf returns the counters of spec.
func (srv *Server) statsOf(spec *command.Spec) *SpecStats {
	srv.specs.RLock()
	st := srv.specs.of[spec]
	srv.specs.RUnlock()
	if st != nil {
		return st
	}
	srv.specs.Lock()
	defer srv.specs.Unlock()
	if st = srv.specs.of[spec]; st == nil {
		st = &SpecStats{}
		srv.specs.of[spec] = st
	}
	return st
}

// collect flushes every connection that is not busy this instant. self is the session
// that asks, or nil.
func (srv *Server) collect(self *Session) {
	for _, s := range srv.sessions() {
		if s == self {
			s.tally.flush(srv)
			continue
		}
		s.conn.TryDo(func() {
			if s.wait != offLoop { // its handler counts hits just now
				s.tally.flush(srv)
			}
		})
	}
}

// Totals returns the counters. client is the connection that asks, or nil.
func (srv *Server) Totals(client command.Client) Totals {
	self, _ := client.(*Session)
	srv.collect(self)
	st := &srv.stats
	keys, gone := srv.waits.Keys()
	channels, patterns, shard := srv.hub.Counts()
	return Totals{
		Commands: st.commands.Load(), NetInBytes: st.netIn.Load(), NetOutBytes: st.netOut.Load(),
		Connections: st.connections.Load(), RefusedConnections: st.refused.Load(),
		Hits: st.hits.Load(), Misses: st.misses.Load(),
		RejectedCalls: st.rejected.Load(), Errors: st.errors.Load(),
		Clients: int64(srv.Clients()), Blocked: st.blocked.Load(),
		BlockingKeys: keys, BlockingOnNoKey: gone,
		Channels: channels, Patterns: patterns, ShardChannels: shard,
	}
}

// EachSpec calls f with the counters of every command that has run, in no order.
func (srv *Server) EachSpec(f func(spec *command.Spec, calls, nanos int64)) {
	srv.specs.RLock()
	defer srv.specs.RUnlock()
	for spec, st := range srv.specs.of {
		if calls := st.Calls.Load(); calls > 0 {
			f(spec, calls, st.Nanos.Load())
		}
	}
}

// ResetStats zeroes the counters (CONFIG RESETSTAT).
func (srv *Server) ResetStats(client command.Client) {
	self, _ := client.(*Session)
	srv.collect(self)
	st := &srv.stats
	for _, c := range []*atomic.Int64{&st.commands, &st.netIn, &st.netOut, &st.connections, &st.refused,
		&st.hits, &st.misses, &st.rejected, &st.errors, &st.protocolErrors} {
		c.Store(0)
	}
	srv.specs.RLock()
	defer srv.specs.RUnlock()
	for _, s := range srv.specs.of {
		s.Calls.Store(0)
		s.Nanos.Store(0)
	}
}
