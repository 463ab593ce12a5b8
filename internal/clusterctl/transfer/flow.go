package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/resp"
)

// FlowOptions say what flows where.
type FlowOptions struct {
	From Endpoint
	// DB is the database that is copied.
	DB     int
	Table  *command.Table
	Target *Target
	// Gate is held, for reading, whenever the flow writes. Nothing is written under it once
	// the context of Run has ended.
	Gate *sync.RWMutex
	// Tell hears what becomes of the link to the source. nil: nobody does.
	Tell func(text string)
	// TempDir is where what the target lags behind is kept; "": the system's.
	TempDir string
}

// Phase is how far a Flow has come.
type Phase int32

// The phases of a flow, in order.
const (
	Starting  Phase = iota // the source makes its RDB
	Loading                // the RDB is copied
	Following              // the stream is followed
)

// Flow copies one source into a target and then follows its stream. Run drives it; the
// other methods may be called meanwhile.
type Flow struct {
	o   FlowOptions
	m   *Machine
	enc Encoder
	// expiries are guarded by the gate: who holds it for writing may change them.
	expiries Expiries
	sender   *Sender
	link     *link
	h        *history // the one that is copied
	fetcher  *fetcher
	parser   resp.Parser
	buf      []byte
	rest     []byte                 // of buf, behind the request that is taken
	asked    map[string]chan answer // by key, about the next requests of rest
	drain    chan drain
	written  keyLog         // what must go if the source begins anew
	tries    map[string]int // refusals of a key
	fetched  time.Time
	skew     int64     // of the source's clock against this one, in milliseconds
	skewAt   time.Time // when it was asked for

	phase     atomic.Int32
	keys      atomic.Int64 // of the RDB, copied
	passed    atomic.Int64 // keys of other databases
	libraries atomic.Int64 // function libraries
	position  atomic.Int64
	dirty     atomic.Int64
	recopied  atomic.Int64
	writes    atomic.Int64
	ends      atomic.Int64
	restarts  atomic.Int64 // histories that were given up
	watched   atomic.Bool
	lastWrite atomic.Pointer[string]

	failures struct {
		sync.Mutex
		list  []failure
		ready chan struct{}
	}
}

type failure struct {
	keys [][]byte
	why  error
}

// drain asks for all up to an offset to be in the target.
type drain struct {
	history string // replication id that offset is of; "": not known
	offset  int64
	done    chan error
}

const (
	// nearLag is how far behind the source a flow may be, in bytes, to read dirty keys
	// anew: what is read waits until the stream has come there.
	nearLag    = 1 << 20
	fetchEvery = 50 * time.Millisecond
	fetchMost  = 512
	maxTries   = 3
	maxString  = 4 << 30
)

// NewFlow returns a flow that has done nothing.
func NewFlow(o FlowOptions) *Flow {
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	f := &Flow{o: o, drain: make(chan drain), tries: map[string]int{}, asked: map[string]chan answer{}, link: newLink(o.From, o.TempDir, o.Tell)}
	f.written.dir, f.expiries.dir = o.TempDir, o.TempDir
	f.failures.ready = make(chan struct{}, 1)
	f.sender = o.Target.Sender(f.failed, nil)
	f.enc = Encoder{Replace: true}
	return f
}

// FlowState is what a flow is doing.
type FlowState struct {
	Phase     Phase
	Keys      int64  // copied from the RDB
	Passed    int64  // keys of other databases
	Libraries int64  // function libraries, which are not copied
	Lag       int64  // bytes received and not yet in operations
	Position  int64  // offset of the source's stream
	Dirty     int64  // keys that must be read again
	Recopied  int64  // keys that were
	Writes    int64  // requests of the stream that concern the copied database
	Ends      int64  // while it was watched: what expired at the source, which are no writes
	LastWrite string // a write by clients while it was watched
	Resumed   int64  // broken links that went on where they broke
	Restarted int64  // broken links after which all was copied anew
	Down      string // why there is no link now; "" if there is one
}

