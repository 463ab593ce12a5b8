package ctl

import (
	"testing"
	"time"

	"github.com/redwingdb/redwing/test/realnode"
)

func TestMembers(t *testing.T) {
	d := newDev(t, 3, 1, 2)
	d.up()
	replica, primary := d.fresh(6), d.fresh(7)

	d.ctl("add-node", replica, "--replica-of", d.addr(1), "--dry-run").want(t, 0, "becomes a replica")
	if _, there := d.members()[replica]; there {
		t.Fatal("a dry run has added a node")
	}
	d.ctl("add-node", replica, "--replica-of", d.addr(1), "--yes").want(t, 0)
	if m := d.members(); m[replica].Role != "replica" || m[replica].Primary != m[d.addr(1)].ID {
		t.Fatalf("members %+v", m)
	}
	d.ctl("add-node", replica, "--replica-of", d.addr(1), "--yes").want(t, 0, "nothing to do")
	d.ctl("add-node", primary, "--yes").want(t, 0)
	d.ctl("check").want(t, 0, "healthy: 8 nodes, 3 shards")

	// A replica goes, then a primary with slots and two replicas.
	d.ctl("remove-node", d.addr(5), "--yes").want(t, 0)
	d.ctl("remove-node", d.addr(1), "--yes").want(t, 0, "becomes a replica of")
	m := d.members()
	if _, there := m[d.addr(1)]; there || len(m) != 6 || m[d.addr(0)].Slots+m[d.addr(2)].Slots != 16384 {
		t.Fatalf("members %+v", m)
	}
	for _, r := range []string{replica, d.addr(4)} {
		if p := m[r].Primary; p != m[d.addr(0)].ID && p != m[d.addr(2)].ID {
			t.Errorf("%s has the primary %s", r, p)
		}
	}
	d.ctl("check").want(t, 0, "healthy: 6 nodes, 2 shards")
	ctl("-a", d.addr(1), "nodes").want(t, 0, d.addr(1)) // it is by itself, and may come back
	d.ctl("add-node", d.addr(1), "--yes").want(t, 0)

	// A dead node is taken out; one with slots is not.
	d.kill(1)
	realnode.Eventually(t, 10*time.Second, func() error {
		if r := d.ctl("check"); r.code != 3 {
			return r
		}
		return nil
	})
	d.ctl("remove-node", d.addr(1), "--yes").want(t, 0, "taken out without being reset")
	d.ctl("check").want(t, 0, "healthy: 6 nodes")
}

// Error lets eventually tell what the tool has said.
func (r result) Error() string { return r.String() }
