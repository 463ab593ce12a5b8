package ctl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/test/realnode"
)

// said is a Progress that keeps what is said.
type said struct {
	mu   sync.Mutex
	text []string
	hear func(text string) // if it is not nil, called with each
	step func(clusterctl.Step)
}

func (s *said) Step(_, _ int, x clusterctl.Step) {
	if s.step != nil {
		s.step(x)
	}
}
func (*said) Moved(int, int, float64, string) {}
func (*said) Copied(float64, string)          {}
func (*said) Done()                           {}
func (s *said) Say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, text)
	if s.hear != nil {
		s.hear(text)
	}
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.text, "\n")
}

// importing imports s and calls meanwhile when the copy has caught up.
func importing(t *testing.T, d *dev, o clusterctl.ImportOptions, meanwhile func(pr *said)) *clusterctl.ImportResult {
	t.Helper()
	p, pr, err := tryImport(t, d, 30*time.Second, o, meanwhile)
	if err != nil {
		t.Fatalf("%v\n%s", err, pr)
	}
	return p.Result
}

func tryImport(t *testing.T, d *dev, timeout time.Duration, o clusterctl.ImportOptions, meanwhile func(pr *said)) (*clusterctl.Import, *said, error) {
	t.Helper()
	c := clusterctl.NewConns(clusterctl.Options{Timeout: timeout})
	defer c.Close()
	pr := &said{}
	o.DB, o.Pause = -1, time.Second
	o.Confirm = func(context.Context, string) error {
		meanwhile(pr)
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p, err := clusterctl.PlanImport(ctx, c, d.addr(0), o)
	if err == nil {
		err = p.Apply(ctx, c, pr)
	}
	return p, pr, err
}

func (s *said) await(t *testing.T, words string) {
	t.Helper()
	realnode.Eventually(t, 20*time.Second, func() error {
		if text := s.String(); !strings.Contains(text, words) {
			return fmt.Errorf("nothing says %q: %s", words, text)
		}
		return nil
	})
}

// A link that breaks goes on where it broke; where the source cannot, its data are copied
// anew, and what it has no more is gone from the cluster too.
func TestImportLinkBreaks(t *testing.T) {
	d := newDev(t, 2, 0, 0)
	d.up()
	primaries := []string{d.addr(0), d.addr(1)}
	ctx := context.Background()

	// write does what a target must not miss: in one block with what breaks the link.
	write := func(p redis.Pipeliner) {
		for i := range 300 {
			p.Del(ctx, fmt.Sprintf("s:%d", i))
			p.Set(ctx, fmt.Sprintf("late:%d", i), i, time.Hour)
			p.RPush(ctx, fmt.Sprintf("list:%d", i), "new")
		}
	}
	for _, c := range []struct {
		name               string
		args               []string
		cut                func(s *redistest.Server, c redis.UniversalClient) error
		say                string
		resumed, restarted int64
	}{
		{"killed twice", nil, func(_ *redistest.Server, c redis.UniversalClient) error {
			for range 2 {
				if err := block(c, func(p redis.Pipeliner) { p.Do(ctx, "CLIENT", "KILL", "TYPE", "replica"); write(p) }); err != nil {
					return err
				}
				realnode.Eventually(t, 10*time.Second, func() error {
					if text := c.Info(ctx, "replication").Val(); !strings.Contains(text, "connected_slaves:1") {
						return fmt.Errorf("no link: %s", text)
					}
					return nil
				})
			}
			return nil
		}, "the link is back", 2, 0},
		{"small backlog", []string{"--repl-backlog-size", "16kb"}, func(_ *redistest.Server, c redis.UniversalClient) error {
			return block(c, func(p redis.Pipeliner) {
				p.Do(ctx, "CLIENT", "KILL", "TYPE", "replica")
				write(p)
				for i := range 40 {
					p.Set(ctx, "filler", strings.Repeat(fmt.Sprint(i), 20000), 0)
				}
			})
		}, "FULLRESYNC", 0, 1},
		{"restarted with its data", nil, func(s *redistest.Server, c redis.UniversalClient) error {
			if err := block(c, write); err != nil {
				return err
			}
			s.Restart("SAVE")
			return block(c, write)
		}, "the link is back", 1, 0},
		{"restarted without", nil, func(s *redistest.Server, c redis.UniversalClient) error {
			s.Restart("NOSAVE")
			return block(c, write)
		}, "FULLRESYNC", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := redistest.Start(t, c.args...)
			cl := client(s.Addr())
			defer cl.Close()
			populate(t, cl, 3000)
			for i := range 300 {
				cl.RPush(ctx, fmt.Sprintf("list:%d", i), "old")
			}
			res := importing(t, d, clusterctl.ImportOptions{Samples: 50, From: s.Addr(), Flush: true}, func(pr *said) {
				if err := c.cut(s, cl); err != nil {
					t.Fatal(err)
				}
				pr.await(t, c.say)
			})
			if res.Resumed != c.resumed || res.Restarted != c.restarted {
				t.Errorf("%d links went on, %d began anew", res.Resumed, res.Restarted)
			}
			wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
		})
	}
}