// State returns what the flow is doing.
func (f *Flow) State() FlowState {
	// In this order: who begins anew changes them in the other one.
	restarted, begun := f.link.restarted.Load(), f.restarts.Load()
	s := FlowState{
		Phase: Phase(f.phase.Load()), Keys: f.keys.Load(), Passed: f.passed.Load(), Libraries: f.libraries.Load(),
		Position: f.position.Load(), Dirty: f.dirty.Load(), Recopied: f.recopied.Load(), Writes: f.writes.Load(),
		Resumed: f.link.resumed.Load(), Restarted: restarted, Down: f.link.down(),
	}
	s.Ends = f.ends.Load()
	if text := f.lastWrite.Load(); text != nil {
		s.LastWrite = *text
	}
	switch {
	case restarted != begun:
		s.Phase = Starting
	case s.Phase == Following:
		s.Lag = max(0, f.link.received()-s.Position)
	}
	return s
}

// failed takes what the target has not done.
func (f *Flow) failed(keys [][]byte, why error) {
	f.failures.Lock()
	defer f.failures.Unlock()
	f.failures.list = append(f.failures.list, failure{keys, why})
	select {
	case f.failures.ready <- struct{}{}:
	default:
	}
}

// Run copies and follows until ctx ends or something fails.
func (f *Flow) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var err error
	if f.fetcher, err = newFetcher(ctx, f.o.From, f.o.DB); err != nil {
		cancel()
		return err
	}
	var linked sync.WaitGroup
	linked.Go(func() { f.link.run(ctx) })
	defer func() {
		cancel()
		linked.Wait()
		f.fetcher.close()
		f.written.close()
		f.o.Gate.RLock()
		f.expiries.begin()
		f.o.Gate.RUnlock()
		if f.h != nil {
			f.h.close()
		}
		if h, ok := <-f.link.histories; ok {
			h.close() // it was not begun
		}
	}()
	for {
		h, err := f.link.take(ctx)
		if err != nil {
			return err
		}
		if f.h != nil {
			f.h.close()
		}
		f.h = h
		if err := f.copy(ctx); err != nil && !h.over.Load() {
			return fmt.Errorf("%s: %w", f.o.From.Addr, err)
		}
	}
}

// copy copies one history, from its beginning. It ends by an error.
func (f *Flow) copy(ctx context.Context) error {
	f.m = NewMachine(f.h.offset)
	f.m.Table, f.m.DB, f.m.Emit, f.m.Wrote, f.m.Expiries = f.o.Table, f.o.DB, f.sender.Send, f.written.add, &f.expiries
	f.m.Keys = func(args [][]byte) ([][]byte, error) { return f.fetcher.keysOf(ctx, args) }
	f.m.Own = func(name string, args [][]byte) (bool, error) { return f.own(ctx, name, args) }
	f.parser = resp.Parser{MaxBulk: -1}
	if err := f.forget(ctx); err != nil {
		return err
	}
	f.enc.Emit = func(op Op) error { return f.gated(ctx, func() error { return f.sendKey(op) }) }
	f.enc.Expiry, f.enc.FieldExpiry = f.gatedExpiry(f.expiries.Of), f.gatedExpiry(f.expiries.OfField)
	if err := f.load(); err != nil {
		return err
	}
	f.h.rdb.Close()
	f.written.repeats()
	f.phase.Store(int32(Following))
	f.enc.Emit, f.enc.Expiry, f.enc.FieldExpiry = f.sendKey, f.expiries.Of, f.expiries.OfField // its turns hold the gate
	return f.follow(ctx)
}

// gated does something that writes.
func (f *Flow) gated(ctx context.Context, write func() error) error {
	f.o.Gate.RLock()
	defer f.o.Gate.RUnlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return write()
}

// gatedExpiry is of with the gate held.
func (f *Flow) gatedExpiry(of func(key []byte, at int64) int64) func(key []byte, at int64) int64 {
	return func(key []byte, at int64) int64 {
		f.o.Gate.RLock()
		defer f.o.Gate.RUnlock()
		return of(key, at)
	}
}

// sendKey sends a request that writes its one key.
func (f *Flow) sendKey(op Op) error {
	f.written.add(op.Keys[0])
	return f.sender.Send(op)
}

