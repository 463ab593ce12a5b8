package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// Errors of Failover and Release.
var (
	// ErrNotReplica is returned when a node that is no replica is to take over.
	ErrNotReplica = errors.New("failover: this node is no replica")
	// ErrNoLeader is returned when no leader of the topology log answers in time:
	// there is no quorum, and only clusterctl recover --force-quorum helps.
	ErrNoLeader = errors.New("failover: no leader of the topology log answers; without a quorum use clusterctl recover --force-quorum")
	// ErrNotCaughtUp is returned when the replica did not reach the primary's
	// offset in time; the primary goes on.
	ErrNotCaughtUp = errors.New("failover: the replica did not catch up in time")
	// ErrNoHeir is returned by Release when every replica has gone meanwhile.
	ErrNoHeir = errors.New("failover: no replica is there to take over")
	// ErrRefused is returned when the other side says no; its words follow.
	ErrRefused = errors.New("failover: refused")
)

const (
	releaseTimeout = 400 * time.Millisecond
	catchUpWait    = 2 * time.Second
	// heirPatience is how often a primary that has released looks whether a replica is
	// still there.
	heirPatience = 100 * time.Millisecond
)

// renew sends what the holder wants sent. Without a shard of its own a node asks
// now and then who is down.
func (d *Driver) renew(v *topology.View, voters []topology.NodeID, a *Ask, r *Released, starving bool) {
	switch {
	case a != nil:
		a.Offset = d.o.Local.Progress().Offset
		for _, to := range d.leaders(v, voters, starving) {
			d.sendRenewal(to, *a)
		}
	case r != nil:
		for _, to := range d.leaders(v, voters, true) {
			if to == d.o.Self {
				d.releaseNoted(d.takeRelease(to, *r))
				continue
			}
			d.call(to, kindRelease, r, releaseTimeout, func(reply []byte) {
				if got, err := decode[outcome](reply); err == nil {
					d.releaseNoted(got)
				}
			})
		}
		d.askDown(v, voters, true)
	default:
		d.askDown(v, voters, false)
	}
}

// leaders are the nodes to be asked: the leader if one is known and answers, else
// every voter.
func (d *Driver) leaders(v *topology.View, voters []topology.NodeID, all bool) []topology.NodeID {
	leader := d.o.Log.Leader()
	if hint := d.hint.Load(); leader == "" && hint != nil {
		leader = *hint
	}
	if leader == "" {
		leader = v.LeadNode
	}
	if leader != "" && v.Node(leader) != nil && !all {
		return []topology.NodeID{leader}
	}
	return voters
}

// sendRenewal asks one node for the lease.
func (d *Driver) sendRenewal(to topology.NodeID, a Ask) {
	select {
	case d.renews <- struct{}{}:
	default:
		return // the leader is slow; what is under way serves as well
	}
	ok := d.spawn(func() {
		defer func() { <-d.renews }()
		var reply renewReply
		if to == d.o.Self {
			reply = d.takeRenewal(to, a)
		} else {
			ctx, cancel := context.WithTimeout(d.ctx, d.leaseTime())
			defer cancel()
			data, err := d.o.Transport.Call(ctx, string(to), kindRenew, encode(a))
			if err != nil {
				return
			}
			if reply, err = decode[renewReply](data); err != nil {
				return
			}
		}
		d.takeReply(to, reply)
		if reply.Granted {
			d.mu.Lock()
			if d.mu.holder != nil {
				d.mu.holder.Granted(a.Seq, a.Shard, a.Term)
				d.publishLocked()
			}
			d.mu.Unlock()
		}
	})
	if !ok {
		<-d.renews
	}
}

func (d *Driver) leaseTime() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.mu.timing.Lease)
}

// takeReply learns from an answer who leads and who is down.
func (d *Driver) takeReply(to topology.NodeID, r renewReply) {
	if r.Leads {
		d.hint.Store(&to)
		if to != d.o.Self {
			d.setDown(r.Down)
		}
	} else if r.Leader != "" {
		d.hint.Store(&r.Leader)
	}
}

// askDown asks the leader who is down, a few times in NodeTimeout. A primary learns it
// with its renewals, unless it has released its lease.
func (d *Driver) askDown(v *topology.View, voters []topology.NodeID, released bool) {
	d.mu.Lock()
	now := d.o.Mono()
	due := d.mu.leader == nil && now-d.mu.asked >= d.mu.timing.NodeTimeout/4
	if s := v.ShardOf(d.o.Self); s != nil && s.Primary == d.o.Self && !released {
		due = false // its renewals bring the answer
	}
	if due {
		d.mu.asked = now
	}
	d.mu.Unlock()
	if !due {
		return
	}
	for _, to := range d.leaders(v, voters, false) {
		if to == d.o.Self {
			continue
		}
		d.call(to, kindRenew, Ask{}, releaseTimeout, func(reply []byte) {
			if r, err := decode[renewReply](reply); err == nil {
				d.takeReply(to, r)
			}
		})
	}
}

