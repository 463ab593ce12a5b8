package server

import (
	"container/heap"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/topology"
)

// concern is what a client has asked of its writes (CLIENT WRITE-CONCERN).
type concern uint8

const (
	concernDefault concern = iota // it has not asked: sync if sync-writes is always
	concernAsync
	concernSync
)

// ran is what a withheld reply answers.
type ran uint8

const (
	ranRead ran = iota
	ranWrite
	ranPush // nothing: it is a message about a write
)

// errNothing stands for a withheld message that is dropped.
var errNothing = resp.NewError("")

// Confirmed is how far the in-sync copies of this node's shard hold its log, all of them.
type Confirmed struct {
	Shard topology.ShardID
	Term  uint64
	// Offset only grows within a term.
	Offset int64
	// Refuse: fewer copies than sync-min-copies are in sync, so writes of sync clients are
	// refused.
	Refuse bool
}

// confirms knows who waits for the in-sync copies. Its lock guards the heap and the
// fields of sessions that heap.Interface uses.
//
//	SetConfirmed pops all whose offset is reached; SweepUnconfirmed those that have waited
//	for too long. Who is popped is woken, looks by itself, and comes back if need be.
type confirms []*Session

func (h confirms) Len() int           { return len(h) }
func (h confirms) Less(i, j int) bool { return h[i].waitsFor.offset < h[j].waitsFor.offset }
func (h confirms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].waitsFor.at, h[j].waitsFor.at = i+1, j+1
}
func (h *confirms) Push(x any) {
	s := x.(*Session)
	*h = append(*h, s)
	s.waitsFor.at = len(*h)
}
func (h *confirms) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.waitsFor.at = 0
	return s
}

// waitsFor is a session's place among those that wait, guarded by Server.awaiting.
type waitsFor struct {
	at       int // 1 + index in the heap; 0: not in it
	offset   int64
	deadline int64
}

// SetConfirmed says how far the in-sync copies have confirmed; the zero Confirmed, that
// nobody knows (sync-writes is no, or this node is no primary). Replies that waited for no
// more are sent, those of earlier terms answered by an error.
func (srv *Server) SetConfirmed(c Confirmed) {
	old := srv.confirmed.Swap(&c)
	k := &srv.awaiting
	k.Lock()
	defer k.Unlock()
	all := old.Term != c.Term || old.Shard != c.Shard
	for len(k.heap) > 0 && (all || k.heap[0].waitsFor.offset <= c.Offset) {
		heap.Pop(&k.heap).(*Session).post()
	}
}

// SweepUnconfirmed wakes the sessions whose oldest reply has waited for sync-timeout, or
// all if the lease is over, to answer them by an error. It is to be called often enough
// for that not to come late.
func (srv *Server) SweepUnconfirmed() {
	k := &srv.awaiting
	k.Lock()
	defer k.Unlock()
	if len(k.heap) == 0 {
		return
	}
	now := clock.Mono()
	c := srv.confirmed.Load()
	over := c.Term != 0 && srv.leaseUntil(c.Shard, c.Term) <= now
	for i := 0; i < len(k.heap); {
		if s := k.heap[i]; over || s.waitsFor.deadline <= now {
			heap.Remove(&k.heap, i)
			s.post()
			continue // another one has come to i
		}
		i++
	}
}

// awaitConfirm has s woken once m may be decided about.
func (srv *Server) awaitConfirm(s *Session, m *mark) {
	k := &srv.awaiting
	k.Lock()
	defer k.Unlock()
	w := &s.waitsFor
	switch {
	case w.at == 0:
		w.offset, w.deadline = m.confirm, m.deadline
		heap.Push(&k.heap, s)
	case m.confirm < w.offset: // else it is woken early enough for its first reply
		w.offset = m.confirm
		heap.Fix(&k.heap, w.at-1)
	}
}

// forgetConfirm takes a session that ends out of those that wait.
func (srv *Server) forgetConfirm(s *Session) {
	k := &srv.awaiting
	k.Lock()
	defer k.Unlock()
	if at := s.waitsFor.at; at != 0 {
		heap.Remove(&k.heap, at-1)
	}
}

// syncs reports whether the session's replies wait for the in-sync copies, under v.
func (s *Session) syncs(v *topology.View) bool {
	switch s.concern {
	case concernDefault:
		return v.Config.SyncWrites == topology.SyncAlways
	case concernSync:
		return v.Config.InSyncOnly()
	}
	return false
}

// waitsForAny reports whether replies of the session wait for anything before they are
// sent, so that their offsets must be known.
func (s *Session) waitsForAny() bool {
	return s.srv.o.Settings.AwaitDurable.Load() || s.srv.cluster != nil && s.syncs(s.view().view)
}

// view is the one the present command was routed by, the newest for one without keys.
func (s *Session) view() *seenView {
	if s.route.at != nil {
		return s.route.at
	}
	return s.srv.viewNow()
}

// withhold makes what was written from start on wait until the log is durable up to
// offset and the in-sync copies have confirmed it, as far as this session waits for
// either.
func (s *Session) withhold(start int, offset int64, what ran) {
	if offset <= 0 {
		return
	}
	srv := s.srv
	m := mark{start: start, ran: what}
	if srv.o.Settings.AwaitDurable.Load() && offset > srv.durable.Load() {
		m.durable = offset
	}
	if srv.cluster != nil {
		if at := s.view(); s.syncs(at.view) {
			s.mustConfirm(&m, at, offset)
		}
	}
	if m.durable == 0 && m.confirm == 0 || !s.out.withhold(m) {
		return
	}
	if m.confirm != 0 {
		srv.awaitConfirm(s, &m)
	}
}

