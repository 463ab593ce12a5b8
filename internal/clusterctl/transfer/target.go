package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redwingdb/redwing/internal/resp"
	hash "github.com/redwingdb/redwing/internal/slots"
)

// Owner is a primary of the target with its slots.
type Owner struct {
	Addr  string
	Slots hash.Set
	// Replicated: it has replicas that follow it.
	Replicated bool
}

// TargetOptions are how to write to a cluster.
type TargetOptions struct {
	// Endpoint is how to log in; its Addr is not used. Its Timeout also bounds how long the
	// target may be without a complete set of owners.
	Endpoint Endpoint
	// Layout reads who owns what now.
	Layout func(ctx context.Context) ([]Owner, error)
}

// Target writes to the owners of slots, pipelined. Requests of one key are carried out in
// the order in which they were sent, unless one fails. Its methods may be called by several
// goroutines.
type Target struct {
	ctx context.Context
	o   TargetOptions

	mu struct {
		sync.Mutex
		owners [hash.Count]*owner // nil: nobody known
		byAddr map[string]*owner
		stale  bool // an owner has said that it is none
		fatal  error
	}
	refresh sync.Mutex // one reading of the layout at a time
}

// NewTarget returns a target that nothing is connected to yet. ctx ends it.
func NewTarget(ctx context.Context, o TargetOptions) *Target {
	t := &Target{ctx: ctx, o: o}
	t.mu.byAddr, t.mu.stale = map[string]*owner{}, true
	return t
}

// Sender sends what belongs together: requests of one source. What fails comes to Failed.
type Sender struct {
	t *Target
	// Failed hears, in a goroutine of the target's, of keys whose request was not clearly
	// carried out, and why. It must not wait.
	Failed func(keys [][]byte, why error)
	// Met hears of keys that RESTORE without REPLACE has met. nil: it is a failure.
	Met func(key []byte)

	wg sync.WaitGroup // requests without an answer
}

// Sender returns a new sender.
func (t *Target) Sender(failed func(keys [][]byte, why error), met func(key []byte)) *Sender {
	return &Sender{t: t, Failed: failed, Met: met}
}

// Send hands a request to the owner of its keys; it waits while too much is under way.
// op is not kept. The error is one that nothing more can be written after.
func (s *Sender) Send(op Op) error { return s.send(op, nil) }

// Settle waits until every request sent is answered, or has failed.
func (s *Sender) Settle() error {
	s.wg.Wait()
	return s.t.err()
}

// Exists asks whether the cluster has a key, behind all that was sent for it.
func (s *Sender) Exists(key []byte) (bool, error) {
	r, err := s.Call(Op{Keys: [][]byte{key}, Args: [][]byte{word("EXISTS"), key}})
	return r.Int > 0, err
}

// Call sends a request that may be carried out more than once, and returns the reply.
func (s *Sender) Call(op Op) (Reply, error) {
	for {
		done := make(chan answer, 1)
		if err := s.send(op, done); err != nil {
			return Reply{}, err
		}
		a := <-done
		var refusal *ReplyError
		if a.err == nil || errors.As(a.err, &refusal) && classify([]byte(refusal.Text)) == refused {
			return a.reply, a.err
		}
		if err := s.t.err(); err != nil {
			return Reply{}, err
		}
	}
}

func (s *Sender) send(op Op, done chan answer) error {
	for {
		o, err := s.t.owner(hash.Of(op.Keys[0]))
		if err != nil {
			return err
		}
		s.wg.Add(1)
		if o.put(s, op, done) {
			return nil
		}
		s.wg.Done() // it has ended since: look again
	}
}

// answered is called for each request, once. why is nil if it was carried out.
func (s *Sender) answered(r *request, reply Reply, why error) {
	switch {
	case r.done != nil:
		r.done <- answer{reply, why}
	case errors.Is(why, errExists) && s.Met != nil:
		s.Met(r.keys[0])
	case why != nil:
		s.Failed(r.keys, why)
	}
	s.wg.Done()
}

func (t *Target) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.fatal != nil {
		return t.mu.fatal
	}
	return t.ctx.Err()
}

// fail ends all writing.
func (t *Target) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.fatal == nil {
		t.mu.fatal = err
	}
}

// Close ends all connections. What is under way fails.
func (t *Target) Close() {
	for _, o := range t.owners() {
		o.close(context.Canceled)
		<-o.done
	}
}

// owners returns the newest connection to each owner that there has been.
func (t *Target) owners() []*owner {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.mu.byAddr))
}