// A link that breaks within the snapshot begins anew; what the cluster had before and the
// source has not stays where that was asked for; a source that is gone ends the import.
func TestImportSourceBeginsAnew(t *testing.T) {
	d := newDev(t, 2, 0, 0)
	d.up()
	primaries := []string{d.addr(0), d.addr(1)}
	ctx := context.Background()

	t.Run("within the snapshot", func(t *testing.T) {
		s := redistest.Start(t, "--rdb-key-save-delay", "300")
		cl := client(s.Addr())
		defer cl.Close()
		populate(t, cl, 6000)
		var killed sync.WaitGroup
		killed.Go(func() {
			eventuallyKeys(t, d.addr(1), 100)
			for i := range 6000 {
				if i%2 == 0 {
					cl.Del(ctx, fmt.Sprintf("s:%d", i))
				}
			}
			if n, err := cl.Do(ctx, "CLIENT", "KILL", "TYPE", "replica").Int(); n != 1 || err != nil {
				t.Errorf("%d links were killed: %v", n, err)
			}
			cl.ConfigSet(ctx, "rdb-key-save-delay", "0")
		})
		res := importing(t, d, clusterctl.ImportOptions{Samples: 50, From: s.Addr()}, func(*said) {})
		killed.Wait()
		if res.Restarted != 1 {
			t.Errorf("%d links began anew", res.Restarted)
		}
		wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
	})
	t.Run("merged", func(t *testing.T) {
		own := redis.NewClusterClient(&redis.ClusterOptions{Addrs: primaries, Protocol: 2, DisableIdentity: true})
		defer own.Close()
		if err := own.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() }); err != nil {
			t.Fatal(err)
		}
		s := redistest.Start(t)
		cl := client(s.Addr())
		defer cl.Close()
		for i := range 1000 {
			own.Set(ctx, fmt.Sprintf("own:%d", i), i, 0)
			own.Set(ctx, fmt.Sprintf("both:%d", i), "own", 0)
			cl.Set(ctx, fmt.Sprintf("both:%d", i), "source", 0)
			cl.Set(ctx, fmt.Sprintf("gone:%d", i), i, 0)
		}
		res := importing(t, d, clusterctl.ImportOptions{Samples: 50, From: s.Addr(), Merge: true}, func(pr *said) {
			s.Restart("NOSAVE")
			cl.Set(ctx, "both:1", "new", 0)
			pr.await(t, "FULLRESYNC")
		})
		want := map[string]string{"both:1": `string -1 "new"`}
		for i := range 1000 {
			want[fmt.Sprintf("own:%d", i)] = fmt.Sprintf(`string -1 "%d"`, i)
		}
		if res.Restarted != 1 {
			t.Errorf("%d links began anew", res.Restarted)
		}
		wantSame(t, contentOf(t, primaries...), want)
	})
	t.Run("gone", func(t *testing.T) {
		s := redistest.Start(t)
		s.Do("SET", "a", "1")
		began := time.Now()
		_, pr, err := tryImport(t, d, 10*time.Second, clusterctl.ImportOptions{Samples: 50, From: s.Addr(), Flush: true}, func(*said) {
			c := s.Dial()
			defer c.Close()
			if text, err := c.TryDo("SHUTDOWN", "NOSAVE"); err == nil {
				t.Errorf("SHUTDOWN is answered by %s", text)
			}
		})
		if err == nil || !strings.Contains(err.Error(), "no link to the source any more") || !strings.Contains(pr.String(), "broke") {
			t.Errorf("after %v: %v\n%s", time.Since(began), err, pr)
		}
	})
}

