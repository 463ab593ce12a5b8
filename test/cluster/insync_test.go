package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/test/realnode"
)

// inSyncView is what a node says of synchronous writes.
type inSyncView struct {
	run    string // of the process that was asked
	shards map[string]inSyncSet
}

// inSyncSet is the in-sync set of a shard in the View of a node.
type inSyncSet struct {
	term, version uint64
	runs          []string
}

func (s inSyncSet) compare(o inSyncSet) int {
	return cmp.Or(cmp.Compare(s.term, o.term), cmp.Compare(s.version, o.version))
}

// inSync asks a node for its in-sync sets.
func (p *process) inSync() (v inSyncView, err error) {
	c := redis.NewClient(&redis.Options{Addr: p.Addr, Protocol: 3, DisableIdentity: true, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: 3 * time.Second})
	defer c.Close()
	reply, err := c.Do(context.Background(), "CLUSTER", "WRITE-CONCERN").Result()
	if err != nil {
		return v, err
	}
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("%s: CLUSTER WRITE-CONCERN: %v: %v", p.Addr, broken, reply)
		}
	}()
	top := reply.(map[any]any)
	v = inSyncView{run: top["run"].(string), shards: map[string]inSyncSet{}}
	for _, x := range top["shards"].([]any) {
		fields, set := x.(map[any]any), inSyncSet{}
		if set.term, err = strconv.ParseUint(fields["term"].(string), 10, 64); err != nil {
			return v, err
		}
		if set.version, err = strconv.ParseUint(fields["set-version"].(string), 10, 64); err != nil {
			return v, err
		}
		for _, run := range fields["in-sync-runs"].([]any) {
			set.runs = append(set.runs, run.(string))
		}
		v.shards[fields["id"].(string)] = set
	}
	return v, nil
}

// awaitInSync waits until each shard has that many in-sync copies in every View: processes
// that run, not such as have been replaced.
func (n nodes) awaitInSync(t *testing.T, copies int) {
	t.Helper()
	realnode.Eventually(t, 20*time.Second, func() error {
		var views []inSyncView
		var running []string
		for _, p := range n {
			v, err := p.inSync()
			if err != nil {
				return err
			}
			views, running = append(views, v), append(running, v.run)
		}
		for i, v := range views {
			for id, set := range v.shards {
				if got := common(set.runs, running); got != copies || len(set.runs) != copies {
					return fmt.Errorf("%s sees %d copies of %d in sync in shard %s", n[i].Addr, got, len(set.runs), id)
				}
			}
		}
		return nil
	})
}

func common(a, b []string) (n int) {
	for _, x := range a {
		if slices.Contains(b, x) {
			n++
		}
	}
	return n
}

// killRedundant kills node i unless it alone has what was acknowledged in its shard, which
// none of its writes would survive. To know that, it stops the process first and puts an
// entry into the log: who has applied it has all that the stopped process can have known.
func (n nodes) killRedundant(t *testing.T, i int) (killed bool, why error) {
	t.Helper()
	self, err := n[i].inSync()
	if err != nil {
		return false, err
	}
	n[i].Signal(syscall.SIGSTOP)
	defer func() {
		if !killed {
			n[i].Signal(syscall.SIGCONT)
		}
	}()
	others := slices.Delete(slices.Clone(n), i, i+1)
	if _, err := others[0].ask("CLUSTER", "WRITE-CONCERN", "SET", "sync-timeout", 2000+time.Now().UnixNano()%50); err != nil {
		return false, err
	}
	newest := map[string]inSyncSet{}
	var running []string
	for _, p := range others {
		v, err := p.inSync()
		if err != nil {
			return false, err
		}
		running = append(running, v.run)
		for id, set := range v.shards {
			if set.compare(newest[id]) >= 0 {
				newest[id] = set
			}
		}
	}
	for id, set := range newest {
		if slices.Contains(set.runs, self.run) && common(set.runs, running) == 0 {
			return false, fmt.Errorf("it has the only in-sync copy of shard %s", id)
		}
	}
	n[i].Kill()
	return true, nil
}

// TestOutsiderBeforeEmpty: a primary that went on alone dies and comes back without its data:
// its replica, which lacks no more than was written meanwhile, takes over and keeps the rest.
func TestOutsiderBeforeEmpty(t *testing.T) {
	n, l := startLinked(t, 4)
	clusterctl(t, n[0], append([]string{"create", "--yes", "--replicas", "1"}, l.addrs(n)...)...)
	n.awaitHealthy(t)
	n[0].must("CLUSTER", "WRITE-CONCERN", "SET", "sync-writes", "always")
	n.awaitInSync(t, 2)
	primary := n.byRole(t, "master")[0]
	self, err := primary.inSync()
	if err != nil {
		t.Fatal(err)
	}
	replica := slices.IndexFunc(n, func(p *process) bool {
		link, err := p.Field("master_port", "INFO", "replication")
		return err == nil && link == strconv.Itoa(primary.announced)
	})
	c := redis.NewClient(&redis.Options{Addr: primary.Addr, Protocol: 2, MaxRetries: -1})
	defer c.Close()
	var keys []string
	for i := 0; len(keys) < 200; i++ {
		key := fmt.Sprint("key:", i)
		if err := c.Set(context.Background(), key, i, 0).Err(); err == nil {
			keys = append(keys, key)
		}
	}
	for i := range n {
		l.setCut(i, replica, true)
		l.setCut(replica, i, true)
	}
	realnode.Eventually(t, 20*time.Second, func() error {
		if _, err := primary.ask("SET", keys[0], "alone"); err != nil {
			return err
		}
		v, err := primary.inSync()
		if err != nil {
			return err
		}
		for _, set := range v.shards {
			if len(set.runs) == 1 && set.runs[0] == self.run {
				return nil
			}
		}
		return fmt.Errorf("the replica that is cut off is still in sync")
	})
	primary.Kill()
	l.mend()
	primary.Start()
	l.started(slices.Index(n, primary), primary)
	primary.AwaitLoaded()
	n.awaitInSync(t, 2)
	for _, key := range keys[1:] {
		realnode.Eventually(t, 5*time.Second, func() error { // its lease may be on its way
			got, err := n[replica].ask("GET", key)
			if (err == nil || errors.Is(err, redis.Nil)) && "key:"+got != key {
				t.Fatalf("%s is %q, %v", key, got, err)
			}
			return err
		})
	}
}
