package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/slots"
)

// Backup is the plan of a backup, and what came of it.
type Backup struct {
	Plan
	Result *Manifest `json:"result,omitempty"`

	seed, dir string
	fsys      disk.FS
	version   string
	primaries []string // of the shards, in the order of the steps
	sizes     []int64  // keys of the shards as the plan found them
}

// Print writes the plan for people, or with its result as JSON.
func (b *Backup) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		return PrintJSON(w, b)
	}
	return b.Plan.Print(w, false)
}

// PlanBackup makes the plan that writes the data of the cluster of seed into the folder
// dir: one RDB a shard, read as a replica reads it from a healthy replica if there is one,
// else from the primary. dir is made if it is missing; it must not hold a backup.
func PlanBackup(ctx context.Context, c *Conns, fsys disk.FS, seed, dir string) (*Backup, error) {
	st, bs, err := survey(ctx, c, seed)
	if err != nil {
		return nil, err
	}
	if len(bs.jobs) > 0 {
		return nil, fmt.Errorf("slots are moving: wait (clusterctl migrations --watch) or cancel that first")
	}
	if covered := st.Covered(); covered.Len() != slots.Count {
		return nil, fmt.Errorf("%d of %d slots have no owner: there would be no whole backup", slots.Count-covered.Len(), slots.Count)
	}
	if err := mayHoldBackup(fsys, dir); err != nil {
		return nil, err
	}
	b := &Backup{Plan: Plan{Title: "back the cluster up into " + dir, basis: bs}, seed: seed, dir: dir, fsys: fsys}
	info, err := c.Fields(ctx, seed, "INFO", "server")
	if err != nil {
		return nil, err
	}
	b.version = info["redwing_version"]
	names := map[string]bool{}
	for _, p := range st.Primaries() {
		if p.Slots.Empty() {
			continue
		}
		from := c.bestCopy(ctx, st, p)
		shard, err := c.Text(ctx, p.Addr, "CLUSTER", "MYSHARDID")
		if err != nil {
			return nil, err
		}
		keys, err := c.Do(ctx, from.Addr, "DBSIZE")
		if err != nil {
			return nil, err
		}
		n, _ := keys.(int64)
		b.sizes, b.primaries = append(b.sizes, n), append(b.primaries, p.Addr)
		file := "shard-" + shortID(shard) + ".rdb"
		if names[file] {
			file = "shard-" + shard + ".rdb"
		}
		names[file] = true
		b.Steps = append(b.Steps, Step{
			Action: Save, Node: from.Addr, NodeID: from.ID, Target: file, TargetID: shard,
			Slots: p.Slots.String(), Count: p.Slots.Len(),
		})
		if from.IsPrimary() && len(st.ReplicasOf(p.ID)) > 0 {
			b.Notes = append(b.Notes, p.Addr+" has no replica in good health: it is read itself")
		}
	}
	b.Notes = append(b.Notes, "each file is its shard at one instant; the instants of the shards differ")
	return b, nil
}

// mayHoldBackup refuses a folder that holds a backup already, or cannot be made.
func mayHoldBackup(fsys disk.FS, dir string) error {
	info, err := fsys.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := fsys.Stat(filepath.Dir(dir)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: --to: there is no folder %s to make %s in", ErrUsage, filepath.Dir(dir), filepath.Base(dir))
		}
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%w: --to: %s is no folder", ErrUsage, dir)
	}
	_, err = fsys.Stat(filepath.Join(dir, manifestName))
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s holds a backup already: name another folder, or delete that one", ErrUsage, dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// bestCopy returns the replica of p that is farthest, of those that follow it, or p.
func (c *Conns) bestCopy(ctx context.Context, st *State, p *Node) *Node {
	best, far := p, int64(-1)
	for _, r := range st.ReplicasOf(p.ID) {
		if r.Failed() {
			continue
		}
		info, err := c.Fields(ctx, r.Addr, "INFO", "replication")
		if err != nil || info["master_link_status"] != "up" {
			continue
		}
		if at := number(info["slave_repl_offset"]); at > far {
			best, far = r, at
		}
	}
	return best
}

