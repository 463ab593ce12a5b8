package consensus

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/redwingdb/redwing/internal/topology"
)

// fsm is raft's state machine: the View as this node's own log has it. What is published
// may be ahead of it, by the View stream. raft calls it from one goroutine.
type fsm struct {
	publish func(next *topology.View, prev uint64, entry []byte)
	mu      struct {
		sync.Mutex
		view *topology.View
	}
}

// applied is what an entry came to.
type applied struct {
	index uint64 // of the entry, or of its first application
	err   error
}

func newFSM(publish func(*topology.View, uint64, []byte)) *fsm {
	f := &fsm{publish: publish}
	f.mu.view = topology.NewView()
	return f
}

func (f *fsm) view() *topology.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.view
}

func (f *fsm) step(index uint64, e topology.Entry, data []byte) error {
	prev := f.view()
	next, err := topology.Apply(prev, index, e)
	f.mu.Lock()
	f.mu.view = next
	f.mu.Unlock()
	if next != prev && next.Formed() {
		f.publish(next, prev.Index, data)
	}
	return err
}

// Apply implements raft.FSM.
func (f *fsm) Apply(log *raft.Log) any {
	if log.Type != raft.LogCommand {
		return nil
	}
	e, err := topology.DecodeEntry(log.Data)
	if err != nil {
		return applied{index: log.Index, err: err}
	}
	err = f.step(log.Index, e, log.Data)
	index := log.Index
	if first, _, ok := f.view().Outcome(e.RequestID()); ok {
		index = first
	}
	return applied{index: index, err: err}
}

// StoreConfiguration implements raft.ConfigurationStore: the View shows the voters.
func (f *fsm) StoreConfiguration(index uint64, c raft.Configuration) {
	if !f.view().Formed() {
		return // the bootstrap; FormCluster names the first voter
	}
	e := topology.SetVoters{Voters: votersOf(c)}
	f.step(index, e, topology.EncodeEntry(e))
}

func votersOf(c raft.Configuration) []topology.NodeID {
	var out []topology.NodeID
	for _, s := range c.Servers {
		if s.Suffrage == raft.Voter {
			out = append(out, nodeOf(s.ID))
		}
	}
	return out
}

// nodeOf takes the node id out of a raft id ("id/incarnation").
func nodeOf(id raft.ServerID) topology.NodeID {
	node, _, _ := strings.Cut(string(id), "/")
	return topology.NodeID(node)
}

// Snapshot implements raft.FSM; a View is immutable, so it costs nothing.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) { return snapshot{f.view()}, nil }

// maxViewBytes bounds a View on the wire and on disk.
const maxViewBytes = 64 << 20

// Restore implements raft.FSM.
func (f *fsm) Restore(r io.ReadCloser) error {
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxViewBytes+1))
	if err != nil {
		return err
	}
	if len(data) > maxViewBytes {
		return fmt.Errorf("consensus: snapshot of more than %d bytes", maxViewBytes)
	}
	v, err := topology.DecodeView(data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.mu.view = v
	f.mu.Unlock()
	if v.Formed() {
		f.publish(v, 0, nil)
	}
	return nil
}

type snapshot struct{ view *topology.View }

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(topology.EncodeView(s.view)); err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

func (snapshot) Release() {}
