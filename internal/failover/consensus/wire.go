package consensus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// Calls between members, within bus.KindConsensus.
const (
	callPropose = bus.KindConsensus + iota
	callFresh
	callAwait
	callStatus
	callEnlist
	callRetire
	callView
	callPlace
)

// Calls between nodes that need not be members.
const (
	openInfo = bus.KindConsensus + iota
	openForm
	openJoinMe
	openJoin
)

// RefusalError is a refusal that came over the wire: errors.Is finds topology's error.
type RefusalError struct {
	Code string
	Text string
}

func (e *RefusalError) Error() string { return e.Text }

// Unwrap returns topology's error of the code.
func (e *RefusalError) Unwrap() error { return topology.ErrorFromCode(e.Code) }

// proposeReply answers callPropose, callFresh and openJoin.
type proposeReply struct {
	Index     uint64          `json:"index,omitempty"`
	Code      string          `json:"code,omitempty"` // a refusal
	Text      string          `json:"text,omitempty"`
	NotLeader bool            `json:"notLeader,omitempty"`
	Leader    topology.NodeID `json:"leader,omitempty"`
	// Unknown tells that the entry may or may not be in the log.
	Unknown string `json:"unknown,omitempty"`
	// View is the committed View, with openJoin only.
	View json.RawMessage `json:"view,omitempty"`
}

func (r *proposeReply) refuse(err error) {
	r.Code, r.Text = topology.ErrorCode(err), err.Error()
}

// err is nil or the refusal.
func (r *proposeReply) err() error {
	if r.Code == "" {
		return nil
	}
	return &RefusalError{Code: r.Code, Text: r.Text}
}

type awaitCall struct {
	Index uint64 `json:"index"`
}

type statusReply struct {
	// Lost tells that the node was a member and its stores are gone: it will not vote
	// again as what it was.
	Lost    bool   `json:"lost,omitempty"`
	Running bool   `json:"running"`
	RaftID  string `json:"raftID"`
	Term    uint64 `json:"term"`
	Last    uint64 `json:"last"`  // index of its log
	Index   uint64 `json:"index"` // of the View
}

// enlistCall names the membership the leader means, so that a late call for an earlier
// one does nothing.
type enlistCall struct {
	RaftID string `json:"raftID"`
}

// placeReply answers whether raft's configuration has a member.
type placeReply struct {
	Leader bool `json:"leader"` // the answer counts
	Known  bool `json:"known"`
}

// infoReply is who a node is, for MEET.
type infoReply struct {
	Node       topology.NodeID `json:"node"`
	Run        topology.RunID  `json:"run"`
	Cluster    string          `json:"cluster,omitempty"`
	Generation uint64          `json:"generation,omitempty"`
	Members    int             `json:"members"`
	Busy       bool            `json:"busy,omitempty"` // joining somewhere
	Addrs      []string        `json:"addrs,omitempty"`
}

// joinCall brings a joiner's entry; Cluster is the one it means to join.
type joinCall struct {
	Cluster    string          `json:"cluster"`
	Generation uint64          `json:"generation"`
	Entry      json.RawMessage `json:"entry"`
}

// joinMeCall asks a node that is alone to join the caller's cluster.
type joinMeCall struct {
	Addr string `json:"addr,omitempty"` // empty: where the call came from
}

// meetReply answers openForm and openJoinMe.
type meetReply struct {
	Busy bool   `json:"busy,omitempty"`
	Text string `json:"text,omitempty"` // an error that trying again does not mend
	Code string `json:"code,omitempty"`
}

func encode(x any) []byte {
	data, err := json.Marshal(x)
	if err != nil {
		panic("consensus: " + err.Error()) // plain data of this file
	}
	return data
}

func decode[T any](data []byte) (T, error) {
	var x T
	if err := json.Unmarshal(data, &x); err != nil {
		return x, fmt.Errorf("consensus: malformed message: %w", err)
	}
	return x, nil
}

// call makes one call to a member and decodes the answer.
func call[T any](ctx context.Context, c *Consensus, node topology.NodeID, kind uint8, req any) (T, error) {
	data, err := c.bus.Call(ctx, string(node), kind, encode(req))
	if err != nil {
		var zero T
		return zero, err
	}
	return decode[T](data)
}

// answering wraps a handler of decoded requests.
func answering[Q, R any](h func(from bus.Peer, q Q) (R, error)) func(bus.Peer, []byte) ([]byte, error) {
	return func(from bus.Peer, req []byte) ([]byte, error) {
		q, err := decode[Q](req)
		if err != nil {
			return nil, err
		}
		r, err := h(from, q)
		if err != nil {
			return nil, err
		}
		return encode(r), nil
	}
}

// handle sets all handlers of this package at the bus; unhandle takes them away.
func (c *Consensus) handle() {
	c.bus.Handle(bus.ProtoView, c.serveStream)
	c.bus.HandleRPC(callPropose, c.onPropose)
	c.bus.HandleRPC(callFresh, answering(c.onFresh))
	c.bus.HandleRPC(callAwait, answering(c.onAwait))
	c.bus.HandleRPC(callStatus, answering(c.onStatus))
	c.bus.HandleRPC(callEnlist, answering(c.onEnlist))
	c.bus.HandleRPC(callRetire, answering(c.onRetire))
	c.bus.HandleRPC(callView, answering(c.onView))
	c.bus.HandleRPC(callPlace, answering(c.onPlace))
	c.bus.HandleOpen(openInfo, answering(c.onInfo))
	c.bus.HandleOpen(openForm, answering(c.onForm))
	c.bus.HandleOpen(openJoinMe, answering(c.onJoinMe))
	c.bus.HandleOpen(openJoin, answering(c.onJoin))
}

func (c *Consensus) unhandle() {
	c.bus.Handle(bus.ProtoView, nil)
	for k := callPropose; k <= callPlace; k++ {
		c.bus.HandleRPC(k, nil)
	}
	for k := openInfo; k <= openJoin; k++ {
		c.bus.HandleOpen(k, nil)
	}
}

var errBusyNode = errors.New("consensus: the node is busy joining")
