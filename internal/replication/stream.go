package replication

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// firstAckPeriod is how often a replica acknowledges until the stream has begun, firstAcks
// times at most.
const (
	firstAckPeriod = 50 * time.Millisecond
	firstAcks      = 40
)

// Bounds of a stream.
const (
	streamBuf = 64 << 10
	// maxStreamBulk bounds one string of the stream, maxBlock a MULTI block.
	maxStreamBulk = 4 << 30
	maxBlock      = 4 << 30
	maxBlockReqs  = 4 << 20
)

// stream applies the primary's stream until the link ends. Each block is applied and
// appended to this node's own log under the same locks, so that offsets, backlog and
// the snapshots for replicas of this replica agree with the data.
type stream struct {
	*session
	parser  resp.Parser
	applier *command.Applier
	raw     effects.Block // the bytes being appended
	keys    []command.KeyRef
	locked  func()      // appends raw; called with the shards of the block locked
	db      int         // selected database, -1: none yet
	begun   atomic.Bool // something of the stream has come
	told    int64       // by ackNew

	inTx bool
	tx   []byte // raw bytes from MULTI on
}

// stream runs until the link ends.
func (s *session) stream() error {
	r := s.r
	st := &stream{session: s, applier: command.NewApplier(r.table, r.o.Keyspace)}
	st.applier.SetHearers(r.hearers)
	st.locked = func() { r.o.Log.AppendRaw(&st.raw) }
	st.parser.MaxBulk = maxStreamBulk
	r.mu.Lock()
	st.db = r.mu.streamDB
	r.mu.Unlock()
	stop := st.ackPeriodically()
	defer stop()
	if err := st.ack(); err != nil {
		return err
	}
	buf := make([]byte, 0, streamBuf)
	for {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, max(2*cap(buf), min(st.parser.Need(), 64*cap(buf)))), buf...)
		}
		n, err := s.in.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return err
		}
		buf = buf[:len(buf)+n]
		st.begun.Store(true)
		done, err := st.feed(buf)
		if err != nil {
			st.breakOff(err)
			return err
		}
		if r.o.InSync.allowed() && s.in.Buffered() == 0 {
			if err := st.ackNew(); err != nil {
				return err
			}
		}
		rest := buf[done:]
		if cap(buf) > 1<<20 && len(rest) < streamBuf {
			buf = make([]byte, 0, streamBuf) // a large value is behind us
		}
		buf = append(buf[:0], rest...)
		if err := s.giveWay(); err != nil {
			return err
		}
	}
}

// giveWay waits a little, as a client's write would, where the user of a snapshot of this
// node does not keep up. It is called for each read of the stream, not for each write in it.
func (s *session) giveWay() error {
	d := s.r.o.Keyspace.WriteDelay()
	if d == 0 {
		return nil
	}
	select {
	case <-s.l.ctx.Done():
		return s.l.ctx.Err()
	case <-s.r.o.Clock.After(d):
		return nil
	}
}

// breakOff notes that the data are no longer the primary's: only a full sync helps.
// A link that was cancelled between two requests leaves them as they are.
func (st *stream) breakOff(err error) {
	var refused errRefused
	if errors.Is(err, context.Canceled) || errors.As(err, &refused) {
		return
	}
	r := st.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.resume = false
}

// errRefused is a stream that is not wanted, though what was applied is right.
type errRefused struct{ why string }

func (e errRefused) Error() string { return "replication: " + e.why }

// ackPeriodically acknowledges without being asked, as a sign of life.
func (st *stream) ackPeriodically() (stop func()) {
	ctx, cancel := context.WithCancel(st.l.ctx)
	done := make(chan struct{})
	// A redis-server that has sent its data set passes over what comes before it has seen
	// its child end, and then begins the stream with the next acknowledgement.
	period := min(firstAckPeriod, st.r.o.AckPeriod)
	go func() {
		defer close(done)
		for round := 0; ; round++ {
			select {
			case <-ctx.Done():
				return
			case <-st.r.o.Clock.After(period):
			case <-st.r.ackNow:
			}
			if st.begun.Load() || round == firstAcks {
				period = st.r.o.AckPeriod
			}
			if st.ack() != nil {
				_ = st.conn.Close() // wakes the reading side
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// ackNew acknowledges what has been applied since it was last done here: the primary's
// clients wait for it.
func (st *stream) ackNew() error {
	if st.r.o.InSync.diskOnly() {
		st.r.asked.Store(true) // what is not on disk yet is told when it is
	}
	if end := st.r.acknowledged(); end != st.told && st.l.ctx.Err() == nil {
		st.told = end
		return st.ack()
	}
	return nil
}

// feed applies the whole requests of buf and returns how many bytes they are.
func (st *stream) feed(buf []byte) (done int, err error) {
	for {
		args, n, perr := st.parser.Next(buf[done:])
		if perr != nil {
			return done, fmt.Errorf("replication: primary's stream: %w", perr)
		}
		if n == 0 {
			return done, nil
		}
		if st.l.ctx.Err() != nil {
			return done, st.l.ctx.Err()
		}
		if st.r.o.Log.Refused() > 0 {
			return done, errors.New("replication: this node has written on its own account")
		}
		if err := st.request(args, buf[done:done+n]); err != nil {
			return done, err
		}
		done += n
	}
}

// request applies one request of the stream; raw is all its bytes.
func (st *stream) request(args [][]byte, raw []byte) error {
	if st.inTx {
		return st.requestInTx(args, raw)
	}
	switch {
	case len(args) == 0:
		return st.pass(raw) // a newline: counted, nothing more
	case command.Is(args[0], "select"):
		return st.selectDB(args, raw)
	case command.Is(args[0], "ping"):
		return st.ping(args, raw)
	case command.Is(args[0], "replconf"):
		if err := st.pass(raw); err != nil {
			return err
		}
		if len(args) > 1 && command.Is(args[1], "getack") {
			st.r.asked.Store(true) // what is not on disk yet is told when it is
			return st.ack()
		}
		return nil
	case command.Is(args[0], "multi"):
		st.inTx = true
		st.tx = append(st.tx[:0], raw...)
		return nil
	case passedOver(args[0]):
		st.publish(args)
		return st.pass(raw)
	}
	if st.db < 0 {
		return errors.New("replication: an effect before any SELECT")
	}
	st.raw.Buf, st.raw.Entries = raw, st.raw.Entries[:0]
	st.addEntry(args, 0, len(raw), st.db)
	if err := st.applier.Apply(st.db, args, st.locked); err != nil {
		return fmt.Errorf("apply %.100q: %w", args[:min(len(args), 8)], err)
	}
	return nil
}

// passedOver reports whether a request of a stream concerns no data: redis-servers
// send messages and scripts to their replicas too.
func passedOver(name []byte) bool {
	return command.Is(name, "publish") || command.Is(name, "spublish") ||
		command.Is(name, "script") || command.Is(name, "function")
}

// publish sends a message of the stream to this node's subscribers.
func (st *stream) publish(args [][]byte) {
	if shard := command.Is(args[0], "spublish"); len(args) == 3 && st.r.hearers.Publish != nil && (shard || command.Is(args[0], "publish")) {
		st.r.hearers.Publish(shard, args[1], args[2])
	}
}

// pass appends bytes that change no data.
func (st *stream) pass(raw []byte) error {
	st.r.mu.Lock()
	defer st.r.mu.Unlock()
	st.r.o.Log.AppendRaw(&effects.Block{Buf: raw})
	return nil
}

// selectDB takes SELECT. The offset and the selected database change as one, for the
// snapshots of this node's own replicas.
func (st *stream) selectDB(args [][]byte, raw []byte) error {
	db, err := st.database(args)
	if err != nil {
		return err
	}
	r := st.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.o.Log.AppendRaw(&effects.Block{Buf: raw})
	st.db, r.mu.streamDB = db, db
	return nil
}

func (st *stream) database(args [][]byte) (int, error) {
	if len(args) != 2 {
		return 0, errors.New("replication: SELECT without a database")
	}
	db, err := strconv.Atoi(string(args[1]))
	if err != nil || db < 0 || db >= st.r.o.Keyspace.Databases() {
		return 0, fmt.Errorf("replication: the stream selects database %.20q", args[1])
	}
	return db, nil
}

// ping takes PING, which may carry the mark of what follows.
func (st *stream) ping(args [][]byte, raw []byte) error {
	r := st.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(args) > 1 && r.o.Cluster {
		if m, ok := ParseMark(string(args[1])); ok {
			switch {
			case !m.sameShard(st.mark):
				return errRefused{"the stream is now that of " + m.String()}
			case r.mu.mark.sameShard(m) && m.Term < r.mu.mark.Term:
				return errRefused{fmt.Sprintf("the stream is of term %d, this copy has term %d", m.Term, r.mu.mark.Term)}
			}
			r.mu.mark = m
			r.mu.linked = max(r.mu.linked, m.Term)
		}
	}
	r.o.Log.AppendRaw(&effects.Block{Buf: raw})
	return nil
}

// requestInTx gathers a MULTI block; its end applies it.
func (st *stream) requestInTx(args [][]byte, raw []byte) error {
	if len(st.tx)+len(raw) > maxBlock {
		return errors.New("replication: over-long MULTI block")
	}
	st.tx = append(st.tx, raw...)
	if len(args) == 0 || !command.Is(args[0], "exec") {
		return nil
	}
	st.inTx = false
	err := st.applyTx()
	if cap(st.tx) > 1<<20 {
		st.tx = nil
	}
	return err
}

// applyTx applies the gathered block as one.
func (st *stream) applyTx() error {
	parser := resp.Parser{MaxBulk: maxStreamBulk}
	var reqs []command.Request
	st.raw.Buf, st.raw.Entries = st.tx, st.raw.Entries[:0]
	db := st.db
	for at := 0; at < len(st.tx); {
		args, n, perr := parser.Next(st.tx[at:])
		if perr != nil || n == 0 {
			return errors.New("replication: damaged MULTI block") // it was parsed once already
		}
		switch {
		case len(args) == 0, command.Is(args[0], "multi"), command.Is(args[0], "exec"), command.Is(args[0], "ping"):
		case passedOver(args[0]):
			st.publish(args)
		case command.Is(args[0], "select"):
			var err error
			if db, err = st.database(args); err != nil {
				return err
			}
		case db < 0:
			return errors.New("replication: an effect before any SELECT")
		case len(reqs) == maxBlockReqs:
			return errors.New("replication: over-long MULTI block")
		default:
			reqs = append(reqs, command.Request{DB: db, Args: append([][]byte(nil), args...)})
			st.addEntry(args, at, at+n, db)
		}
		at += n
	}
	err := st.applier.ApplyBlock(reqs, func() {
		// streamDB belongs to the offset: see selectDB. The order shards -> r.mu holds.
		st.r.mu.Lock()
		defer st.r.mu.Unlock()
		st.r.o.Log.AppendRaw(&st.raw)
		st.db, st.r.mu.streamDB = db, db
	})
	if err != nil {
		return fmt.Errorf("apply MULTI block: %w", err)
	}
	return nil
}

// addEntry notes which slot a request changes, where someone wants to know.
func (st *stream) addEntry(args [][]byte, from, to, db int) {
	if !st.r.o.Log.Entries() {
		return
	}
	e := effects.Entry{Keyless: true, DB: db, Start: from, End: to}
	if spec, refused := st.r.table.Resolve(args); refused == nil {
		var ok bool
		if st.keys, ok = spec.AppendKeys(st.keys[:0], args); ok && len(st.keys) > 0 {
			e.Keyless, e.Slot = false, slots.Of(args[st.keys[0].Arg])
		}
	}
	st.raw.Entries = append(st.raw.Entries, e)
}
