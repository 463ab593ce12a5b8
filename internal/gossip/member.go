package gossip

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Member is what a node tells of itself; it does not change within a run.
type Member struct {
	Node string `json:"n"`
	Run  string `json:"r"`
	Addr string `json:"a"` // of its bus, host:port
	Zone string `json:"z,omitempty"`
}

// EventKind says what gossip believes to have happened.
type EventKind string

// The kinds of events.
const (
	Join   EventKind = "join"
	Leave  EventKind = "leave" // said goodbye, or believed dead
	Update EventKind = "update"
)

// Event is a hint about a member.
type Event struct {
	Kind   EventKind
	Member Member
}

// ErrMeta is returned for metadata that is malformed or too long.
var ErrMeta = errors.New("gossip: malformed metadata")

// encode cuts the zone, which is for eyes, to what fits.
func (m Member) encode(limit int) ([]byte, error) {
	for {
		b, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		if len(b) <= limit {
			return b, nil
		}
		if m.Zone == "" {
			return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMeta, len(b), limit)
		}
		m.Zone = m.Zone[:len(m.Zone)/2]
	}
}

func decodeMember(b []byte) (Member, error) {
	var m Member
	if err := json.Unmarshal(b, &m); err != nil || m.Node == "" || m.Run == "" {
		return Member{}, ErrMeta
	}
	return m, nil
}
