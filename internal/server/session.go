package server

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// waiting is what a session waits for; it runs no command meanwhile.
//
//	ready --shard owned / slot held / View stale--> retry ---Wake--> ready (run again)
//	ready --Block------------------------------> blocked ---resume--> ready
//	ready --off-loop or slow handler-----------> offLoop ---ended---> ready
//	ready --too much withheld------------------> withheld --durable, confirmed--> ready
type waiting uint8

const (
	ready    waiting = iota
	retry            // the command has not run and is run again from its gates
	blocked          // the command parked itself (WAIT)
	offLoop          // the handler runs elsewhere
	withheld         // replies must become durable, or be confirmed, first
)

// Session is one connection without its socket: bytes in, bytes out. It has one owner
// at a time (see Conn); only the fields named in the comments are for others.
type Session struct {
	srv    *Server
	conn   Conn
	id     uint64
	born   int64 // clock.Mono
	posted atomic.Bool

	parser resp.Parser
	in     input
	ahead  ahead
	out    output
	side   resp.Writer // output of a handler that runs off-loop
	ctx    command.Ctx
	block  effects.Block
	waiter engine.Waiter
	wake   func() // posts to the owner
	keys   []command.KeyRef
	slots  []KeySlot
	names  [][]byte // the keys that slots stand for

	wait   waiting
	args   [][]byte   // the present request while it waits
	argLen int        // its bytes in the input
	slot1  slots.Slot // of its first argument, where hashed is set
	hashed bool
	spec   *command.Spec
	start  int    // where the present reply begins in the output
	route  routed // how the present command was routed
	fresh  bool   // the View has been freshened for the present command
	slowed bool   // the present command has waited for the sake of a snapshot
	parked *parkedBlock
	again  *command.Wait // the present command waited for keys and is run again
	// What the running handler, which may be off-loop, asks for; its end takes it up.
	toPark *parkedBlock
	toTake func(conn net.Conn, unread []byte)

	now  int64 // clock.Mono at the end of the last command
	turn int64 // clock.Mono at the last tick, since which the owner is at work
	wall int64 // Unix milliseconds, read once an Advance or Wake
	seen int64 // clock.Mono of the last input, for timeout and CLIENT LIST

	db        int
	user      string
	authed    bool
	readonly  bool // READONLY
	asking    bool // ASKING, for one command
	name      string
	libName   string
	libVer    string
	noEvict   bool
	concern   concern
	replies   replyMode
	lastWrite int64
	tx        transaction
	softSince int64 // since when the soft output limit is exceeded, 0: it is not

	shared bool // the driver has others to serve: a run that gets heavy is cut
	cut    bool // the last run was: requests are left that Advance goes on with
	eof    bool // nothing more will come
	closed bool // close without further ado
	ending bool // close once the output is sent
	hijack func(conn net.Conn, unread []byte)

	// mail are messages that others have left for this session; whoever leaves one takes
	// its lock, and nothing else while holding it.
	mail       mailbox
	mailed     atomic.Bool // there is some
	subs       [3]map[string]struct{}
	subscribes bool // to anything

	waitsFor waitsFor

	tally   tally
	counted int64 // bytes of buffers held against maxmemory
}

type replyMode uint8

const (
	replyOn       replyMode = iota
	replyOff                // CLIENT REPLY OFF
	replySkip               // CLIENT REPLY SKIP ran: its own reply is dropped
	replySkipNext           // and that of the command after it
)

// parkedBlock is a command that waits by Client.Block, or for keys.
type parkedBlock struct {
	deadline time.Time
	resume   func(out *resp.Writer, timedOut bool) bool
	wait     *command.Wait // instead of resume: it waits for keys
	force    force
	onEnd    func()
}

// newSession returns the session of a new connection and enters it in the server's
// list.
func (srv *Server) newSession(conn Conn) *Session {
	s := &Session{srv: srv, conn: conn, user: "default"}
	s.now = clock.Mono()
	s.turn = s.now
	s.born, s.seen = s.now, s.now
	s.wall = clock.WallMillis()
	s.wake = s.post
	s.waiter.Wake = s.wake
	s.authed = !srv.needsAuth()
	s.parser.Unauthenticated = !s.authed
	s.ctx.Keyspace = srv.o.Keyspace
	s.ctx.Client, s.ctx.MayReplyLater = s, true
	s.ctx.Out = &s.out.w
	s.tally.ctx = &s.ctx
	s.ctx.Watches, s.ctx.Waits, s.ctx.Events = srv.watches, srv.waits, srv.o.Events
	srv.register(s)
	return s
}

// post asks the owner for a Wake; many of them before it comes are one.
func (s *Session) post() {
	if !s.posted.Swap(true) {
		s.conn.Post()
	}
}

// ReadSpace returns where the next bytes of the client go. It is nil while the session
// waits and has read ahead as much as it may; the driver then waits for a Wake.
func (s *Session) ReadSpace() []byte {
	if s.wait == ready {
		return s.in.space(s.parser.Need(), false)
	}
	if s.in.w-s.in.r-s.argLen >= blockedRead {
		return nil
	}
	return s.in.space(0, true)
}

// Advance takes n bytes that were put into ReadSpace and runs the commands that are
// complete. It returns with replies in the output. Where it was cut it is called again,
// with 0, before more is read.
func (s *Session) Advance(n int) {
	s.in.w += n
	s.tally.in += int64(n)
	s.seen = s.tick()
	if limit := s.srv.o.Settings.QueryBuffer.Load(); int64(s.in.w-s.in.r+s.tx.bytes) > limit {
		s.closed = true
		return
	}
	s.run()
}

