package consensus

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/topology"
)

// The files of a node's cluster directory (docs/format/cluster-dir.md).
const (
	stateFile = "node.json"
	viewFile  = "view.json"
	raftDir   = "raft"
	memberTag = "member" // inside raftDir: the raft id the stores belong to
)

// phase is where a node stands between being alone and being a member.
//
//	"" --Form--> forming --FormCluster applied--> ""
//	"" --Join--> joining --JoinNode committed, or refused--> ""
type phase string

const (
	phaseNone    phase = ""
	phaseForming phase = "forming"
	phaseJoining phase = "joining"
)

// state is what a node must remember of itself. It is small, and replaced as a whole.
type state struct {
	Version     int             `json:"version"`
	Node        topology.NodeID `json:"node"`
	Incarnation uint64          `json:"incarnation"`
	// Shard is the id of the shard the node forms or joins with.
	Shard      topology.ShardID `json:"shard"`
	Cluster    string           `json:"cluster,omitempty"`
	Generation uint64           `json:"generation,omitempty"`
	Phase      phase            `json:"phase,omitempty"`
	// Member tells that this node keeps raft stores for Cluster.
	Member bool      `json:"member,omitempty"`
	Join   *joinMark `json:"join,omitempty"`
	// Dissolved are the last clusters that ended with this node, their one member, joining
	// another: who was about to join them is told.
	Dissolved []string `json:"dissolved,omitempty"`
}

const maxDissolved = 16

// dissolve notes the end of a cluster.
func (s *state) dissolve(cluster string) {
	if cluster == "" {
		return
	}
	all := append(slices.Clone(s.Dissolved), cluster)
	s.Dissolved = all[max(0, len(all)-maxDissolved):]
}

// joinMark is a join whose fate may be unknown.
type joinMark struct {
	Cluster    string          `json:"cluster"`
	Generation uint64          `json:"generation"`
	Addrs      []string        `json:"addrs"` // bus addresses of members, the seed first
	Entry      json.RawMessage `json:"entry"` // the JoinNode entry; sent again, it is applied once
}

const stateVersion = 1

func randomHex(digits int) string {
	b := make([]byte, digits/2)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// NewRunID draws the name of one life of a process.
func NewRunID() topology.RunID { return topology.RunID(randomHex(16)) }

func freshState() state {
	return state{Version: stateVersion, Node: topology.NodeID(randomHex(40)), Incarnation: 1, Shard: topology.ShardID(randomHex(40))}
}

// loadState reads the state file, or draws a new identity and writes it.
func loadState(dir string) (state, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return state{}, err
	}
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		s := freshState()
		return s, s.save(dir)
	}
	if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return state{}, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case s.Version != stateVersion:
		return state{}, fmt.Errorf("%s: version %d is not known", path, s.Version)
	case !s.Node.Valid() || !s.Shard.Valid() || s.Incarnation == 0:
		return state{}, fmt.Errorf("%s: malformed identity", path)
	case s.Phase == phaseJoining && s.Join == nil:
		return state{}, fmt.Errorf("%s: joining, but not where", path)
	}
	return s, nil
}

func (s *state) save(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, stateFile), append(data, '\n'))
}

// raftID is the node's name in raft's configuration.
func (s *state) raftID() string {
	n := topology.Node{ID: s.Node, Incarnation: s.Incarnation}
	return n.RaftID()
}

// replaceFile writes a file so that a crash leaves the old one or the new one whole.
func replaceFile(path string, data []byte) error {
	return disk.Replace(disk.OS{}, path, path+".tmp", 0o644, func(f disk.File) error {
		_, err := f.Write(data)
		return err
	})
}

// loadView reads the View this node had last; nil when there is none of this cluster. A
// View that does not read is not fatal: it comes again over the stream.
func loadView(dir string, s *state) (*topology.View, error) {
	data, err := os.ReadFile(filepath.Join(dir, viewFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := topology.DecodeView(data)
	if err != nil {
		return nil, err
	}
	if v.ClusterID != s.Cluster || v.Generation != s.Generation {
		return nil, nil
	}
	return v, nil
}
