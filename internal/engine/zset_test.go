package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

type scored struct {
	member string
	score  float64
}

func compareScored(a, b scored) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.member, b.member))
}

// zmodel is what a sorted set should be.
type zmodel map[string]float64

func (m zmodel) sorted() []scored {
	var out []scored
	for member, score := range m {
		out = append(out, scored{member, score})
	}
	slices.SortFunc(out, compareScored)
	return out
}

// A sorted set against a sorted slice, through its encodings, renames, copies, snapshots
// and deletion; nothing is left in the arena at the end.
func TestZSetModel(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 1))
		k := newKeyspace(t, Options{Shards: 2, Seed: seed})
		k.SetLimits(Limits{ZSetEntries: int(rnd.Uint64() % 40), ZSetValue: 8})
		a := k.Access(0, 1000, ModePrimary)
		model := zmodel{}
		key := []byte("zset")
		slot := slots.Of(key)
		all := k.AllShards()
		k.Lock(all)
		scores := 2 + rnd.IntN(30)
		members := 1 + rnd.IntN(300)
		for step := range 1500 {
			if err := zsetStep(&a, slot, key, model, rnd, scores, members); err != nil {
				t.Fatalf("seed %d step %d: %v", seed, step, err)
			}
			if step%16 == 0 {
				if err := checkZSet(&a, slot, key, model, rnd, scores); err != nil {
					t.Fatalf("seed %d step %d: %v", seed, step, err)
				}
			}
		}
		for _, name := range []string{"zset", "other0", "other1", "other2", "other3"} {
			a.Delete(slots.Of([]byte(name)), []byte(name))
		}
		k.Unlock(all)
		for k.PendingFrees() > 0 {
			k.BackgroundStep(1000, 1e9)
		}
		for i := range k.shards {
			if used := k.shards[i].arena.Used(); used != 0 {
				t.Errorf("seed %d: %d bytes left in shard %d", seed, used, i)
			}
		}
	}
}

func drawScore(rnd *rand.Rand, scores int) float64 {
	switch s := rnd.IntN(scores + 2); s {
	case scores:
		return math.Inf(1)
	case scores + 1:
		return math.Inf(-1)
	default:
		return float64(s-scores/2) / 4
	}
}

func zsetStep(a *Access, slot slots.Slot, key []byte, model zmodel, rnd *rand.Rand, scores, members int) error {
	var z ZSet
	found, err := z.Open(a, slot, key)
	if err != nil || found != (len(model) > 0) || z.Len() != len(model) {
		return fmt.Errorf("found %v, %d members, want %d: %v", found, z.Len(), len(model), err)
	}
	member := fmt.Appendf(nil, "%d", rnd.IntN(members))
	if rnd.IntN(300) == 0 {
		member = append(member, "a long member"...)
	}
	score := drawScore(rnd, scores)
	old, had := model[string(member)]
	switch op := rnd.IntN(100); {
	case op < 50:
		how := ZAdd(0)
		if rnd.IntN(2) == 0 {
			how = []ZAdd{ZAddNX, ZAddXX, ZAddGT, ZAddLT, ZAddIncr, ZAddIncr | ZAddGT, ZAddXX | ZAddLT}[rnd.IntN(7)]
		}
		want, sum := ZAdded, score
		switch {
		case !had && how&ZAddXX != 0 || had && how&ZAddNX != 0:
			want = ZNone
		case had:
			if how&ZAddIncr != 0 {
				sum += old
			}
			switch {
			case math.IsNaN(sum):
				want = ZNaN
			case how&ZAddGT != 0 && !(sum > old) || how&ZAddLT != 0 && !(sum < old):
				want = ZNone
			case sum == old:
				want = ZSame
			default:
				want = ZUpdated
			}
		}
		did, got, err := z.Add(member, score, how)
		if err != nil || did != want || want != ZNone && want != ZNaN && got != sum {
			return fmt.Errorf("add %v to %s %v %v: did %d, score %v, %v; want %d, %v", score, member, old, how, did, got, err, want, sum)
		}
		if want == ZAdded || want == ZUpdated {
			model[string(member)] = sum
		}
	case op < 75:
		if z.Remove(member) != had {
			return fmt.Errorf("removal of %s, had %v", member, had)
		}
		delete(model, string(member))
	case op < 80 && found:
		from := rnd.IntN(len(model) + 1)
		to := min(len(model), from+rnd.IntN(5))
		if rnd.IntN(20) == 0 {
			from, to = 0, len(model)
		}
		for _, e := range model.sorted()[from:to] {
			delete(model, e.member)
		}
		z.RemoveRanks(from, to)
	case op < 84:
		other := fmt.Appendf(nil, "other%d", rnd.IntN(4))
		if !found {
			break
		}
		if err := a.Copy(slot, key, 0, slots.Of(other), other); err != nil {
			return err
		}
		if rnd.IntN(2) == 0 {
			return a.Rename(slots.Of(other), other, slot, key)
		}
	case op < 88:
		// The same members with other scores, some in place of others.
		for m := range model {
			if rnd.IntN(3) == 0 {
				model[m] = drawScore(rnd, scores)
			}
		}
		var entries []ZEntry
		for _, e := range model.sorted() {
			entries = append(entries, ZEntry{[]byte(e.member), e.score})
		}
		return z.Store(entries)
	default:
		got, ok := z.Score(member)
		rank, score, also := z.Rank(member)
		want := slices.Index(model.sorted(), scored{string(member), old})
		if ok != had || ok && got != old || also != had || had && (rank != want || score != old) {
			return fmt.Errorf("%s: score %v %v, rank %d; want %v %v, %d", member, got, ok, rank, old, had, want)
		}
	}
	return nil
}

