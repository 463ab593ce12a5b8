package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// askInfo asks whoever listens at a bus address who it is.
func (c *Consensus) askInfo(ctx context.Context, addr string) (infoReply, error) {
	data, _, err := c.bus.CallAddr(ctx, addr, openInfo, []byte("{}"))
	if err != nil {
		return infoReply{}, err
	}
	return decode[infoReply](data)
}

func (c *Consensus) onInfo(bus.Peer, struct{}) (infoReply, error) {
	s := c.stateCopy()
	v := c.View()
	r := infoReply{Node: s.Node, Run: c.opt.Run, Cluster: s.Cluster, Generation: s.Generation, Members: len(v.Nodes), Busy: s.Phase != phaseNone}
	for i := range v.Nodes {
		if len(r.Addrs) < maxJoinAddrs {
			r.Addrs = append(r.Addrs, v.Nodes[i].Addr.Bus())
		}
	}
	return r, nil
}

// alone reports whether this node has no other members.
func (c *Consensus) alone() bool {
	v := c.View()
	return !v.Formed() || len(v.Nodes) <= 1
}

// Meet brings this node and the one at a bus address into one cluster. It is symmetric:
//
//	one side alone       that side joins the other
//	both alone           the smaller id forms a cluster of one, the larger joins it
//	both with members    ErrBothFormed
//	both of one cluster  this side notes where the other one is
//
// It returns when the join is done, refused, or ctx ends; while the other side is busy
// joining elsewhere it tries again.
func (c *Consensus) Meet(ctx context.Context, addr string) error {
	var last error
	for {
		done, err := c.meetOnce(ctx, addr)
		if done {
			return err
		}
		if err != nil {
			last = err
		}
		select {
		case <-ctx.Done():
			if last != nil {
				return fmt.Errorf("consensus: meet %s: %w (last: %v)", addr, ctx.Err(), last)
			}
			return ctx.Err()
		case <-c.ctx.Done():
			return ErrClosed
		case <-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond):
		}
	}
}

func (c *Consensus) meetOnce(ctx context.Context, addr string) (done bool, err error) {
	info, err := c.askInfo(ctx, addr)
	if err != nil {
		return false, err
	}
	s := c.stateCopy()
	if info.Node == s.Node {
		return true, nil
	}
	if info.Cluster != "" && info.Cluster == s.Cluster {
		// A member already, but perhaps not where the View has it: this is how an operator
		// brings members together that have all come back elsewhere.
		c.bus.Learn(string(info.Node), addr)
		c.poke()
		return true, nil
	}
	if info.Busy || s.Phase != phaseNone {
		return false, errBusyNode
	}
	mine, theirs := c.alone(), info.Members <= 1
	switch {
	case !mine && !theirs:
		return true, ErrBothFormed
	case mine && (!theirs || info.Node < s.Node):
		if info.Cluster == "" { // it must be a cluster before it can be joined
			return c.askMeet(ctx, addr, openForm, struct{}{}, false)
		}
		err := c.Join(ctx, addr)
		if errors.Is(err, ErrNotAlone) {
			return false, err // somebody joined us meanwhile: look again
		}
		if errors.Is(err, topology.ErrForeign) {
			return false, err // it has joined another cluster meanwhile
		}
		return err == nil || topology.IsRefusal(err), err
	}
	if s.Cluster == "" {
		if err := c.Form(ctx, slots.Set{}); err != nil && !errors.Is(err, topology.ErrFormed) {
			return false, err
		}
	}
	return c.askMeet(ctx, addr, openJoinMe, joinMeCall{Addr: c.opt.Node().Addr.Bus()}, true)
}

// askMeet asks the other side to form or to join; final: its yes is the end of MEET.
func (c *Consensus) askMeet(ctx context.Context, addr string, kind uint8, q any, final bool) (done bool, err error) {
	data, _, err := c.bus.CallAddr(ctx, addr, kind, encode(q))
	if err != nil {
		return false, err
	}
	r, err := decode[meetReply](data)
	switch {
	case err != nil:
		return false, err
	case r.Busy:
		return false, errBusyNode
	case r.Code != "":
		return true, &RefusalError{Code: r.Code, Text: r.Text}
	case r.Text != "":
		return false, errors.New(r.Text)
	}
	return final, nil
}

func (c *Consensus) onForm(bus.Peer, struct{}) (meetReply, error) {
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
	defer cancel()
	err := c.Form(ctx, slots.Set{})
	if errors.Is(err, topology.ErrFormed) {
		err = nil
	}
	return toMeetReply(err), nil
}

func (c *Consensus) onJoinMe(from bus.Peer, q joinMeCall) (meetReply, error) {
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
	defer cancel()
	// Where the call came from is reachable; what was announced may be a wildcard.
	addr := from.Addr
	if addr == "" {
		addr = q.Addr
	}
	return toMeetReply(c.Join(ctx, addr)), nil
}

func toMeetReply(err error) (r meetReply) {
	switch {
	case err == nil:
	case errors.Is(err, ErrJoining), errors.Is(err, context.DeadlineExceeded):
		r.Busy = true
	default:
		r.Code, r.Text = topology.ErrorCode(err), err.Error()
	}
	return r
}
