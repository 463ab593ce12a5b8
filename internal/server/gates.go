package server

import (
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// errProtected is the reply to a Protected command. Source: Redis 7.2, server.c,
// processCommand.
func errProtected(name string) *resp.Error {
	return resp.NewError("ERR " + upper(name) + " command not allowed. If the enable-" + name +
		"-command option is set to \"local\", you can run it from a local connection, " +
		"otherwise you need to set this option in the configuration file, and then restart the server.")
}

// admission is what the gates say about a command.
type admission uint8

const (
	runIt admission = iota
	queueIt
	refused      // inside MULTI the transaction will abort
	sentAway     // it may run elsewhere or later
	parkedAtGate // it has to pass the gates again after a wake
)

// gate passes the present command through every condition under which it must not
// run, in Redis' order; existence and arity stand before it, protocol limits before
// those.
func (s *Session) gate(spec *command.Spec) (admission, *resp.Error) {
	flags := s.tx.union(spec.Flags)
	// DEBUG and MODULE.
	if flags&command.Protected != 0 && !s.mayDebug() {
		return refused, errProtected(topName(spec))
	}
	// Authentication.
	if !s.authed && flags&command.NoAuth == 0 {
		return refused, resp.ErrNoAuth
	}
	// Commands that have no place in MULTI.
	if s.tx.open && flags&command.NoMulti != 0 {
		return refused, resp.ErrNotInMulti
	}
	// ACL: every user may do everything.

	// Route. To be sent away ends an EXEC without aborting it.
	s.locate(spec)
	if s.srv.cluster != nil && len(s.slots) > 0 {
		if e := s.routeTo(flags); e != nil {
			return sentAway, e
		}
		if s.wait != ready {
			return parkedAtGate, nil
		}
	}
	// State of the node.
	enqueue := s.tx.open && flags&command.Immediate == 0
	if e := s.srv.condition(spec, flags, enqueue, s); e != nil {
		return refused, e
	}
	// Paused.
	if s.srv.pause.holds(flags, s.wall) {
		s.parkPaused()
		return parkedAtGate, nil
	}
	// Queue if in MULTI.
	if enqueue {
		return queueIt, nil
	}
	// Far ahead of the append-only file.
	if hold := s.srv.o.Gates.HoldWriter; hold != nil && flags&command.Write != 0 && hold(s.wake) {
		s.parkRetry()
		return parkedAtGate, nil
	}
	// Writers that are ahead of a snapshot's user.
	if flags&command.Write != 0 && s.slowedDown() {
		return parkedAtGate, nil
	}
	return runIt, nil
}

// slowedDown makes the session wait a little, once for each command, if writers are asked
// to. It holds nothing meanwhile.
func (s *Session) slowedDown() bool {
	ask := s.srv.o.Gates.WriteDelay
	if ask == nil || s.slowed {
		return false
	}
	d := ask()
	if d <= 0 {
		return false
	}
	s.slowed = true
	s.parkRetry()
	s.conn.Alarm(time.Now().Add(d))
	return true
}

// condition returns why the state of the node, or of the connection s, refuses a command,
// or nil.
func (srv *Server) condition(spec *command.Spec, flags command.Flags, enqueue bool, s *Session) *resp.Error {
	g := &srv.o.Gates
	// Memory. Queueing takes memory too.
	if g.OverMemory != nil && (flags&command.DenyOOM != 0 || enqueue) && g.OverMemory() {
		return resp.ErrOOM
	}
	write := flags&command.Write != 0
	if write || spec == srv.ping {
		// Disk error.
		if g.DiskError != nil && g.DiskError() {
			return resp.ErrMisconfWrites
		}
		if g.Unlogged != nil {
			if e := g.Unlogged(); e != nil {
				return e
			}
		}
	}
	// Too few replicas.
	if write && g.FewReplicas != nil && g.FewReplicas() {
		return resp.ErrNoReplicas
	}
	r := srv.o.Replica
	replica := r != nil && r.IsReplica()
	if write && !replica {
		if e := s.concernRefuses(); e != nil {
			return e
		}
	}
	// Read-only replica.
	if replica && write && srv.o.Settings.ReplicaReads.Load() {
		return resp.ErrReadOnly
	}
	// RESP2 pub/sub mode.
	if s.subscribes && !s.out.w.RESP3 && flags&command.Subscribed == 0 {
		return errSubscribed(spec)
	}
	if replica {
		// Stale replica.
		if flags&command.Stale == 0 && !srv.o.Settings.ServeStale.Load() && !r.LinkUp() {
			return resp.ErrMasterDown
		}
	}
	// Loading.
	if g.Loading != nil && flags&command.Loading == 0 && g.Loading() {
		return resp.ErrLoading
	}
	return nil
}

// sendAway answers the present command by where it may run instead. That ends an EXEC's
// transaction and aborts an open one.
func (s *Session) sendAway(spec *command.Spec, e *resp.Error) {
	if spec.Has(command.RunsQueue) {
		s.discard()
	}
	s.tx.dirty = s.tx.open
	s.srv.stats.rejected.Add(1)
	s.out.w.Error(e)
	s.finishReply()
}

// refuse answers the present command, which has not run. Inside MULTI the transaction
// will be aborted; an EXEC that is refused is discarded and says why.
func (s *Session) refuse(spec *command.Spec, e *resp.Error) {
	s.tx.dirty = s.tx.open
	if spec != nil && spec.Has(command.RunsQueue) {
		s.discard()
		e = resp.NewError("EXECABORT Transaction discarded because of: " + e.Error())
	}
	s.srv.stats.rejected.Add(1)
	s.out.w.Error(e)
	s.finishReply()
}

// refuseUnresolved answers a request that is no command, or has too few or too many
// arguments to be one.
func (s *Session) refuseUnresolved(e *resp.Error) {
	spec := s.srv.o.Table.Lookup(s.args[0])
	switch {
	case spec == nil && isCrossProtocol(s.args[0]):
		s.abortCrossProtocol()
		return
	case spec != nil && spec.Has(command.RunsQueue):
		// Redis says why without the code of the error here.
		e = resp.NewError(strings.TrimPrefix(e.Error(), "ERR "))
	}
	s.refuse(spec, e)
}

// routed is how the present command was routed.
type routed struct {
	at     *seenView // nil: it has no keys
	shard  *topology.Shard
	leased bool // served as primary: the lease must hold when it has run
	keyArg int  // the only key's argument, 0: none or several
	slot   slots.Slot
	open   bool // the slot is half-way moved: Route needs present, under the lock
}

// locate finds the keys of the present command and their slots.
func (s *Session) locate(spec *command.Spec) {
	s.route = routed{}
	s.slots, s.names = s.slots[:0], s.names[:0]
	if key := spec.SingleKey(); key != 0 && key < len(s.args) {
		s.route.keyArg = key
		if s.route.slot = s.slot1; key != 1 || !s.hashed {
			s.route.slot = slots.Of(s.args[key])
		}
		if s.srv.cluster != nil {
			s.addKey(s.args[key], s.route.slot)
		}
		return
	}
	if s.srv.cluster == nil {
		return
	}
	if !spec.Has(command.RunsQueue) {
		s.addSlots(spec, s.args)
		return
	}
	for i := range s.tx.cmds {
		s.addSlots(s.tx.cmds[i].spec, s.tx.cmds[i].args)
	}
}

func (s *Session) addSlots(spec *command.Spec, args [][]byte) {
	// Keys that cannot be told are for the handler to complain about.
	s.keys, _ = spec.AppendKeys(s.keys[:0], args)
	for _, k := range s.keys {
		s.addKey(args[k.Arg], slots.Of(args[k.Arg])) // a channel of a shard, too
	}
}

// addKey adds a key to those that Route is asked about; it is known there by its place
// in s.names, since an EXEC has many requests.
func (s *Session) addKey(key []byte, slot slots.Slot) {
	s.slots = append(s.slots, KeySlot{len(s.names), slot})
	s.names = append(s.names, key)
}

// routeTo asks Route, and parks the session before it would send a client away by an
// old View: it is to ask again when it is woken.
func (s *Session) routeTo(flags command.Flags) *resp.Error {
	at := s.srv.viewNow()
	v := Route(at.view, at.self, flags, s.slots, s.access(), Lease{s.now, s.srv.leaseUntil}, nil)
	if v.Kind == Serve || v.Kind == Moved {
		if e := s.srv.uncovered(at.view, flags); e != nil && !s.srv.shardChannel(flags) {
			return e
		}
	}
	switch v.Kind {
	case Serve:
		s.route.at, s.route.shard, s.route.slot = at, v.Shard, v.Slot
		s.route.leased = v.Shard.Primary == at.self && flags&command.PubSub == 0
		if s.route.leased { // a channel is never half-way moved
			s.route.open = len(v.Shard.Open) > 0
		}
		return nil
	case Moved, DownUnowned:
		if !s.fresh {
			s.fresh = true
			if s.srv.cluster.Freshen(s.wake) {
				s.parkRetry()
				return nil
			}
		}
	}
	return v.reply(s.srv.cluster.Endpoint)
}

// shardChannel reports whether a command is about a shard channel, which a cluster that
// is down may still carry (cluster-allow-pubsubshard-when-down).
func (srv *Server) shardChannel(flags command.Flags) bool {
	return flags&command.PubSub != 0 && srv.o.Settings.ShardChannelsWhenDown.Load()
}

func (s *Session) access() Access { return Access{ReadOnly: s.readonly, Asking: s.asking} }

// uncovered returns why a command is refused since some slot has no owner: nil if all
// have one, or it does not matter (cluster-require-full-coverage,
// cluster-allow-reads-when-down).
func (srv *Server) uncovered(v *topology.View, flags command.Flags) *resp.Error {
	if v.Owned() == slots.Count || !srv.o.Settings.FullCoverage.Load() {
		return nil
	}
	switch {
	case !srv.o.Settings.ReadsWhenDown.Load():
		return resp.ErrClusterDown
	case flags&command.Write != 0:
		return resp.ErrClusterDownWrites
	}
	return nil
}

// recheck looks, with the shards locked, whether the command may still run as it was
// routed: the View is the same and no slot move holds it back. If not it is parked or
// will be run again; if a half-moved slot sends it away the refusal is returned.
func (s *Session) recheck(flags command.Flags) (goOn bool, refusal *resp.Error) {
	cl := s.srv.cluster
	if s.route.at == nil {
		return s.recheckKeyless(flags), nil
	}
	if cl.View() != s.route.at.view {
		s.parkRetry()
		s.wake()
		return false, nil
	}
	hold := cl.Held(s.route.slot)
	if s.spec.Has(command.RunsQueue) {
		hold = cl.HeldAny() // its queue may hold a FLUSHALL
	}
	if hold == HoldAll || hold == HoldWrites && flags&(command.Write|command.MayReplicate) != 0 {
		s.parkRetry()
		cl.AwaitHold(s.route.slot, s.wake)
		return false, nil
	}
	if !s.route.open {
		return true, nil
	}
	at := s.srv.o.Keyspace.Access(s.db, s.wall, s.srv.accessMode())
	v := Route(s.route.at.view, s.route.at.self, flags, s.slots, s.access(), Lease{s.now, s.srv.leaseUntil}, func(arg int) bool {
		_, ok := at.Peek(s.route.slot, s.names[arg])
		return ok
	})
	if v.Kind != Serve {
		return false, v.reply(s.srv.cluster.Endpoint)
	}
	return true, nil
}

// recheckKeyless is recheck for a command without keys: one that changes every slot
// waits for slot moves that hold any. goOn is false if it was parked.
func (s *Session) recheckKeyless(flags command.Flags) (goOn bool) {
	if flags&command.Write == 0 || s.srv.cluster.HeldAny() == HoldNone {
		return true
	}
	s.parkRetry()
	s.srv.cluster.AwaitAny(s.wake)
	return false
}

// leaseOver returns the reply of a command that ran here as primary if the lease ended
// before it did: it may not be taken for confirmed.
func (s *Session) leaseOver(flags command.Flags) *resp.Error {
	r := &s.route
	if !r.leased || s.srv.leaseUntil(r.shard.ID, r.shard.Term) > s.now {
		return nil
	}
	if flags&command.Write != 0 {
		return resp.ErrUncertain
	}
	return resp.ErrClusterDown
}

// mayDebug reports whether enable-debug-command lets this client in.
func (s *Session) mayDebug() bool {
	switch DebugCommand(s.srv.o.Settings.DebugCommand.Load()) {
	case DebugYes:
		return true
	case DebugLocal:
		return isLocal(s.conn.RemoteAddr())
	}
	return false
}

// topName returns the name of the command or of its container.
func topName(spec *command.Spec) string {
	if p := spec.Parent(); p != nil {
		return p.Name
	}
	return spec.Name
}
