package failover

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/topology"
)

const (
	echoTimeout    = 400 * time.Millisecond
	reportTimeout  = 400 * time.Millisecond
	proposeTimeout = 2 * time.Second
	proposePause   = 20 * time.Millisecond
)

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }

// closing are the last actions of a leader that leads no more.
func (l *Leader) closing() []Action {
	if l == nil {
		return nil
	}
	return l.Close()
}

// with calls f with the pure leader under the lock, if l leads still, and carries
// the actions out.
func (d *Driver) with(l *Leader, f func(now int64) []Action) {
	d.mu.Lock()
	if d.mu.leader != l || l == nil {
		d.mu.Unlock()
		return
	}
	out := f(d.o.Mono())
	d.mu.Unlock()
	d.perform(l, out)
}

func (d *Driver) leading() *Leader {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.leader
}

// perform carries out what leader l has decided.
func (d *Driver) perform(l *Leader, actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case SendEcho:
			for _, voter := range a.Voters {
				d.sendEcho(l, voter, a)
			}
		case AnswerAsk:
			d.mu.Lock()
			ch := d.mu.asks[a.ID]
			delete(d.mu.asks, a.ID)
			d.mu.Unlock()
			if ch != nil {
				ch <- a.Granted // capacity 1
			}
		case AskReports:
			for _, node := range a.Nodes {
				d.askReport(l, node, a.Shard)
			}
		case ProposeEntry:
			d.propose(l, a)
		case Note:
			d.note(a.Event)
		}
	}
}

// call makes a call on a goroutine of its own, or drops it when too many are under
// way: every call here is asked again.
func (d *Driver) call(node topology.NodeID, kind uint8, req any, timeout time.Duration, done func([]byte)) {
	select {
	case d.sends <- struct{}{}:
	default:
		return
	}
	body := encode(req)
	if !d.spawn(func() {
		defer func() { <-d.sends }()
		ctx, cancel := context.WithTimeout(d.ctx, timeout)
		defer cancel()
		if reply, err := d.o.Transport.Call(ctx, string(node), kind, body); err == nil {
			done(reply)
		}
	}) {
		<-d.sends
	}
}

func (d *Driver) sendEcho(l *Leader, voter topology.NodeID, a SendEcho) {
	if voter == d.o.Self {
		r := d.echo()
		d.with(l, func(now int64) []Action { return l.Echo(now, voter, a.Seq, r.RaftTerm, r.Gone) })
		return
	}
	d.call(voter, kindEcho, echoAsk{a.Seq, a.RaftTerm}, echoTimeout, func(reply []byte) {
		if r, err := decode[echoReply](reply); err == nil {
			d.with(l, func(now int64) []Action { return l.Echo(now, voter, a.Seq, r.RaftTerm, r.Gone) })
		}
	})
}

// echo is this voter's word: its raft term and which processes it misses. The term
// is read first: an echo must not claim an older moment than it has.
func (d *Driver) echo() echoReply {
	r := echoReply{RaftTerm: d.o.Log.RaftTerm()}
	v := d.o.Log.View()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.watch != nil && membershipOf(v) == d.mu.cluster {
		r.Gone = d.mu.watch.Report(d.o.Mono(), v, func(id topology.NodeID) Sight {
			run, at := d.o.Transport.Heard(string(id))
			return Sight{topology.RunID(run), at, d.o.Transport.Refused(string(id))}
		})
	}
	return r
}

func (d *Driver) askReport(l *Leader, node topology.NodeID, shard topology.ShardID) {
	if node == d.o.Self {
		r := d.report(shard)
		d.with(l, func(now int64) []Action { return l.Report(now, r) })
		return
	}
	d.call(node, kindReport, reportAsk{Shard: shard}, reportTimeout, func(reply []byte) {
		if r, err := decode[Report](reply); err == nil && r.Node == node && r.Shard == shard {
			d.with(l, func(now int64) []Action { return l.Report(now, r) })
		}
	})
}

func (d *Driver) report(shard topology.ShardID) Report {
	return Report{Node: d.o.Self, Run: d.o.Local.Run(), Shard: shard, Progress: d.o.Local.Progress()}
}

// propose commits a decision; an unknown outcome comes back after a pause.
func (d *Driver) propose(l *Leader, a ProposeEntry) {
	a.Entry.AtMillis = clock.WallMillis()
	d.spawn(func() {
		ctx, cancel := context.WithTimeout(d.ctx, proposeTimeout)
		_, err := d.o.Log.Propose(ctx, a.Entry)
		cancel()
		if err != nil && !topology.IsRefusal(err) {
			select {
			case <-d.ctx.Done():
				return
			case <-time.After(proposePause):
			}
		}
		d.with(l, func(now int64) []Action { return l.Proposed(now, a.Shard, a.N, err) })
		d.wake()
	})
}

