package memory

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/test/realnode"
)

var bin string // the folder of the binaries

func TestMain(m *testing.M) { os.Exit(realnode.Main(m, &bin, raced)) }

// process is a running node and a connection to it.
type process struct {
	*testing.T
	*commandtest.Redis
}

func startNode(t *testing.T, args ...string) *process {
	t.Helper()
	p := realnode.Run(t, realnode.Options{Program: filepath.Join(bin, "node"), Socket: true, Lines: []string{`save ""`}, Args: args})
	return &process{t, commandtest.Dial(t, p.Addr)}
}

// pipeline sends n requests and reads their replies, which must be no errors.
func (p *process) pipeline(n int, request func(i int) []string) {
	p.Helper()
	const batch = 1000
	for done := 0; done < n; done += batch {
		var b []byte
		end := min(n, done+batch)
		for i := done; i < end; i++ {
			b = resp.AppendCommand(b, commandtest.Args(request(i)...)...)
		}
		p.Send(b)
		for range end - done {
			if raw, err := p.Receive(); err != nil || raw[0] == '-' {
				p.Fatalf("%q (%v)", raw, err)
			}
		}
	}
}

// info returns a number that INFO memory or INFO stats shows.
func (p *process) info(field string) int64 {
	p.Helper()
	text := p.Ask("INFO", "memory", "stats", "keyspace").Text
	for _, line := range strings.Split(text, "\r\n") {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				p.Fatal(err)
			}
			return n
		}
	}
	p.Fatalf("INFO has no %s", field)
	return 0
}

func (p *process) dbsize() int {
	p.Helper()
	n, err := strconv.Atoi(p.Ask("DBSIZE").Text)
	if err != nil {
		p.Fatal(err)
	}
	return n
}

// latencies are those of one connection that sends one command after the other.
type latencies []time.Duration

// probe measures commands over a connection of its own until stop is closed.
func (p *process) probe(stop <-chan struct{}) <-chan latencies {
	out := make(chan latencies, 1)
	r := p.Again()
	go func() {
		var l latencies
		requests := [][]byte{
			resp.AppendCommand(nil, commandtest.Args("SET", "probe", "v")...),
			resp.AppendCommand(nil, commandtest.Args("GET", "probe")...),
		}
		for i := 0; ; i++ {
			select {
			case <-stop:
				out <- l
				return
			default:
			}
			at := time.Now()
			r.Send(requests[i%2])
			if _, err := r.Receive(); err != nil {
				p.Errorf("probe: %v", err)
			}
			l = append(l, time.Since(at))
			time.Sleep(200 * time.Microsecond)
		}
	}()
	return out
}

// probeFor is probe for a given time.
func (p *process) probeFor(d time.Duration) latencies {
	stop := make(chan struct{})
	out := p.probe(stop)
	time.Sleep(d)
	close(stop)
	return <-out
}

func (l latencies) at(part float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(len(l)-1, int(part*float64(len(l))))]
}

func (l latencies) String() string {
	round := func(part float64) time.Duration { return l.at(part).Round(time.Microsecond) }
	return fmt.Sprintf("%d commands: p50 %v, p99 %v, p99.9 %v, longest %v", len(l), round(.5), round(.99), round(.999), round(1))
}
