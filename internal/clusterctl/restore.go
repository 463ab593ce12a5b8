package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/slots"
)

// RestoreOptions say what becomes of keys that the cluster has already.
type RestoreOptions struct {
	Merge   bool // the cluster may have keys
	Replace bool // those of the backup take the place of keys of the same name; else they are left out
}

// Restore is the plan of a restoring, and what came of it.
type Restore struct {
	Plan
	Result *RestoreResult `json:"result,omitempty"`

	o         RestoreOptions
	fsys      disk.FS
	seed, dir string
	manifest  *Manifest
	id        string
	left      *restoreMark // what one that was interrupted has left; nil: nothing
}

// RestoreResult sums a restoring up.
type RestoreResult struct {
	Keys     int64 `json:"keys"`          // in the backup
	Kept     int64 `json:"keys_kept"`     // of them the cluster had already, and kept its own
	Skipped  int64 `json:"keys_skipped"`  // an interrupted restore had written them: they are the same
	Compared int64 `json:"keys_compared"` // their content was read back in the end
	Total    int64 `json:"cluster_keys"`  // of the cluster afterwards

	Notes []string `json:"notes,omitempty"`
}

// Print writes the plan for people, or with its result as JSON.
func (r *Restore) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		return PrintJSON(w, r)
	}
	return r.Plan.Print(w, false)
}

// PlanRestore makes the plan that reads the backup in dir into the cluster of seed,
// whatever its layout: each key goes to the owner of its slot.
func PlanRestore(ctx context.Context, c *Conns, fsys disk.FS, seed, dir string, o RestoreOptions) (*Restore, error) {
	if o.Replace && !o.Merge {
		return nil, fmt.Errorf("%w: --replace goes with --merge", ErrUsage)
	}
	m, err := ReadManifest(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: --from: there is no folder %s", ErrUsage, dir)
	}
	if err != nil {
		return nil, err
	}
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	if covered := st.Covered(); covered.Len() != slots.Count {
		return nil, fmt.Errorf("%d of %d slots of the cluster have no owner", slots.Count-covered.Len(), slots.Count)
	}
	r := &Restore{Plan: Plan{Title: "restore the backup " + dir + " into the cluster of " + seed}, o: o, fsys: fsys, seed: seed, dir: dir, manifest: m, id: m.id()}
	if err := r.planKeys(ctx, c, st); err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, fmt.Sprintf("the backup is of cluster %s at %s; all of it is checked before the first key is written", shortID(m.Cluster), m.Created.Format("2006-01-02 15:04:05 MST")))
	for i := range m.Shards {
		s := &m.Shards[i]
		r.Steps = append(r.Steps, Step{Action: Load, Node: s.File, Target: seed, Keys: s.Keys, Bytes: s.Bytes})
	}
	return r, nil
}

// planKeys decides what becomes of the keys that the cluster has.
func (r *Restore) planKeys(ctx context.Context, c *Conns, st *State) error {
	keys, err := c.countKeys(ctx, st)
	if err != nil {
		return err
	}
	if r.left, err = c.restoreMark(ctx, st); err != nil {
		return err
	}
	if r.left != nil {
		if why := r.left.mayFollow(r.id, r.o); why != "" {
			return errors.New(why)
		}
		keys--
	}
	switch {
	case r.continues():
		r.Notes = append(r.Notes, fmt.Sprintf("a restore of this backup was interrupted: it goes on; the %d keys that the cluster has are compared with the backup first, and skipped", keys))
	case keys == 0:
	case r.o.Replace:
		r.Notes = append(r.Notes, fmt.Sprintf("the cluster has %d keys: those that the backup has too are replaced, the others stay", keys))
	case r.o.Merge:
		r.Notes = append(r.Notes, fmt.Sprintf("the cluster has %d keys, which all stay; keys of the backup that it has already are left out", keys))
	default:
		marker, err := c.marker(ctx, st)
		if err != nil {
			return err
		}
		if marker != "" {
			return fmt.Errorf("the cluster has what an import has left that was not finished (%s): finish that one, or empty the cluster (FLUSHALL on each primary)", marker)
		}
		return fmt.Errorf("the cluster has %d keys: restore into an empty one, or say --merge (they stay) or --merge --replace (those that the backup has too are replaced)", keys)
	}
	return nil
}

// continues: what was begun into an empty cluster goes on.
func (r *Restore) continues() bool { return r.left != nil && !r.o.Merge }

// Apply restores the backup. Interrupted, it has restored a part; the same restore goes on.
func (r *Restore) Apply(ctx context.Context, c *Conns, pr Progress) error {
	if _, err := VerifyBackup(ctx, r.fsys, r.dir, pr); err != nil {
		return err
	}
	for i, s := range r.Steps {
		pr.Step(i, len(r.Steps), s)
	}
	run := newRestoreRun(r, c, pr)
	err := run.run(ctx)
	pr.Done()
	return err
}

// targetOptions returns how to write to the cluster of seed.
func (c *Conns) targetOptions(seed string) transfer.TargetOptions {
	known := []string{seed}
	return transfer.TargetOptions{
		Endpoint: c.endpoint(seed),
		// It is called by one goroutine at a time.
		Layout: func(ctx context.Context) ([]transfer.Owner, error) {
			st, err := c.AnyState(ctx, known)
			if err != nil {
				return nil, err
			}
			known = st.addrs()
			var out []transfer.Owner
			for _, n := range st.Primaries() {
				if n.Slots.Empty() {
					continue
				}
				out = append(out, transfer.Owner{Addr: dialAddr(n.Addr), Slots: n.Slots, Replicated: st.followed(n)})
			}
			return out, nil
		},
	}
}

// noFollower says of a primary that its replicas have not confirmed what was written.
func noFollower(addr string) string {
	return addr + " has no replica that follows: keep it alive until one does"
}

// followed reports whether a primary has a replica that can take over.
func (s *State) followed(n *Node) bool {
	return slices.ContainsFunc(s.ReplicasOf(n.ID), func(r *Node) bool { return !r.Failed() })
}
