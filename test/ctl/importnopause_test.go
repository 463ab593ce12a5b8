package ctl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redwingdb/redwing/internal/clusterctl"
	"github.com/redwingdb/redwing/internal/redistest"
)

// With --no-pause keys that expire at the source are no writes; writers may stop late, but
// not never.
func TestImportNoPause(t *testing.T) {
	d := newDev(t, 2, 0, 0)
	d.up()
	primaries := []string{d.addr(0), d.addr(1)}
	ctx := context.Background()

	t.Run("keys expire", func(t *testing.T) {
		s := redistest.Start(t, "--hz", "100", "--active-expire-effort", "10")
		cl := client(s.Addr())
		defer cl.Close()
		populate(t, cl, 2000)
		p := cl.Pipeline()
		for i := range 60000 {
			p.Set(ctx, fmt.Sprintf("short:%d", i), i, time.Duration(i)*time.Millisecond/3)
		}
		if _, err := p.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		res := importing(t, d, clusterctl.ImportOptions{From: s.Addr(), NoPause: true, Samples: 200}, func(*said) {})
		if res.Expired < 10 {
			t.Errorf("%d keys expired while both sides were compared", res.Expired)
		}
		wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
	})
	t.Run("fields expire", func(t *testing.T) {
		e := newDev(t, 1, 0, 0)
		e.up()
		cl := client(e.addr(0))
		defer cl.Close()
		p := cl.Pipeline()
		now := time.Now()
		for i := range 300 {
			k := fmt.Sprintf("h:%d", i)
			p.HSet(ctx, k, "stays", 1)
			for f := range 100 {
				p.HSet(ctx, k, fmt.Sprint(f), f)
				p.Do(ctx, "HPEXPIREAT", k, now.Add(time.Duration(i*100+f)*time.Millisecond/3).UnixMilli(), "FIELDS", 1, f)
			}
		}
		if _, err := p.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		res := importing(t, d, clusterctl.ImportOptions{From: e.addr(0), NoPause: true, Flush: true, Samples: 200}, func(*said) {})
		if res.Expired < 10 || res.Sources[0].Keys != 300 {
			t.Errorf("%+v", res)
		}
	})
	write := func(c redis.UniversalClient, rnd *rand.Rand, i int) {
		c.Set(ctx, fmt.Sprintf("w:%d", rnd.IntN(100)), i, 0)
		c.Del(ctx, fmt.Sprintf("w:%d", rnd.IntN(100)))
	}
	s := redistest.Start(t)
	open := func() redis.UniversalClient { return client(s.Addr()) }
	t.Run("writers stop late", func(t *testing.T) {
		stop := func() int { return 0 }
		defer func() { stop() }()
		importing(t, d, clusterctl.ImportOptions{From: s.Addr(), NoPause: true, Flush: true, Samples: 50}, func(pr *said) {
			stop = writers(t, open, 2, write)
			pr.hear = func(text string) {
				if strings.Contains(text, "the source is still being written to") {
					stop()
				}
			}
		})
		wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
	})
	t.Run("writers do not stop", func(t *testing.T) {
		stop := writers(t, open, 1, write)
		defer stop()
		_, pr, err := tryImport(t, d, 10*time.Second, clusterctl.ImportOptions{From: s.Addr(), NoPause: true, Flush: true, Samples: 50}, func(*said) {})
		if err == nil || !strings.Contains(err.Error(), `the source went on being written to, such as`) || !strings.Contains(err.Error(), `"w:`) {
			t.Errorf("%v\n%s", err, pr)
		}
	})
}