// Apply makes the backup. The manifest is written last, so that what was interrupted is
// no backup; run again into the same folder, all of it is made anew.
func (b *Backup) Apply(ctx context.Context, c *Conns, pr Progress) error {
	if err := b.basis.holds(ctx, c); err != nil {
		return err
	}
	if err := b.fsys.Mkdir(b.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for i, s := range b.Steps {
		pr.Step(i, len(b.Steps), s)
	}
	var all int64
	for _, n := range b.sizes {
		all += n
	}
	m := &Manifest{Format: manifestFormat, Version: b.version, Shards: make([]ShardBackup, len(b.Steps))}
	clusters := make([]string, len(b.Steps))
	errs := make([]error, len(b.Steps))
	var keys, bytes atomic.Int64
	show := watchProgress(pr, func() (float64, string) {
		k := keys.Load()
		return share64(k, all), fmt.Sprintf("%d of about %d keys, %s written", k, all, bytesText(bytes.Load()))
	})
	each(len(b.Steps), func(i int) {
		var lastKeys, lastBytes int64
		if errs[i] = c.caughtUp(ctx, b.Steps[i].Node, b.primaries[i]); errs[i] != nil {
			return
		}
		m.Shards[i], clusters[i], errs[i] = b.save(ctx, c, b.Steps[i], func(bs, ks int64) {
			keys.Add(ks - lastKeys)
			bytes.Add(bs - lastBytes)
			lastKeys, lastBytes = ks, bs
		})
	})
	show()
	pr.Done()
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w (the same command makes the backup anew)", context.Cause(ctx))
		}
		return err
	}
	for _, id := range clusters {
		if id != clusters[0] {
			return fmt.Errorf("%w: the shards are of different clusters", ErrStalePlan)
		}
		m.Cluster = id
	}
	// A slot that has moved meanwhile may be in two files or in none.
	if err := b.basis.holds(ctx, c); err != nil {
		return err
	}
	m.Created = time.Now().UTC().Truncate(time.Millisecond)
	if err := m.write(b.fsys, b.dir); err != nil {
		return err
	}
	b.Result = m
	return nil
}

// caughtUp waits until the member at addr has all that the primary has by now, so that
// a backup holds whatever was written before it began.
func (c *Conns) caughtUp(ctx context.Context, addr, primary string) error {
	if addr == primary {
		return nil
	}
	head, err := c.Fields(ctx, primary, "INFO", "replication")
	if err != nil {
		return err
	}
	want := number(head["master_repl_offset"])
	return waitFor(ctx, c.o.Timeout, func() (bool, string, error) {
		info, err := c.Fields(ctx, addr, "INFO", "replication")
		at := number(info["slave_repl_offset"])
		return at >= want, fmt.Sprintf("%s is %d bytes behind its primary", addr, want-at), err
	})
}

// save writes one shard.
func (b *Backup) save(ctx context.Context, c *Conns, s Step, tell func(bytes, keys int64)) (out ShardBackup, cluster string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	src, err := transfer.Sync(ctx, c.endpoint(s.Node), transfer.SyncOptions{RDBOnly: true})
	if err != nil {
		return out, "", interrupted(ctx, err)
	}
	defer src.Close()
	out = ShardBackup{Shard: s.TargetID, File: s.Target, Slots: s.Slots, From: s.Node, ReplID: src.ReplID, Offset: src.Offset}
	path := filepath.Join(b.dir, s.Target)
	err = disk.Replace(b.fsys, path, s.Target+".part", 0o600, func(f disk.File) error {
		sc := newScan(src.RDB(), f)
		if err := sc.all(ctx, tell); err != nil {
			return err
		}
		if sc.mark.Shard != s.TargetID {
			return fmt.Errorf("%w: the data are those of shard %q", ErrStalePlan, sc.mark.Shard)
		}
		out.Bytes, out.SHA256, out.Keys, out.Term = sc.bytes, sc.sha256(), sc.keys, sc.mark.Term
		cluster = sc.mark.Cluster
		return nil
	})
	if err != nil {
		return out, "", interrupted(ctx, fmt.Errorf("%s: %w", s.Node, err))
	}
	return out, cluster, nil
}

// endpoint returns how transfers connect to a member.
func (c *Conns) endpoint(addr string) transfer.Endpoint {
	return transfer.Endpoint{Addr: dialAddr(addr), Password: c.o.Password, Timeout: c.o.Timeout}
}

// interrupted says that the operator has ended it, if that is why err came.
func interrupted(ctx context.Context, err error) error {
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	case errors.Is(err, transfer.ErrStalled):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// showEvery is how often progress is shown.
const showEvery = 100 * time.Millisecond

// watchProgress shows what state returns until the function that it returns is called.
func watchProgress(pr Progress, state func() (float64, string)) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(showEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				pr.Copied(state())
				return
			case <-tick.C:
				pr.Copied(state())
			}
		}
	}()
	return func() { close(end); <-done }
}