// owner returns the connection to the owner of a slot, having read the layout anew if
// that is known to be old.
func (t *Target) owner(slot hash.Slot) (*owner, error) {
	t.mu.Lock()
	if t.mu.fatal != nil {
		defer t.mu.Unlock()
		return nil, t.mu.fatal
	}
	o := t.mu.owners[slot]
	if o != nil && !t.mu.stale && !o.closed() {
		t.mu.Unlock()
		return o, nil
	}
	t.mu.Unlock()
	if err := t.layout(); err != nil {
		t.fail(err)
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.owners[slot], nil
}

// layoutPause is how long to wait before an incomplete layout is read again.
const layoutPause = 50 * time.Millisecond

// layout connects to the owners of all slots. It waits until there are such.
func (t *Target) layout() error {
	t.refresh.Lock()
	defer t.refresh.Unlock()
	t.mu.Lock()
	known := !t.mu.stale // somebody else has done it
	for _, o := range t.mu.owners {
		known = known && o != nil && !o.closed()
	}
	t.mu.Unlock()
	if known {
		return nil
	}
	deadline := time.Now().Add(t.o.Endpoint.timeout())
	for {
		err := t.tryLayout()
		if err == nil {
			return nil
		}
		var refused *ReplyError
		switch {
		case t.ctx.Err() != nil:
			return t.ctx.Err()
		case errors.As(err, &refused) && classify([]byte(refused.Text)) == fatal:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("%w: the target has been without owners of all slots for %v: %w", ErrStalled, t.o.Endpoint.timeout(), err)
		}
		select {
		case <-time.After(layoutPause):
		case <-t.ctx.Done():
			return t.ctx.Err()
		}
	}
}

func (t *Target) tryLayout() error {
	owners, err := t.o.Layout(t.ctx)
	if err != nil {
		return err
	}
	var all hash.Set
	for i := range owners {
		all.Union(&owners[i].Slots)
	}
	if n := hash.Count - all.Len(); n > 0 {
		return fmt.Errorf("%d slots have no owner", n)
	}
	t.dropOthers(owners)
	for i := range owners {
		o, err := t.connect(&owners[i])
		if err != nil {
			return err
		}
		t.mu.Lock()
		for slot := range owners[i].Slots.Each() {
			t.mu.owners[slot] = o
		}
		t.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.stale = false
	return nil
}

// dropOthers ends the connections to nodes that own nothing any more: what they have done
// may have been lost with their role.
func (t *Target) dropOthers(owners []Owner) {
	t.mu.Lock()
	var gone []*owner
	for addr, o := range t.mu.byAddr {
		if !slices.ContainsFunc(owners, func(x Owner) bool { return x.Addr == addr }) {
			gone = append(gone, o)
		}
	}
	t.mu.Unlock()
	for _, o := range gone {
		o.close(errors.New("it owns no slots any more"))
	}
}

// connect returns the connection to an owner, a new one if there is none that lives. It is
// asked whether it serves: an owner may be that of a cluster that is down. Nothing that an
// earlier connection has sent is carried out any more then.
func (t *Target) connect(x *Owner) (*owner, error) {
	addr := x.Addr
	t.mu.Lock()
	o := t.mu.byAddr[addr]
	t.mu.Unlock()
	if o != nil && !o.closed() {
		if !o.doubtful.Load() {
			return o, nil
		}
		o.close(errors.New("connected anew"))
	}
	if o != nil {
		<-o.done
	}
	ep := t.o.Endpoint
	ep.Addr = addr
	c, err := Dial(t.ctx, ep)
	if err != nil {
		return nil, err
	}
	id, err := open(c, o)
	if err != nil {
		c.Close()
		return nil, err
	}
	o = newOwner(t, c, id, x.Replicated)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.byAddr[addr] = o
	return o, nil
}

// open makes a connection ready to be written to, in place of a former one to the same
// address, if that is not nil.
func open(c *Conn, former *owner) (clientID, error) {
	info, err := c.Do("CLUSTER", "INFO")
	if err != nil {
		return clientID{}, err
	}
	if !strings.Contains(info.String(), "cluster_state:ok") {
		return clientID{}, fmt.Errorf("%s: the cluster is down", c.Addr())
	}
	if former != nil {
		if err := former.id.kill(c); err != nil {
			return clientID{}, err
		}
	}
	return identify(c)
}

// confirmMost is how long Confirm waits for replicas.
const confirmMost = 5 * time.Second

// Confirm waits until all that the callers' senders have had answered would outlive the
// death of any one node: a replica has it, or it has failed and Failed has heard of it. It
// returns the owners whose replicas do not follow; they may not have all of it.
func (t *Target) Confirm() (lagging []string) {
	deadline := time.Now().Add(confirmMost)
	for _, o := range t.owners() {
		if !o.confirm(deadline) {
			lagging = append(lagging, o.c.Addr())
		}
	}
	slices.Sort(lagging)
	return lagging
}

// verdict is what an error reply means for the copying.
type verdict uint8

const (
	refused   verdict = iota // this request alone
	elsewhere                // the layout has changed
	down                     // the node does not serve
	fatal                    // nothing more can be written
	exists                   // RESTORE without REPLACE has met a key
)

var errExists = errors.New("BUSYKEY")

// verdicts are the error codes that mean more than that one request was refused.
var verdicts = []struct {
	code string
	is   verdict
}{
	{"MOVED", elsewhere}, {"ASK", elsewhere}, {"TRYAGAIN", elsewhere},
	{"CLUSTERDOWN", down}, {"READONLY", down}, {"LOADING", down}, {"MASTERDOWN", down}, {"UNCERTAIN", down},
	{"NOREPLICAS", down},
	{"OOM", fatal}, {"NOAUTH", fatal}, {"WRONGPASS", fatal}, {"NOPERM", fatal}, {"MISCONF", fatal}, {"DENIED", fatal},
	{"BUSYKEY", exists},
}

func classify(text []byte) verdict {
	code, _, _ := bytes.Cut(text, []byte(" "))
	for _, v := range verdicts {
		if string(code) == v.code {
			return v.is
		}
	}
	return refused
}

// judge handles an error reply to a request.
func (t *Target) judge(o *owner, text []byte) error {
	err := &ReplyError{Addr: o.c.Addr(), Text: string(text)}
	switch classify(text) {
	case exists:
		return errExists
	case fatal:
		t.fail(err)
	case down:
		o.doubtful.Store(true)
		fallthrough
	case elsewhere:
		t.mu.Lock()
		t.mu.stale = true
		t.mu.Unlock()
	}
	return err
}

// appendOp appends the request of op to b.
func appendOp(b []byte, op Op) []byte { return resp.AppendCommand(b, op.Args...) }