// Release gives this node's shard up, at shutdown: writes are held, the lease ends,
// and the leader promotes another copy. It returns when the View shows that, no other
// copy or no leader is there any more, or ctx ends. A shard without another copy, and a node that is
// no primary, have nothing to release.
func (d *Driver) Release(ctx context.Context) error {
	v := d.o.Log.View()
	s := v.ShardOf(d.o.Self)
	if s == nil || !v.IsPrimary(d.o.Self, d.o.Local.Run()) || !d.hasHeir(v, s) {
		return nil
	}
	offset, err := d.o.Local.HoldWrites(ctx)
	if err != nil {
		return err
	}
	if !d.release(Released{Shard: s.ID, Term: s.Term, Offset: offset, Leaving: true}) {
		return nil
	}
	d.releaseNoted(outcome{OK: true}) // a leader is given NodeTimeout from now on
	for {
		soon, cancel := context.WithTimeout(ctx, heirPatience)
		err := d.awaitTerm(soon, s.ID, s.Term)
		cancel()
		if err == nil || ctx.Err() != nil || d.ctx.Err() != nil {
			return err
		}
		if !d.hasHeir(v, s) {
			return ErrNoHeir
		}
		d.mu.Lock()
		silent := d.o.Mono()-d.mu.noted >= d.mu.timing.NodeTimeout
		d.mu.Unlock()
		if silent {
			return ErrNoLeader
		}
	}
}

// releaseNoted remembers that a leader has taken the Release.
func (d *Driver) releaseNoted(got outcome) {
	if !got.OK {
		return
	}
	d.mu.Lock()
	d.mu.noted = d.o.Mono()
	d.mu.Unlock()
}

// hasHeir reports whether a replica of the shard is there that may be promoted, as far
// as this node knows.
func (d *Driver) hasHeir(v *topology.View, s *topology.Shard) bool {
	for _, id := range s.Replicas {
		if n := v.Node(id); !d.Down(id) && (!v.Config.InSyncOnly() || s.IsInSync(id, n.Run)) {
			return true
		}
	}
	return false
}

func (d *Driver) release(r Released) bool {
	d.mu.Lock()
	ok := d.mu.holder != nil && d.mu.holder.Release(d.o.Mono(), r)
	d.publishLocked()
	d.mu.Unlock()
	d.wake()
	return ok
}