// Feed is Advance for bytes that lie elsewhere.
func (s *Session) Feed(b []byte) {
	for len(b) > 0 && !s.closed {
		space := s.ReadSpace()
		if space == nil {
			s.in.buf = append(s.in.buf[:s.in.w:s.in.w], b...)
			s.in.w = len(s.in.buf)
			return
		}
		n := copy(space, b)
		b = b[n:]
		s.Advance(n)
	}
}

// EOF says that the client will send no more. A blocked client is gone; any other gets
// the replies to what it has sent.
func (s *Session) EOF() {
	s.eof = true
	if s.wait == blocked {
		s.closed = true
	}
	s.settle()
}

// Wake looks whether what the session waits for has come, and goes on.
func (s *Session) Wake() {
	s.posted.Store(false)
	if s.closed {
		return
	}
	s.tick()
	s.settleOutput()
	switch s.wait {
	case retry:
		s.wait = ready
		s.dispatch()
		s.used()
	case blocked:
		s.tryResume()
	case withheld:
		if !s.out.full() {
			s.wait = ready
		}
	}
	s.run()
}

// tick reads the clocks: wall time stands still until the next tick.
func (s *Session) tick() int64 {
	s.now = clock.Mono()
	s.turn = s.now
	s.wall = clock.WallMillis()
	return s.now
}

// run takes requests off the input until there is none, or the session waits or ends, or
// holds up others.
func (s *Session) run() {
	s.parser.MaxBulk = s.srv.o.Settings.MaxBulk.Load()
	s.cut = false
	for s.wait == ready && !s.stopped() {
		if s.shared && s.heavy() {
			s.cut = true
			break
		}
		if s.mailed.Load() {
			s.takeMail()
			continue
		}
		req, ok := s.ahead.next()
		if !ok {
			if !s.parse() {
				break
			}
			continue
		}
		s.args, s.argLen = req.args, req.n
		s.slot1, s.hashed = req.slot, req.hashed
		s.fresh, s.slowed = false, false
		s.dispatch()
		s.used()
	}
	if s.mailed.Load() && !s.closed {
		s.takeMail()
	}
	s.settle()
	if s.wait != offLoop {
		s.tally.flushIfDue(s.srv, s.now)
		s.countBuffers(cap(s.in.buf) + cap(s.out.w.Buf) + cap(s.side.Buf) + s.tx.bytes)
	}
}

// countBuffers holds bytes of buffers against maxmemory, instead of what was held before.
func (s *Session) countBuffers(bytes int) {
	if n := int64(bytes) - s.counted; n != 0 {
		s.srv.o.Keyspace.CountBytes(n)
		s.counted += n
	}
}

// used takes the present request off the input, unless it still waits.
func (s *Session) used() {
	if s.wait == retry || s.wait == blocked || s.wait == offLoop {
		return
	}
	s.in.r += s.argLen
	s.args, s.argLen, s.again = nil, 0, nil
	if s.out.full() {
		s.settleOutput()
		if s.out.full() {
			s.wait = withheld
		}
	}
	if s.out.pending() >= flushBytes && len(s.out.marks) == 0 {
		s.conn.Flush()
	}
	s.checkOutput()
}

// settle ends a session whose client has gone once all it sent is answered.
func (s *Session) settle() {
	if s.eof && s.wait == ready && !s.cut {
		s.ending = true
	}
	if s.closed && s.parked != nil {
		s.unpark()
	}
}

// stopped reports whether no further command will run.
func (s *Session) stopped() bool { return s.closed || s.ending || s.hijack != nil }

// Sendable returns the bytes that may be sent now. They stay where they are until Sent
// or the next call that runs commands.
func (s *Session) Sendable() []byte {
	if s.closed {
		return nil
	}
	if s.settleOutput(); len(s.out.marks) > 0 {
		s.awaitAgain()
		s.settleOutput()
	}
	return s.out.sendable()
}

// Sent says that n bytes of Sendable have gone.
func (s *Session) Sent(n int) {
	s.tally.out += int64(n)
	s.out.advance(n)
}

// Ended reports whether the socket is to be closed: at once, or since all that was to
// be sent has been sent.
func (s *Session) Ended() bool {
	return s.closed || s.ending && s.wait == ready && s.out.pending() == 0
}

// Hijacked reports whether a command took the socket, and all before it has been sent.
func (s *Session) Hijacked() bool { return s.hijack != nil && !s.closed && s.out.pending() == 0 }

// Close frees what the session holds. The driver calls it once, as the owner, when the
// socket is closed or handed over.
func (s *Session) Close() {
	s.closed = true
	if s.parked != nil {
		s.unpark()
	}
	s.unsubscribeAll()
	if s.wait != offLoop { // else the end of the run does it
		s.unwatch()
		s.tally.flush(s.srv)
	}
	s.countBuffers(0)
	s.srv.forgetConfirm(s)
	s.srv.unregister(s)
}

// kill closes the session from outside a command. The caller is the owner.
func (s *Session) kill() {
	s.closed = true
	s.settle()
}

// ClientID implements command.Client.
func (s *Session) ClientID() uint64 { return s.id }

// LastWrite implements command.Client.
func (s *Session) LastWrite() int64 { return s.lastWrite }

// Hijack implements command.Client.
func (s *Session) Hijack(take func(conn net.Conn, unread []byte)) { s.toTake = take }