// handle sets or removes the handlers of the calls.
func (d *Driver) handle(on bool) {
	handlers := map[uint8]func(bus.Peer, []byte) ([]byte, error){
		kindEcho:     d.onEcho,
		kindRenew:    d.onRenew,
		kindReport:   d.onReport,
		kindRelease:  d.onRelease,
		kindForce:    d.onForce,
		kindHandover: d.onHandover,
	}
	for kind, h := range handlers {
		if !on {
			h = nil
		}
		d.o.Transport.HandleRPC(kind, h)
	}
}

func (d *Driver) onEcho(_ bus.Peer, req []byte) ([]byte, error) {
	if _, err := decode[echoAsk](req); err != nil {
		return nil, err
	}
	return encode(d.echo()), nil
}

func (d *Driver) onRenew(from bus.Peer, req []byte) ([]byte, error) {
	a, err := decode[Ask](req)
	if err != nil {
		return nil, err
	}
	return encode(d.takeRenewal(topology.NodeID(from.Node), a)), nil
}

// takeRenewal waits for a round. An Ask without a shard only asks who is down.
func (d *Driver) takeRenewal(from topology.NodeID, a Ask) renewReply {
	d.mu.Lock()
	l := d.mu.leader
	if l == nil || len(d.mu.asks) >= maxWaits || d.mu.closed {
		d.mu.Unlock()
		return renewReply{Leader: d.o.Log.Leader()}
	}
	reply := renewReply{Leads: true, Leader: d.o.Self}
	for id := range *d.down.Load() {
		reply.Down = append(reply.Down, id)
	}
	if a.Shard == "" {
		d.mu.Unlock()
		return reply
	}
	d.mu.nextID++
	id, ch := d.mu.nextID, make(chan bool, 1)
	d.mu.asks[id] = ch
	out := l.Renew(d.o.Mono(), id, from, a)
	lease := time.Duration(d.mu.timing.Lease)
	d.mu.Unlock()
	d.perform(l, out)
	timer := time.NewTimer(lease)
	defer timer.Stop()
	select {
	case reply.Granted = <-ch:
	case <-timer.C:
		d.mu.Lock()
		delete(d.mu.asks, id)
		d.mu.Unlock()
	}
	return reply
}

func (d *Driver) onReport(_ bus.Peer, req []byte) ([]byte, error) {
	a, err := decode[reportAsk](req)
	if err != nil {
		return nil, err
	}
	deadline := d.o.Mono() + min(a.WaitMillis, 1000)*int64(time.Millisecond)
	for a.MinOffset > 0 && d.o.Local.Progress().Offset < a.MinOffset && d.o.Mono() < deadline {
		select {
		case <-d.ctx.Done():
			return nil, d.ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return encode(d.report(a.Shard)), nil
}

func (d *Driver) onRelease(from bus.Peer, req []byte) ([]byte, error) {
	r, err := decode[Released](req)
	if err != nil {
		return nil, err
	}
	return encode(d.takeRelease(topology.NodeID(from.Node), r)), nil
}

func (d *Driver) takeRelease(from topology.NodeID, r Released) outcome {
	l := d.leading()
	if l == nil {
		return outcome{Text: errNotLeader.Error()}
	}
	d.with(l, func(now int64) []Action { return l.Release(now, from, r) })
	return outcome{OK: true}
}

func (d *Driver) onForce(_ bus.Peer, req []byte) ([]byte, error) {
	f, err := decode[Forced](req)
	if err != nil {
		return nil, err
	}
	return encode(d.takeForce(f)), nil
}

func (d *Driver) takeForce(f Forced) outcome {
	l := d.leading()
	if l == nil {
		return outcome{Text: errNotLeader.Error()}
	}
	if f.Mode != topology.PromoteForce && f.Mode != topology.PromoteTakeover {
		return outcome{Code: topology.ErrorCode(topology.ErrBadEntry), Text: "mode"}
	}
	err := errNotLeader
	d.with(l, func(now int64) (out []Action) {
		out, err = l.Force(now, f)
		return out
	})
	if err != nil {
		return outcome{Code: topology.ErrorCode(err), Text: err.Error()}
	}
	return outcome{OK: true}
}

var errNotLeader = errors.New("failover: not the leader")
