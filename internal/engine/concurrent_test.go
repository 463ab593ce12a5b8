package engine

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// Money moves between accounts in different shards while snapshots, expiry and
// background work run. Each snapshot must hold every account once, and all of the money.
func TestSnapshotsUnderLoad(t *testing.T) {
	const accounts, start, snapshots = 3000, 1000, 12
	k := newKeyspace(t, Options{Shards: 8, Databases: 2})
	account := func(i int) (slots.Slot, []byte) {
		return slots.Slot(i % 40), []byte("account:" + strconv.Itoa(i))
	}
	a := k.Access(0, testNow, ModePrimary)
	for i := range accounts {
		s, key := account(i)
		m := k.Mask(s)
		k.Lock(m)
		if err := a.SetInt(s, key, start, 0); err != nil {
			t.Fatal(err)
		}
		k.Unlock(m)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for g := range 3 {
		r := rand.New(rand.NewPCG(uint64(g), 1))
		wg.Go(func() {
			a := k.Access(0, testNow, ModePrimary)
			for n := 0; !stop.Load(); n++ {
				i, j := r.IntN(accounts), r.IntN(accounts)
				s1, key1 := account(i)
				s2, key2 := account(j)
				m := k.Mask(s1) | k.Mask(s2)
				own := n%50 == 0
				if own {
					k.Own(m)
				} else {
					k.Lock(m)
				}
				if i != j {
					amount := int64(r.IntN(10))
					x, ok1 := a.IncrBy(s1, key1, -amount)
					y, ok2 := a.IncrBy(s2, key2, amount)
					if !ok1 || !ok2 {
						t.Errorf("accounts %d and %d: %d %v, %d %v", i, j, x, ok1, y, ok2)
					}
					// Also a way through fresh records.
					if err := a.SetInt(s1, key1, x, KeepTTL); err != nil {
						t.Error(err)
					}
				}
				if own {
					k.Disown(m)
				} else {
					k.Unlock(m)
				}
				// Passing keys make the tables grow and shrink.
				m = k.Mask(s1)
				k.Lock(m)
				for x := range 20 {
					key := fmt.Appendf(nil, "passing:%d:%d:%d", g, n%200, x)
					if n/200%2 == 0 {
						if err := a.SetString(s1, key, key, testNow+int64(r.IntN(3000))); err != nil {
							t.Error(err)
						}
					} else {
						a.Delete(s1, key)
					}
				}
				k.Unlock(m)
			}
		})
	}
	wg.Go(func() {
		for now := int64(testNow); !stop.Load(); now += 50 {
			k.ExpireStep(now, time.Millisecond)
			k.BackgroundStep(now, time.Millisecond)
		}
	})
	for range snapshots {
		if err := checkMoney(k, accounts, start); err != nil {
			t.Error(err)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if err := k.checkInvariants(); err != nil {
		t.Error(err)
	}
}

func checkMoney(k *Keyspace, accounts, start int) error {
	s, err := k.Snapshot(SnapshotOptions{DB: 0})
	if err != nil {
		return err
	}
	defer s.Close()
	var b Batch
	sum, seen := 0, map[string]bool{}
	for {
		err := s.Next(&b)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		err = b.Each(func(e Entry) error {
			if e.Key[0] != 'a' {
				return nil
			}
			v, err := strconv.Atoi(string(e.Value))
			if seen[string(e.Key)] {
				return fmt.Errorf("%s given twice", e.Key)
			}
			seen[string(e.Key)] = true
			sum += v
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(seen) != accounts || sum != accounts*start {
		return fmt.Errorf("%d accounts with %d, should be %d with %d", len(seen), sum, accounts, accounts*start)
	}
	return nil
}
