package stream

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/slots"
)

// Whatever commands do to a stream, a snapshot has it as it was at the cut.
func TestSnapshots(t *testing.T) {
	for seed := range uint64(20) {
		r := newRunner(t)
		rnd := rand.New(rand.NewPCG(seed, 1))
		id := func() string { return fmt.Sprintf("1-%d", 1+rnd.IntN(600)) }
		group := func() string { return fmt.Sprint("g", rnd.IntN(2)) }
		consumer := func() string { return fmt.Sprint("c", rnd.IntN(3)) }
		r.Do("xgroup", "create", "s", "g0", "0", "mkstream")
		r.Do("xgroup", "create", "s", "g1", "0")
		next := 0
		run := func() {
			r.Now += int64(rnd.IntN(50))
			var request string
			switch rnd.IntN(14) {
			case 0, 1:
				next++
				request = fmt.Sprintf("xadd s 1-%d field value%d", next, rnd.IntN(1000))
			case 2, 3:
				request = fmt.Sprintf("xreadgroup group %s %s count %d streams s >", group(), consumer(), 1+rnd.IntN(20))
			case 4:
				request = fmt.Sprintf("xack s %s %s %s", group(), id(), id())
			case 5:
				request = fmt.Sprintf("xclaim s %s %s 0 %s %s", group(), consumer(), id(), id())
			case 6:
				request = fmt.Sprintf("xautoclaim s %s %s 10 %s count 3", group(), consumer(), id())
			case 7:
				request = fmt.Sprintf("xdel s %s %s", id(), id())
			case 8:
				request = fmt.Sprintf("xackdel s %s delref ids 1 %s", group(), id())
			case 9:
				request = fmt.Sprintf("xgroup setid s %s %s", group(), id())
			case 10:
				request = fmt.Sprintf("xgroup createconsumer s %s new%d", group(), rnd.IntN(5))
			case 11:
				request = fmt.Sprintf("xreadgroup group %s %s streams s 0", group(), consumer())
			case 12:
				if rnd.IntN(8) == 0 {
					request = fmt.Sprintf("xgroup delconsumer s %s %s", group(), consumer())
				} else {
					request = fmt.Sprintf("xdelex s acked ids 1 %s", id())
				}
			case 13:
				switch rnd.IntN(20) {
				case 0:
					request = "xgroup destroy s " + group()
				case 1:
					request = "xtrim s maxlen " + fmt.Sprint(next/2)
				default:
					request = "xgroup create s " + group() + " 0"
				}
			}
			r.Do(strings.Fields(request)...)
		}
		for range 300 {
			next++
			r.Do("xadd", "s", fmt.Sprint("1-", next), "field", "value")
		}
		for round := range 12 {
			for range 40 {
				run()
			}
			var b engine.Batch
			body := func(e *engine.Entry) []byte {
				w := rdb.NewBody()
				if err := persist.WriteValue(w, e, rdb.KindStream3); err != nil {
					t.Fatal(err)
				}
				return bytes.Clone(w.Body())
			}
			key := []byte("s")
			var want []byte
			snap, err := r.Keyspace.Snapshot(engine.SnapshotOptions{DB: 0, AtCut: func() {
				a := r.Keyspace.Access(0, r.Now, engine.ModePrimary)
				e, _ := a.Entry(slots.Of(key), key, &b)
				want = body(&e)
			}})
			if err != nil {
				t.Fatal(err)
			}
			for range 40 {
				run()
			}
			seen := 0
			for {
				err := snap.Next(&b)
				if err == io.EOF {
					break
				}
				if err == nil {
					err = b.Each(func(e engine.Entry) error {
						if seen++; !bytes.Equal(body(&e), want) {
							return fmt.Errorf("it is not what it was")
						}
						return nil
					})
				}
				if err != nil {
					t.Fatalf("seed %d, round %d: %v", seed, round, err)
				}
			}
			if snap.Close(); seen != 1 {
				t.Fatalf("seed %d, round %d: %d keys", seed, round, seen)
			}
		}
	}
}