// forget deletes what was written of a history before, so that nothing stays of it that
// the source has no more. Its expiries begin anew.
func (f *Flow) forget(ctx context.Context) error {
	err := f.gated(ctx, func() error {
		f.expiries.begin()
		return nil
	})
	if err != nil {
		return err
	}
	f.phase.Store(int32(Loading))
	f.position.Store(f.h.offset)
	f.keys.Store(0)
	f.passed.Store(0)
	f.libraries.Store(0)
	f.restarts.Store(f.link.restarted.Load())
	err = f.written.each(func(key []byte) error {
		return f.gated(ctx, func() error {
			return f.sender.Send(Op{Keys: [][]byte{key}, Args: [][]byte{word("UNLINK"), key}})
		})
	})
	if err != nil {
		return fmt.Errorf("what was copied cannot be deleted: %w", err)
	}
	f.written.clear()
	return nil
}

// load copies the keys of the RDB.
func (f *Flow) load() error {
	r := rdb.NewReader(bufio.NewReaderSize(f.h.rdb, 256<<10), rdb.ReaderOptions{MaxDB: 1 << 30, MaxString: maxString})
	for {
		ev, err := r.Next()
		if err != nil {
			return err
		}
		if f.h.over.Load() {
			return ErrRestarted
		}
		switch ev {
		case rdb.EventKey:
			if r.Key.DB != f.o.DB {
				f.passed.Add(1)
				continue
			}
			if err := f.enc.Key(r); err != nil {
				return err
			}
			f.keys.Add(1)
		case rdb.EventFunction:
			f.libraries.Add(1)
		case rdb.EventAux:
			f.aux(r.Aux.Name, r.Aux.Value)
		case rdb.EventEnd:
			return nil
		}
	}
}

// aux takes the database that the stream has selected at its beginning, where the source
// is itself a replica.
func (f *Flow) aux(name, value string) {
	if name == "repl-stream-db" {
		f.m.SelectDB(database([]byte(value)))
	}
}

// follow turns the stream into operations.
func (f *Flow) follow(ctx context.Context) (err error) {
	var asked *drain
	defer func() {
		if asked != nil {
			if f.h.over.Load() {
				err = ErrRestarted
			}
			asked.done <- err
		}
	}()
	f.buf = make([]byte, 0, readBuffer)
	for {
		n, err := f.turn(ctx, asked != nil)
		if err != nil {
			return err
		}
		f.position.Store(f.m.Position())
		f.writes.Store(f.m.Writes())
		f.ends.Store(f.m.Ends())
		if asked != nil && f.m.Position() >= asked.offset && f.m.DirtyKeys() == 0 {
			if err := f.sender.Settle(); err != nil {
				return err
			}
			if f.noFailures() {
				asked.done <- nil
				asked = nil
			}
			continue
		}
		if n > 0 {
			continue
		}
		var again <-chan time.Time
		if f.m.DirtyKeys() > 0 {
			again = time.After(fetchEvery)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.h.stream.Ready():
		case <-f.failures.ready:
		case d := <-f.drain:
			if id := f.link.id(); d.history != "" && d.history != id {
				d.done <- fmt.Errorf("%w: its history is %.8s, %.8s is followed", ErrRestarted, d.history, id)
				break
			}
			asked = &d
		case <-again:
		}
	}
}

// turn takes some of the stream.
func (f *Flow) turn(ctx context.Context, draining bool) (n int, err error) {
	err = f.gated(ctx, func() error {
		if f.h.over.Load() {
			return ErrRestarted
		}
		if err := f.takeFailures(); err != nil {
			return err
		}
		if n, err = f.more(); err != nil {
			return err
		}
		err = f.refetch(ctx, draining)
		f.dirty.Store(int64(f.m.DirtyKeys()))
		return err
	})
	return n, err
}

// Settle waits until all that the flow has sent is answered. REQUIRES: the gate is held
// for writing, so that it sends no more.
func (f *Flow) Settle() error { return f.sender.Settle() }

// Clean reports whether there is no key that the target may have lost. REQUIRES: the gate
// is held for writing.
func (f *Flow) Clean() bool { return f.dirty.Load() == 0 && f.noFailures() }

// Expiries returns those of the flow's keys. REQUIRES: the gate is held for writing.
func (f *Flow) Expiries() *Expiries { return &f.expiries }

