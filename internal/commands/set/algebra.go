package set

import (
	"cmp"
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// operation combines open sets, of which some may not exist, into a set whose members it
// emits, each once, until emit returns false.
type operation struct {
	run func(sets []engine.Set, emit func(member []byte) bool)
	// cost returns about how many members run looks at.
	cost func(sets []engine.Set) int
	// like returns the encoding that the stored result begins with.
	like func(sets []engine.Set) engine.Encoding
}

var (
	intersection = operation{intersect, intersectCost, likeSmallest}
	union        = operation{unite, uniteCost, likeIntset}
	difference   = operation{subtract, subtractCost, likeIntset}
)

// open opens the keys of the n arguments from first on; a wrong type among them fails.
func open(c *command.Ctx, first, n int) ([]engine.Set, error) {
	sets := make([]engine.Set, n)
	for i := range sets {
		if _, err := openRead(c, &sets[i], first+i); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// probe is what it costs about to ask s for a member: a listpack is walked.
func probe(s *engine.Set) int {
	if s.Exists() && s.Encoding() == engine.EncListpack {
		return 1 + s.Len()/16
	}
	return 1
}

// replied replies with the result of op on the keys from argument 1 on.
func replied(op operation) command.Handler {
	return func(c *command.Ctx) error {
		r := startReply(c)
		if c.Slow(len(c.Args), 0) {
			return command.ErrSlow
		}
		sets, err := open(c, 1, len(c.Args)-1)
		if err != nil {
			return err
		}
		fits := !c.Slow(op.cost(sets), 0)
		if fits {
			op.run(sets, func(member []byte) bool {
				fits = r.add(member)
				return fits
			})
		}
		if !fits {
			return r.slow()
		}
		r.end()
		return nil
	}
}

// stored makes the result of op on the keys from argument 2 on the value of the key at
// argument 1; an empty one deletes it. The result is collected first, since the target
// may be one of the sources.
func stored(op operation, event string) command.Handler {
	return func(c *command.Ctx) error {
		r := startReply(c)
		if c.Slow(len(c.Args), 0) {
			return command.ErrSlow
		}
		sets, err := open(c, 2, len(c.Args)-2)
		if err != nil {
			return err
		}
		if c.Slow(op.cost(sets), 0) {
			return r.slow()
		}
		var members engine.Members
		fits := true
		op.run(sets, func(member []byte) bool {
			members.Add(member)
			fits = !c.Slow(members.Len(), members.Bytes())
			return fits
		})
		if !fits {
			return r.slow()
		}
		return store(c, &members, op.like(sets), event)
	}
}

func store(c *command.Ctx, members *engine.Members, like engine.Encoding, event string) error {
	slot, key := c.Slot(1), c.Args[1]
	if members.Len() == 0 {
		if c.DB.Delete(slot, key) {
			c.Changed(1)
			c.Notify(command.NotifyGeneric, "del", 1)
		}
		c.Out.Int(0)
		return nil
	}
	gone, err := c.DB.StoreSet(slot, key, members, like)
	if gone {
		c.Changed(1)
		c.Notify(command.NotifyGeneric, "del", 1)
		c.Effect(slot, wordDel, key)
		c.TouchIn(c.DB.DB(), 1)
	}
	if err != nil {
		return err
	}
	c.Changed(1)
	c.Notify(command.NotifySet, event, 1)
	c.Out.Int(int64(members.Len()))
	return nil
}

// intersect walks the smallest set and asks the others, smaller ones first.
func intersect(sets []engine.Set, emit func(member []byte) bool) {
	slices.SortStableFunc(sets, func(a, b engine.Set) int { return cmp.Compare(a.Len(), b.Len()) })
	sets[0].Each(func(member []byte) bool {
		for i := 1; i < len(sets); i++ {
			if !sets[i].Has(member) {
				return true
			}
		}
		return emit(member)
	})
}

func intersectCost(sets []engine.Set) int {
	least, probes := sets[0].Len(), 0
	for i := range sets {
		least = min(least, sets[i].Len())
		probes += probe(&sets[i])
	}
	return product(least, probes)
}

// likeSmallest is for sets in the order of intersect (Redis 7.2, t_set.c,
// sinterGenericCommand).
func likeSmallest(sets []engine.Set) engine.Encoding {
	if !sets[0].Exists() {
		return engine.EncIntset
	}
	return sets[0].Encoding()
}

func likeIntset([]engine.Set) engine.Encoding { return engine.EncIntset }

// probedSets is up to how many sets unite asks those before instead of remembering what
// it has emitted.
const probedSets = 4

func unite(sets []engine.Set, emit func(member []byte) bool) {
	var seen map[string]struct{}
	if len(sets) > probedSets {
		seen = make(map[string]struct{})
	}
	goOn := true
	for i := 0; i < len(sets) && goOn; i++ {
		sets[i].Each(func(member []byte) bool {
			if seen == nil {
				for j := range i {
					if sets[j].Has(member) {
						return true
					}
				}
			} else {
				if _, ok := seen[string(member)]; ok {
					return true
				}
				seen[string(member)] = struct{}{}
			}
			goOn = emit(member)
			return goOn
		})
	}
}

func uniteCost(sets []engine.Set) int {
	cost, probes := 0, 1
	for i := range sets {
		cost += product(sets[i].Len(), probes)
		if len(sets) <= probedSets {
			probes += probe(&sets[i])
		}
	}
	return cost
}

// subtract asks the other sets for each member of the first, bigger ones first, or takes
// the members of the others out of a copy of the first, whichever looks at fewer members
// (Redis 7.2, t_set.c, sunionDiffGenericCommand).
func subtract(sets []engine.Set, emit func(member []byte) bool) {
	first, others := &sets[0], sets[1:]
	if !first.Exists() {
		return
	}
	if asking, removing := subtractWork(sets); asking > removing {
		subtractCopy(first, others, emit)
		return
	}
	slices.SortStableFunc(others, func(a, b engine.Set) int { return cmp.Compare(b.Len(), a.Len()) })
	first.Each(func(member []byte) bool {
		for i := range others {
			if others[i].Has(member) {
				return true
			}
		}
		return emit(member)
	})
}

func subtractCopy(first *engine.Set, others []engine.Set, emit func(member []byte) bool) {
	left := make(map[string]struct{}, first.Len())
	first.Each(func(member []byte) bool {
		left[string(member)] = struct{}{}
		return true
	})
	for i := range others {
		others[i].Each(func(member []byte) bool {
			delete(left, string(member))
			return len(left) > 0
		})
	}
	first.Each(func(member []byte) bool {
		if _, ok := left[string(member)]; ok {
			return emit(member)
		}
		return true
	})
}

// subtractWork weighs the two ways; asking counts half, since it often stops early.
func subtractWork(sets []engine.Set) (asking, removing int) {
	probes := 1
	for i := range sets {
		removing += sets[i].Len()
		if i > 0 {
			probes += probe(&sets[i])
		}
	}
	return product(sets[0].Len(), probes) / 2, removing
}

func subtractCost(sets []engine.Set) int {
	if !sets[0].Exists() {
		return 0
	}
	asking, removing := subtractWork(sets)
	return min(2*asking, removing)
}

// product multiplies two costs as far as they go.
func product(a, b int) int {
	if a > 0 && b > (1<<40)/a {
		return 1 << 40
	}
	return a * b
}

var (
	errManyKeys = resp.NewError("ERR Number of keys can't be greater than number of args")
	errLimit    = resp.NewError("ERR LIMIT can't be negative")
)

// sintercard counts the intersection, up to LIMIT.
func sintercard(c *command.Ctx) error {
	n, err := c.NumKeys(1)
	switch {
	case err != nil:
		return err
	case n > int64(len(c.Args)-2):
		return errManyKeys
	}
	limit := int64(0)
	for i := int(n) + 2; i < len(c.Args); i += 2 {
		if !command.Is(c.Args[i], "limit") || i+1 == len(c.Args) {
			return resp.ErrSyntax
		}
		var ok bool
		if limit, ok = command.ParseInt(c.Args[i+1]); !ok || limit < 0 {
			return errLimit
		}
	}
	r := startReply(c)
	if c.Slow(int(n), 0) {
		return command.ErrSlow
	}
	sets, err := open(c, 2, int(n))
	if err != nil {
		return err
	}
	if c.Slow(intersectCost(sets), 0) {
		return r.slow()
	}
	found := int64(0)
	intersect(sets, func([]byte) bool {
		found++
		return found != limit
	})
	c.Out.Int(found)
	return nil
}
