package failover

import (
	"encoding/json"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// The calls of failover. Bodies are JSON: a renewal is 200 bytes ten times a second,
// and a field that a later version adds is skipped by an older one.
const (
	kindEcho     = bus.KindFailover + iota // leader -> voter
	kindRenew                              // primary -> leader; any node, for Down
	kindReport                             // leader or primary -> copy
	kindRelease                            // primary -> leader
	kindForce                              // replica -> leader
	kindHandover                           // replica -> its primary
)

type echoAsk struct {
	Seq      uint64 `json:"seq"`
	RaftTerm uint64 `json:"raftTerm"`
}

type echoReply struct {
	RaftTerm uint64 `json:"raftTerm"`
	Gone     []Gone `json:"gone,omitempty"`
}

// renewReply answers an Ask; Leads is false at a node that does not lead, and
// Leader is then where to ask.
type renewReply struct {
	Granted bool              `json:"granted,omitempty"`
	Leads   bool              `json:"leads,omitempty"`
	Leader  topology.NodeID   `json:"leader,omitempty"`
	Down    []topology.NodeID `json:"down,omitempty"`
}

// reportAsk asks for a Report; the answer is held back up to WaitMillis for the copy
// to reach MinOffset.
type reportAsk struct {
	Shard      topology.ShardID `json:"shard"`
	MinOffset  int64            `json:"minOffset,omitempty"`
	WaitMillis int64            `json:"waitMillis,omitempty"`
}

type handoverAsk struct {
	Shard topology.ShardID `json:"shard"`
	Term  uint64           `json:"term"`
}

// outcome answers orders: the code is of topology.ErrorCode, the text is for people.
type outcome struct {
	OK   bool   `json:"ok"`
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

func encode(x any) []byte {
	data, err := json.Marshal(x)
	if err != nil { // plain data of this package
		panic("failover: " + err.Error())
	}
	return data
}

// decode reads a request or answer; the bus bounds its size.
func decode[T any](data []byte) (x T, err error) {
	err = json.Unmarshal(data, &x)
	return x, err
}