// more reads what has come of the stream and takes its whole requests.
func (f *Flow) more() (int, error) {
	if len(f.buf) == cap(f.buf) {
		f.buf = append(make([]byte, 0, max(2*cap(f.buf), min(f.parser.Need(), 64*cap(f.buf)))), f.buf...)
	}
	n, err := f.h.stream.TryRead(f.buf[len(f.buf):cap(f.buf)])
	if err != nil {
		return 0, err
	}
	f.buf = f.buf[:len(f.buf)+n]
	done := 0
	for {
		args, used, perr := f.parser.Next(f.buf[done:])
		if perr != nil {
			return 0, fmt.Errorf("the stream is damaged: %w", perr)
		}
		if used == 0 {
			break
		}
		if len(args) > 1 && command.Is(args[0], "replconf") && command.Is(args[1], "getack") {
			f.link.acknowledge()
		}
		done += used
		f.rest = f.buf[done:]
		if err := f.m.Request(args, used); err != nil {
			return 0, err
		}
	}
	rest := f.buf[done:]
	if cap(f.buf) > 1<<20 && len(rest) < readBuffer {
		f.buf = make([]byte, 0, readBuffer) // a large value is behind us
	}
	f.buf = append(f.buf[:0], rest...)
	return n, nil
}

// takeFailures makes the keys dirty whose requests the target has not clearly done.
func (f *Flow) takeFailures() error {
	f.failures.Lock()
	list := f.failures.list
	f.failures.list = nil
	f.failures.Unlock()
	for _, x := range list {
		var refusal *ReplyError
		for _, k := range x.keys {
			f.m.Dirty(k)
			if errors.As(x.why, &refusal) && classify([]byte(refusal.Text)) == refused {
				if f.tries[string(k)]++; f.tries[string(k)] > maxTries {
					return fmt.Errorf("key %.64q: the target refuses it: %w", k, x.why)
				}
			}
		}
	}
	return nil
}

func (f *Flow) noFailures() bool {
	f.failures.Lock()
	defer f.failures.Unlock()
	return len(f.failures.list) == 0
}

// refetch reads dirty keys anew. The stream stands still meanwhile, so that what is read
// is of an offset that it has not passed.
func (f *Flow) refetch(ctx context.Context, now bool) error {
	if f.m.DirtyKeys() == 0 || !now && f.link.received()-f.m.Position() > nearLag || time.Since(f.fetched) < fetchEvery {
		return nil
	}
	keys := f.m.Unasked(fetchMost)
	if len(keys) == 0 {
		return nil
	}
	list, err := f.fetcher.fetch(ctx, keys)
	if err != nil {
		return err
	}
	id, foreign := f.link.id(), 0
	for _, v := range list {
		if v.history != "" && v.history != id {
			foreign++ // the link will break, or has: what is there to be had later
			continue
		}
		f.recopied.Add(1)
		if err := f.m.Refresh(v.key, v.offset, func() error { return f.write(v) }); err != nil {
			return err
		}
	}
	if len(keys) < fetchMost || foreign > 0 { // else there are more: at once
		f.fetched = time.Now()
	}
	return ctx.Err()
}

// write emits what was fetched for a key.
func (f *Flow) write(v value) error {
	key := []byte(v.key)
	if v.payload == nil {
		return f.sender.Send(Op{Keys: [][]byte{key}, Args: [][]byte{word("DEL"), key}})
	}
	r, err := rdb.NewPayloadReader(v.payload, rdb.ReaderOptions{MaxString: maxString})
	if err != nil {
		return fmt.Errorf("key %.64q: %w", key, err)
	}
	r.Key.ExpireAt = v.expireAt
	if err := f.enc.KeyAs(r, key); err != nil {
		return fmt.Errorf("key %.64q: %w", key, err)
	}
	return nil
}

// Recopy has keys read again and written anew, before the next Drain ends.
func (f *Flow) Recopy(keys []string) {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = []byte(k)
	}
	f.failed(list, errors.New("asked for"))
}

// Drain returns when all up to an offset of the source's stream is in the target and no
// key is dirty. history is the replication id that the offset is of: if that is not the one
// which is followed, or the source begins anew meanwhile, ErrRestarted is returned. The
// source must not write any more, or this may take for ever.
func (f *Flow) Drain(ctx context.Context, history string, offset int64) error {
	d := drain{history, offset, make(chan error, 1)}
	select {
	case f.drain <- d:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-d.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
