package clusterctl

import (
	"context"
	"fmt"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
)

// compare holds the cluster against the sources: numbers of keys, and the content of some.
func (r *importRun) compare(ctx context.Context, res *ImportResult) error {
	p := r.p
	var want, lasting int64
	for i := range p.sources.list {
		s := p.sources.list[i]
		now, _, err := inspect(ctx, p.from(s.Addr, r.c))
		if err != nil {
			return err
		}
		now.Keys, now.Expires = 0, 0
		now.choose(p.db)
		want, lasting = want+now.Keys, lasting+now.Keys-now.Expires
		res.Sources = append(res.Sources, ImportSource{Addr: s.Addr, Keys: now.Keys})
		if err := r.compareSome(ctx, i, res); err != nil {
			return err
		}
	}
	return r.compareCounts(ctx, want, lasting, res)
}

// compareCounts compares the numbers of keys. Those that expire may be gone on one side
// and not on the other.
func (r *importRun) compareCounts(ctx context.Context, want, lasting int64, res *ImportResult) error {
	st, err := r.c.AnyState(ctx, []string{r.p.seed})
	if err != nil {
		return err
	}
	var have, stay int64
	for _, n := range st.Primaries() {
		fields, err := r.c.Fields(ctx, n.Addr, "INFO", "keyspace")
		if err != nil {
			return err
		}
		if _, keys, expires, ok := keyspaceLine("db0:" + fields["db0"]); ok {
			have, stay = have+keys, stay+keys-expires
		}
	}
	have, stay = have-1, stay-1 // the marker
	res.Total = have
	if r.p.before == 0 && stay != lasting {
		return fmt.Errorf("the cluster has %d keys without an expiry, the source %d: it is no true copy", stay, lasting)
	}
	if have < lasting {
		return fmt.Errorf("the cluster has %d keys, the source %d: it is no true copy", have, want)
	}
	return nil
}

// compareSome compares the content of random keys, and copies those that differ once more.
func (r *importRun) compareSome(ctx context.Context, i int, res *ImportResult) error {
	p := r.p
	cmp, err := transfer.NewComparer(ctx, p.from(p.sources.list[i].Addr, r.c), p.db, r.c.targetOptions(p.seed))
	if err != nil {
		return err
	}
	defer cmp.Close()
	var different []string
	seen := map[string]bool{} // of few keys the same come again
	for range p.o.Samples {
		key, ok, err := cmp.Random()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		diff, err := cmp.Key(key)
		if err != nil {
			return err
		}
		if res.Compared++; diff != "" {
			different = append(different, key)
		}
	}
	if len(different) == 0 {
		return nil
	}
	r.flows[i].Recopy(different)
	if _, err := r.drain(ctx); err != nil {
		return err
	}
	for _, key := range different {
		diff, err := cmp.Key(key)
		if err != nil {
			return err
		}
		if diff != "" {
			return fmt.Errorf("key %.64q differs: %s", key, diff)
		}
		res.Repaired++
	}
	return nil
}
