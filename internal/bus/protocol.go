package bus

import (
	"errors"
	"fmt"
	"net"
)

// Protocol is what a connection carries; the handshake names it.
type Protocol uint8

// The protocols of the bus.
const (
	ProtoRPC    Protocol = 1 // calls between members, one kept connection a pair and direction
	ProtoRaft   Protocol = 2 // hashicorp/raft's transport
	ProtoView   Protocol = 3 // View streams
	ProtoMove   Protocol = 4 // slot moves
	ProtoGossip Protocol = 5 // memberlist's push/pull and fallback probes
	// ProtoOpen carries single calls between nodes that need not be of one cluster: MEET
	// and what a joiner asks. The cluster and generation are not compared; the secret is.
	ProtoOpen Protocol = 6
	// ProtoMessages carries messages that clients publish to subscribers of other nodes.
	ProtoMessages Protocol = 7

	protoEnd = 8
)

func (p Protocol) String() string {
	switch p {
	case ProtoRPC:
		return "rpc"
	case ProtoRaft:
		return "raft"
	case ProtoView:
		return "view"
	case ProtoMove:
		return "move"
	case ProtoGossip:
		return "gossip"
	case ProtoOpen:
		return "open"
	case ProtoMessages:
		return "messages"
	}
	return fmt.Sprintf("proto-%d", uint8(p))
}

// Kinds of calls are one byte, shared out here so that no two packages take the same.
const (
	KindConsensus uint8 = 1  // 1..31
	KindFailover  uint8 = 32 // 32..63
	KindMigration uint8 = 64 // 64..95
	KindOther     uint8 = 96 // 96..127
)

// Identity is who this node says it is. A node of no cluster has an empty Cluster; it
// speaks ProtoOpen only.
type Identity struct {
	Node       string // at most 64 bytes
	Run        string // one life of the process
	Cluster    string // "" while the node belongs to none
	Generation uint64 // grows when a cluster is recovered by force
	Addr       string // host:port of this node's bus as others should dial it; host may be empty
}

// Peer is the verified other end of a connection.
type Peer struct {
	Node, Run  string
	Cluster    string
	Generation uint64
	Addr       string   // announced bus address; the host is the remote one if none was announced
	Remote     net.Addr // where the connection came from
}

// Reason says why a connection or a frame was dropped.
type Reason uint8

// The reasons, in the order of Dropped.
const (
	DropMalformed  Reason = iota // no handshake of ours, or a broken one
	DropVersion                  // a version of the handshake that we do not speak
	DropCluster                  // another cluster, or none
	DropGeneration               // another generation of this cluster
	DropNode                     // meant for another node, or from ourselves
	DropAuth                     // the secret is not known to the other side
	DropProtocol                 // a protocol that nobody handles here
	DropTimeout                  // the handshake was not finished in time
	DropOverload                 // too many connections at once
	DropFrame                    // a malformed or over-long frame after the handshake
	reasonEnd
)

var reasonNames = [reasonEnd]string{
	"malformed", "version", "cluster", "generation", "node", "auth", "protocol", "timeout", "overload", "frame",
}

func (r Reason) String() string {
	if r < reasonEnd {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// Errors of the bus.
var (
	// ErrClosed is returned when the bus has been closed.
	ErrClosed = errors.New("bus: closed")
	// ErrUnknownNode is returned when no address of a node is known.
	ErrUnknownNode = errors.New("bus: no address known")
	// ErrNoCluster is returned when a node without a cluster dials a member protocol.
	ErrNoCluster = errors.New("bus: this node belongs to no cluster")
	// ErrHandshake is returned when the other side sent no valid handshake.
	ErrHandshake = errors.New("bus: malformed handshake")
	// ErrLost is returned by a call whose connection went away; its outcome is unknown.
	ErrLost = errors.New("bus: connection lost")
	// ErrBusy is returned when a peer's queue of calls is full.
	ErrBusy = errors.New("bus: peer is busy")
	// ErrNoHandler is returned when the called node does not handle the kind.
	ErrNoHandler = errors.New("bus: no handler")
)

// RefusedError is returned by Dial and Call when the other side answered the handshake
// with a refusal.
type RefusedError struct {
	Node   string
	Reason Reason
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("bus: node %s refused the connection: %s", e.Node, e.Reason)
}

// RemoteError carries the text of an error that the called node's handler returned.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }
