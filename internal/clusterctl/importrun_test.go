package clusterctl

import (
	"errors"
	"testing"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
)

// A primary that is emptied has a replica that is empty too, if one can take over.
func TestFlushReachesAReplica(t *testing.T) {
	w := fakecluster.Formed(t, 1, 2)
	c := dial(t)
	p := w.Node(0)
	r := &importRun{p: &Import{seed: p.Addr}, c: c}
	flush := func() error {
		p.SetKeys(5)
		return r.flush(t.Context(), p.Addr)
	}
	if err := flush(); err != nil {
		t.Error(err)
	}
	w.Node(1).Unlink()
	if err := flush(); err != nil {
		t.Errorf("one of two follows: %v", err)
	}
	w.Node(2).Unlink()
	if err := flush(); !errors.Is(err, ErrTimeout) {
		t.Errorf("none follows: %v", err)
	}
	w.Node(1).Fail()
	w.Node(2).Fail()
	if err := flush(); err != nil {
		t.Errorf("none can take over: %v", err)
	}
}