// awaitTerm waits until the shard's term in the View is above term.
func (d *Driver) awaitTerm(ctx context.Context, shard topology.ShardID, term uint64) error {
	changed := make(chan struct{}, 1)
	cancel := d.o.Log.Subscribe(func(_, _ *topology.View) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer cancel()
	for {
		if s := d.o.Log.View().ShardByID(shard); s == nil || s.Term > term {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-d.ctx.Done():
			return d.ctx.Err()
		}
	}
}

// Failover makes this replica the primary of its shard: CLUSTER FAILOVER, FORCE or
// TAKEOVER. It returns when the View shows it. ctx bounds it.
func (d *Driver) Failover(ctx context.Context, mode topology.PromoteMode) error {
	v := d.o.Log.View()
	s := v.ShardOf(d.o.Self)
	if s == nil || s.Primary == d.o.Self {
		return ErrNotReplica
	}
	var err error
	if mode == topology.PromoteGraceful {
		err = d.order(ctx, s.Primary, kindHandover, handoverAsk{s.ID, s.Term})
	} else {
		err = d.orderLeader(ctx, Forced{s.ID, s.Term, d.o.Self, mode})
	}
	if err != nil {
		return err
	}
	return d.awaitTerm(ctx, s.ID, s.Term)
}

// orderLeader gives an order to the leader, whoever that is by then.
func (d *Driver) orderLeader(ctx context.Context, f Forced) error {
	for {
		v := d.o.Log.View()
		for _, to := range d.leaders(v, d.o.Log.Voters(), false) {
			var got outcome
			if to == d.o.Self {
				got = d.takeForce(f)
			} else if reply, err := d.o.Transport.Call(ctx, string(to), kindForce, encode(f)); err == nil {
				got, _ = decode[outcome](reply)
			}
			if got.OK {
				return nil
			}
			if got.Code != "" {
				return fmt.Errorf("%w: %w: %s", ErrRefused, topology.ErrorFromCode(got.Code), got.Text)
			}
		}
		d.hint.Store(nil)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNoLeader, ctx.Err())
		case <-d.ctx.Done():
			return d.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *Driver) order(ctx context.Context, to topology.NodeID, kind uint8, req any) error {
	reply, err := d.o.Transport.Call(ctx, string(to), kind, encode(req))
	if err != nil {
		return err
	}
	got, err := decode[outcome](reply)
	if err != nil {
		return err
	}
	if !got.OK {
		return fmt.Errorf("%w: %s", ErrRefused, got.Text)
	}
	return nil
}

// onHandover is a replica's wish to take over in good order: hold writes, wait until
// the replica has everything, release. Until the Release the primary may still go on;
// after it the log decides.
func (d *Driver) onHandover(from bus.Peer, req []byte) ([]byte, error) {
	a, err := decode[handoverAsk](req)
	if err != nil {
		return nil, err
	}
	if err := d.handover(topology.NodeID(from.Node), a); err != nil {
		d.note(Event{Kind: EventHandover, Shard: a.Shard, Term: a.Term, From: d.o.Self, To: topology.NodeID(from.Node),
			Text: "handover given up: " + err.Error(), Phases: noPhases})
		return encode(outcome{Text: err.Error()}), nil
	}
	return encode(outcome{OK: true}), nil
}

func (d *Driver) handover(to topology.NodeID, a handoverAsk) error {
	v := d.o.Log.View()
	s := v.ShardByID(a.Shard)
	if s == nil || s.Term != a.Term || !v.IsPrimary(d.o.Self, d.o.Local.Run()) || s.Primary != d.o.Self {
		return topology.ErrStaleTerm
	}
	if !s.Has(to) {
		return topology.ErrNotMember
	}
	if n := v.Node(to); v.Config.InSyncOnly() && !s.IsInSync(to, n.Run) {
		return topology.ErrNotInSync
	}
	d.mu.Lock()
	busy := d.mu.handing
	d.mu.handing = true
	d.mu.Unlock()
	if busy {
		return errors.New("a handover is under way")
	}
	defer func() {
		d.mu.Lock()
		d.mu.handing = false
		d.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(d.ctx, catchUpWait)
	defer cancel()
	offset, err := d.o.Local.HoldWrites(ctx)
	if err != nil {
		return err
	}
	if err := d.awaitCopy(ctx, to, s.ID, offset); err != nil {
		d.o.Local.ResumeWrites()
		return err
	}
	if !d.release(Released{Shard: s.ID, Term: s.Term, Offset: offset, Candidate: to}) {
		d.o.Local.ResumeWrites()
		return topology.ErrStaleTerm
	}
	// From here on only a new term lets anybody serve these slots; the hold has done
	// its work as soon as the View shows one.
	d.spawn(func() {
		if d.awaitTerm(d.ctx, s.ID, s.Term) == nil {
			d.o.Local.ResumeWrites()
		}
	})
	return nil
}

// awaitCopy waits until the replica has reached offset.
func (d *Driver) awaitCopy(ctx context.Context, to topology.NodeID, shard topology.ShardID, offset int64) error {
	for {
		r, err := d.copyReport(ctx, to, reportAsk{shard, offset, 500})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotCaughtUp, err)
		}
		if r.Progress.Offset >= offset && !r.Progress.FullSync {
			return nil
		}
		if ctx.Err() != nil {
			return ErrNotCaughtUp
		}
	}
}

// copyReport asks a copy how far it is.
func (d *Driver) copyReport(ctx context.Context, to topology.NodeID, ask reportAsk) (Report, error) {
	reply, err := d.o.Transport.Call(ctx, string(to), kindReport, encode(ask))
	if err != nil {
		return Report{}, err
	}
	return decode[Report](reply)
}

// InSyncPeer returns another copy of s that is in its in-sync set and has just answered so;
// empty if there is none.
func (d *Driver) InSyncPeer(ctx context.Context, s *topology.Shard) topology.NodeID {
	for _, m := range s.InSync {
		if m.Node == d.o.Self {
			continue
		}
		soon, cancel := context.WithTimeout(ctx, reportTimeout)
		r, err := d.copyReport(soon, m.Node, reportAsk{Shard: s.ID})
		cancel()
		if err == nil && r.Run == m.Run && !r.Progress.FullSync {
			return m.Node
		}
	}
	return ""
}