func checkZSet(a *Access, slot slots.Slot, key []byte, model zmodel, rnd *rand.Rand, scores int) error {
	var z ZSet
	if _, err := z.Open(a, slot, key); err != nil {
		return err
	}
	want := model.sorted()
	if z.Exists() {
		l := z.Limits()
		if !z.Rooted() && (len(want) > l.ZSetEntries || z.Encoding() != EncListpack) || z.Rooted() && z.Encoding() != EncSkiplist {
			return fmt.Errorf("%d members are a %v", len(want), z.Encoding())
		}
	}
	i := 0
	for it := z.At(0); it.Valid(); it.Next() {
		if got := (scored{string(it.Member()), it.Score()}); i >= len(want) || got != want[i] {
			return fmt.Errorf("forward %d: %v", i, got)
		}
		i++
	}
	if i != len(want) {
		return fmt.Errorf("forward: %d members, want %d", i, len(want))
	}
	for it := z.At(len(want) - 1); it.Valid(); it.Prev() {
		i--
		if got := (scored{string(it.Member()), it.Score()}); got != want[i] {
			return fmt.Errorf("backward %d: %v", i, got)
		}
	}
	r := ScoreRange{drawScore(rnd, scores), drawScore(rnd, scores), rnd.IntN(2) == 0, rnd.IntN(2) == 0}
	from, to := z.ScoreRanks(&r)
	for i, e := range want {
		in := (e.score > r.Min || e.score == r.Min && !r.ExcludeMin) && (e.score < r.Max || e.score == r.Max && !r.ExcludeMax)
		if in != (i >= from && i < to) {
			return fmt.Errorf("range %+v is %d to %d, but %v is %d", r, from, to, e, i)
		}
	}
	var b Batch
	if e, ok := a.Entry(slot, key, &b); ok {
		_ = e.EachScored(func(member []byte, score float64) error {
			if got := (scored{string(member), score}); got != want[i] {
				return fmt.Errorf("exported %d: %v", i, got)
			}
			i++
			return nil
		})
		if i != len(want) {
			return fmt.Errorf("%d exported, want %d", i, len(want))
		}
	}
	met := map[string]float64{}
	for cursor := uint64(0); ; {
		cursor = z.Scan(cursor, func(member []byte, score float64) { met[string(member)] = score })
		if cursor == 0 {
			break
		}
	}
	if len(met) != len(want) {
		return fmt.Errorf("%d scanned, want %d", len(met), len(want))
	}
	return nil
}

