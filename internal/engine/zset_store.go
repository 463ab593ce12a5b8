package engine

import (
	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/engine/zset"
)

// ZEntry is a member and its score.
type ZEntry struct {
	Member []byte
	Score  float64
}

// Store makes the key, whatever it holds, the sorted set of entries, without an expiry;
// no entries remove it. They are in ascending order of (score, member), each member once,
// and may lie in this keyspace, in the present value too. The encoding is the smallest
// that Limits allow. On error nothing has changed but that the key may be gone. The
// handle need not be open for a sorted set: Value.Open will do.
func (z *ZSet) Store(entries []ZEntry) error {
	l := z.Limits()
	longest, total := 0, 0
	for i := range entries {
		longest = max(longest, len(entries[i].Member))
		total += len(entries[i].Member) + 2*double.MaxBytes
	}
	switch {
	case len(entries) == 0:
		z.clear()
		return nil
	case len(entries) > l.ZSetEntries || longest > l.ZSetValue || total > listpack.MaxBytes:
		root, err := z.buildTree(func(e *Elements, t *zset.Tree) error {
			for i := range entries {
				if err := appendMember(e, t, entries[i].Member, entries[i].Score); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		z.clear()
		if err = z.Plant(TypeZSet, EncSkiplist, root); err != nil {
			z.abandon(root)
		}
		return err
	}
	lp := listpack.New(nil)
	for i := range entries {
		lp = appendPair(lp, entries[i].Member, entries[i].Score)
	}
	z.clear()
	return z.Create(TypeZSet, EncListpack, lp)
}

func (z *ZSet) clear() {
	if z.Exists() {
		z.Value.Remove()
	}
}