// mustConfirm adds to m what the in-sync copies still have to confirm. A replica's reads
// are those of its own copy, which nobody confirms.
func (s *Session) mustConfirm(m *mark, at *seenView, offset int64) {
	shard := s.route.shard
	if shard == nil {
		shard = at.view.ShardOf(at.self)
	}
	if shard == nil || shard.Primary != at.self {
		return
	}
	c := s.srv.confirmed.Load()
	known := c.Shard == shard.ID && c.Term == shard.Term
	switch {
	case known && offset <= c.Offset:
		return
	case !known:
		// Whoever counts the copies has not begun with this term; slots may not have been
		// told apart before.
		offset = max(offset, s.srv.o.Log.Offset())
	}
	m.confirm, m.shard, m.term = offset, shard.ID, shard.Term
	m.deadline = s.now + int64(time.Duration(at.view.Config.SyncTimeout())*time.Millisecond)
}

// settleOutput takes the marks off the output that have been decided.
func (s *Session) settleOutput() {
	if len(s.out.marks) == 0 {
		return
	}
	// In this order: RestartDurable makes things durable after it has given hope.
	unlogged := s.srv.unlogged.Load()
	durable, c, now := s.srv.durable.Load(), s.srv.confirmed.Load(), int64(0)
	s.out.settle(func(m *mark) (bool, *resp.Error) {
		if m.confirm != 0 {
			if now == 0 {
				now = clock.Mono()
			}
			if why := s.unconfirmed(m, c, now); why != nil {
				return true, instead(m, why)
			}
			if c.Term != m.term || m.confirm > c.Offset {
				return false, nil
			}
		}
		switch {
		case m.durable <= durable:
			return true, nil
		case !unlogged:
			return false, nil
		case m.ran == ranWrite:
			return true, resp.ErrUnlogged
		}
		return true, nil
	})
}

// unconfirmed returns why the in-sync copies will not confirm m, or nil.
func (s *Session) unconfirmed(m *mark, c *Confirmed, now int64) *resp.Error {
	switch {
	case c.Term > m.term || c.Term != 0 && c.Shard != m.shard, s.srv.leaseUntil(m.shard, m.term) <= now:
		return resp.ErrUncertain
	case (c.Term != m.term || m.confirm > c.Offset) && now >= m.deadline:
		return resp.ErrUnconfirmed
	}
	return nil
}

// instead is what takes the place of a reply that is not confirmed. A read may be
// repeated, a write may not.
func instead(m *mark, why *resp.Error) *resp.Error {
	switch {
	case m.ran == ranPush:
		return errNothing
	case m.ran == ranWrite:
		return why
	case why == resp.ErrUnconfirmed:
		return resp.ErrUnconfirmedRead
	}
	return resp.ErrClusterDown
}

// awaitAgain has the session woken for the replies that are still withheld. The output is
// settled once more behind it, so that no word is missed.
// REQUIRES: there are such.
func (s *Session) awaitAgain() {
	m := &s.out.marks[0]
	if m.durable > s.srv.durable.Load() {
		s.srv.awaitDurable(s)
	}
	if m.confirm != 0 {
		s.srv.awaitConfirm(s, m)
	}
}

// concernRefuses returns why a write of this session is refused for its write concern.
func (s *Session) concernRefuses() *resp.Error {
	if s.srv.cluster == nil {
		return nil
	}
	at := s.view()
	if !s.syncs(at.view) {
		if s.concern == concernSync {
			return errSyncOff
		}
		return nil
	}
	c := s.srv.confirmed.Load()
	if shard := at.view.ShardOf(at.self); shard != nil && shard.Primary == at.self && (c.Term != shard.Term || c.Refuse) {
		return resp.ErrNoReplicas
	}
	return nil
}

// Errors of CLIENT WRITE-CONCERN, and of writes that can be had no more as they were asked
// for.
var (
	errSyncPlain = resp.NewError("ERR synchronous writes need cluster mode (cluster-enabled yes)")
	errSyncOff   = resp.NewError("ERR synchronous writes are not allowed in this cluster: sync-writes is 'no' (see CLUSTER WRITE-CONCERN)")
)

// runClientWriteConcern is CLIENT WRITE-CONCERN [SYNC | ASYNC]: without a word it tells
// which one this connection has.
func runClientWriteConcern(c *command.Ctx) error {
	s := session(c)
	switch {
	case len(c.Args) == 2:
		if s.srv.cluster != nil && s.syncs(s.srv.viewNow().view) {
			c.Out.BulkString("sync")
		} else {
			c.Out.BulkString("async")
		}
		return nil
	case len(c.Args) > 3:
		return resp.ErrSyntax
	case command.Is(c.Args[2], "async"):
		s.concern = concernAsync
	case !command.Is(c.Args[2], "sync"):
		return resp.ErrSyntax
	case s.srv.cluster == nil:
		return errSyncPlain
	case !s.srv.viewNow().view.Config.InSyncOnly():
		return errSyncOff
	default:
		s.concern = concernSync
	}
	c.Out.OK()
	return nil
}