// A score of zero has no sign in either encoding, however it comes in.
func TestZSetZeroHasNoSign(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 1})
	a := k.Access(0, 1000, ModePrimary)
	k.Lock(k.AllShards())
	defer k.Unlock(k.AllShards())
	key, zero := []byte("zset"), math.Copysign(0, -1)
	for _, entries := range []int{0, 10} {
		k.SetLimits(Limits{ZSetEntries: entries, ZSetValue: 8})
		for name, put := range map[string]func(z *ZSet) error{
			"added": func(z *ZSet) error { _, _, err := z.Add([]byte("m"), zero, 0); return err },
			"updated": func(z *ZSet) error {
				if _, _, err := z.Add([]byte("m"), 1, 0); err != nil {
					return err
				}
				_, _, err := z.Add([]byte("m"), zero, 0)
				return err
			},
			"stored": func(z *ZSet) error { return z.Store([]ZEntry{{[]byte("m"), zero}}) },
		} {
			var z ZSet
			if _, err := z.Open(&a, slots.Of(key), key); err != nil {
				t.Fatal(err)
			}
			if err := put(&z); err != nil {
				t.Fatal(err)
			}
			if score, ok := z.Score([]byte("m")); !ok || score != 0 || math.Signbit(score) {
				t.Errorf("%s, up to %d in a listpack: score %v, %v", name, entries, score, ok)
			}
			z.Drop()
		}
	}
}

func TestZSetLex(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 1})
	a := k.Access(0, 1000, ModePrimary)
	k.Lock(1)
	defer k.Unlock(1)
	for _, limit := range []int{0, 1000} {
		k.SetLimits(Limits{ZSetEntries: limit, ZSetValue: 64})
		key := fmt.Appendf(nil, "z%d", limit)
		var z ZSet
		var members [][]byte
		for i := range 300 {
			if _, err := z.Open(&a, 0, key); err != nil {
				t.Fatal(err)
			}
			m := fmt.Appendf(nil, "%04d", i*7919%600)
			if _, _, err := z.Add(m, 0, 0); err != nil {
				t.Fatal(err)
			}
			members = append(members, m)
		}
		slices.SortFunc(members, bytes.Compare)
		rnd := rand.New(rand.NewPCG(1, 1))
		bound := func() LexBound {
			return LexBound{fmt.Appendf(nil, "%04d", rnd.IntN(620)), rnd.IntN(2) == 0, []int8{0, 0, 0, -1, 1}[rnd.IntN(5)]}
		}
		for range 1000 {
			r := LexRange{bound(), bound()}
			from, to := z.LexRanks(&r, rnd.IntN(2) == 0)
			for i, m := range members {
				if in := !r.empty() && !r.below(m) && !r.above(m); in != (i >= from && i < to) {
					t.Fatalf("range %+v is %d to %d, but %s is %d", r, from, to, m, i)
				}
			}
		}
	}
}

// A snapshot gives a sorted set as it was at the cut, whatever is done to it meanwhile.
func TestZSetSnapshot(t *testing.T) {
	for _, limit := range []int{0, 1000} {
		k := newKeyspace(t, Options{Shards: 1})
		k.SetLimits(Limits{ZSetEntries: limit, ZSetValue: 64})
		a := k.Access(0, 1000, ModePrimary)
		rnd := rand.New(rand.NewPCG(1, 1))
		model := zmodel{}
		step := func() {
			k.Lock(1)
			defer k.Unlock(1)
			if err := zsetStep(&a, 0, []byte("z"), model, rnd, 20, 200); err != nil {
				t.Fatal(err)
			}
		}
		for range 500 {
			step()
		}
		want := model.sorted()
		s, err := k.Snapshot(SnapshotOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			step()
		}
		var b Batch
		var got []scored
		for s.Next(&b) == nil {
			_ = b.Each(func(e Entry) error {
				if string(e.Key) != "z" {
					return nil
				}
				return e.EachScored(func(member []byte, score float64) error {
					got = append(got, scored{string(member), score})
					return nil
				})
			})
		}
		s.Close()
		slices.SortFunc(got, compareScored)
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: snapshot has %d members, want %d", limit, len(got), len(want))
		}
	}
}

func BenchmarkZSet(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		k := newKeyspace(b, Options{Shards: 1})
		a := k.Access(0, 1000, ModePrimary)
		key := []byte("z")
		rnd := rand.New(rand.NewPCG(1, 1))
		members := make([][]byte, n)
		var z ZSet
		for i := range members {
			members[i] = fmt.Appendf(nil, "member:%d", i)
			if _, err := z.Open(&a, 0, key); err != nil {
				b.Fatal(err)
			}
			if _, _, err := z.Add(members[i], float64(rnd.IntN(1e6)), 0); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("update-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var z ZSet
				_, _ = z.Open(&a, 0, key)
				_, _, _ = z.Add(members[rnd.IntN(n)], float64(rnd.IntN(1e6)), 0)
			}
		})
		b.Run(fmt.Sprintf("score-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var z ZSet
				_, _ = z.Open(&a, 0, key)
				z.Score(members[rnd.IntN(n)])
			}
		})
	}
}