// The link breaks again and again, and cannot always go on, while clients write, also during
// the cut-over. In the end both sides have the same.
func TestImportLinkKeepsBreaking(t *testing.T) {
	d := newDev(t, 2, 0, 0)
	d.up()
	s := redistest.Start(t, "--repl-backlog-size", "64kb")
	cl := client(s.Addr())
	defer cl.Close()
	populate(t, cl, 5000)
	ctx := context.Background()
	stop := writers(t, func() redis.UniversalClient { return client(s.Addr()) }, 3, func(c redis.UniversalClient, rnd *rand.Rand, i int) {
		if i%5 == 0 {
			across(c, rnd, i)
		} else {
			change(c, rnd, rnd.IntN(200))
		}
	})
	defer stop()
	var breaking sync.WaitGroup
	defer breaking.Wait()
	end := make(chan struct{})
	defer close(end)
	kill := func() bool { return cl.Do(ctx, "CLIENT", "KILL", "TYPE", "replica").Val() == int64(1) }
	res := importing(t, d, clusterctl.ImportOptions{Samples: 200, From: s.Addr()}, func(pr *said) {
		for range 3 {
			realnode.Eventually(t, 20*time.Second, func() error {
				if !kill() {
					return errors.New("there is no link to be killed")
				}
				return nil
			})
			cl.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") // what reads keys again
		}
		pr.step = func(clusterctl.Step) { // the cut-over begins
			breaking.Go(func() {
				tick := time.NewTicker(30 * time.Millisecond)
				defer tick.Stop()
				for i := range 10 {
					select {
					case <-tick.C:
						kill()
						if i == 4 {
							cl.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
						}
					case <-end:
						return
					}
				}
			})
		}
	})
	stop()
	if res.Resumed+res.Restarted == 0 { // some are killed before they are up
		t.Errorf("%d links went on, %d began anew", res.Resumed, res.Restarted)
	}
	wantSame(t, contentOf(t, d.addr(0), d.addr(1)), contentOf(t, s.Addr()))
}

// A source that loses its data at the cut-over, and one that is a Redwing.
func TestImportLinkBreaksLate(t *testing.T) {
	d := newDev(t, 2, 0, 0)
	d.up()
	primaries := []string{d.addr(0), d.addr(1)}
	ctx := context.Background()
	t.Run("restarted at the cut-over", func(t *testing.T) {
		s := redistest.Start(t)
		cl := client(s.Addr())
		defer cl.Close()
		populate(t, cl, 1000)
		res := importing(t, d, clusterctl.ImportOptions{Samples: 50, From: s.Addr()}, func(pr *said) {
			pr.step = func(clusterctl.Step) {
				s.Restart("NOSAVE")
				cl.Set(ctx, "new", "1", 0)
			}
		})
		if res.Restarted != 1 || res.Total != 1 {
			t.Errorf("%+v", res)
		}
		wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
	})
	t.Run("Redwing", func(t *testing.T) {
		e := newDev(t, 1, 0, 0)
		e.up()
		cl := client(e.addr(0))
		defer cl.Close()
		populate(t, cl, 1000)
		res := importing(t, d, clusterctl.ImportOptions{Samples: 50, From: e.addr(0), Flush: true}, func(pr *said) {
			if err := block(cl, func(p redis.Pipeliner) {
				p.Do(ctx, "CLIENT", "KILL", "TYPE", "replica")
				p.Set(ctx, "{s}late", "1", 0)
			}); err != nil {
				t.Fatal(err)
			}
			pr.await(t, "the link is back")
		})
		if res.Resumed != 1 || res.Restarted != 0 {
			t.Errorf("%+v", res)
		}
		wantSame(t, contentOf(t, primaries...), contentOf(t, e.addr(0)))
	})
}

// block runs commands as one MULTI block.
func block(c redis.UniversalClient, f func(p redis.Pipeliner)) error {
	_, err := c.TxPipelined(context.Background(), func(p redis.Pipeliner) error { f(p); return nil })
	return err
}
