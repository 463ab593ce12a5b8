package replication

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/redistest"
)

// plainReplica attaches a connection that announces nothing, and waits until it is sent the
// stream.
func plainReplica(t *testing.T, p *node) *redistest.Conn {
	t.Helper()
	c := p.dial()
	c.Send("PSYNC", "?", "-1")
	eventually(t, "the stream", func() bool {
		all := p.rep.Replicas()
		return len(all) == 1 && all[0].Online
	})
	return c
}

// sent returns what a replica is sent until word has come, or its link ends.
func sent(t *testing.T, c *redistest.Conn, word string) (text string, ended bool) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for word == "" || !strings.Contains(text, word) {
		n, err := c.Read(buf)
		text += string(buf[:n])
		if errors.Is(err, io.EOF) {
			return text, true
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return text, false
}

// Whatever gives a field an expiry ends the links to plain replicas before they hear of it.
func TestFieldExpiryDropsPlainReplica(t *testing.T) {
	t.Parallel()
	other := startNode(t, nodeOptions{})
	other.do("HSETEX", "h", "PX", "100000000", "FIELDS", "1", "f", "v")
	payload := other.do("DUMP", "h")
	later := time.Now().Add(time.Hour)
	for _, words := range [][]string{
		{"HEXPIRE", "h", "1000", "FIELDS", "1", "f"},
		{"HPEXPIRE", "h", "100000", "FIELDS", "1", "f"},
		{"HEXPIREAT", "h", strconv.FormatInt(later.Unix(), 10), "FIELDS", "1", "f"},
		{"HPEXPIREAT", "h", strconv.FormatInt(later.UnixMilli(), 10), "FIELDS", "1", "f"},
		{"HSETEX", "h", "EX", "1000", "FIELDS", "1", "f", "w"},
		{"HSETEX", "fresh", "EX", "1000", "FIELDS", "1", "f", "w"},
		{"HGETEX", "h", "EX", "1000", "FIELDS", "1", "f"},
		{"RESTORE", "fresh", "0", payload},
	} {
		t.Run(words[0], func(t *testing.T) {
			p := startNode(t, nodeOptions{})
			p.do("HSET", "h", "f", "v", "g", "w")
			c := plainReplica(t, p)
			p.do("HSETEX", "h", "KEEPTTL", "FIELDS", "1", "g", "x") // has no expiry to keep
			if text, ended := sent(t, c, "\r\nx\r\n"); ended || !strings.Contains(text, "\r\nHSET\r\n") {
				t.Fatalf("sent %.500q", text)
			}
			if got := p.do(words...); strings.HasPrefix(got, "-") {
				t.Fatal(got)
			}
			if text, _ := sent(t, c, ""); text != "" {
				t.Errorf("sent %.500q", text)
			}
		})
	}
}

// A redis-server comes back, by a full sync, when no field has an expiry any more: the
// stream that it missed is not for it.
func TestRedisComesBackAfterFieldExpiry(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{})
	chained := startNode(t, nodeOptions{})
	chained.rep.Follow(p.target())
	eventually(t, "link up", chained.rep.LinkUp)
	for _, primary := range []*node{p, chained} {
		p.do("DEL", "h")
		p.do("HSET", "h", "f", "v")
		s := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.port()))
		up := func() bool { return field(s, "replication", "master_link_status") == "up" }
		eventually(t, "link up", up)
		p.do("HSET", "h", "g", "w")
		eventually(t, "the field", func() bool { return s.Do("HGET", "h", "g") == "w" })
		full := primary.rep.Stats().SyncFull.Load()
		p.do("HPEXPIRE", "h", "100000", "FIELDS", "1", "f")
		eventually(t, "link down", func() bool { return !up() })
		eventually(t, "another attempt", func() bool {
			return strings.Contains(s.Log(), errFieldExpiry.Error())
		})
		if up() {
			t.Fatal("the link is up again")
		}
		p.do("HPERSIST", "h", "FIELDS", "1", "f")
		p.do("HSET", "h", "later", "1")
		eventually(t, "link up", up)
		eventually(t, "the newest field", func() bool { return s.Do("HGET", "h", "later") == "1" })
		if got := primary.rep.Stats(); got.SyncFull.Load() != full+1 || got.SyncPartialOK.Load() != 0 {
			t.Errorf("%d full syncs, %d partial ones", got.SyncFull.Load()-full, got.SyncPartialOK.Load())
		}

		// From there on short breaks are mended as ever.
		before := primary.rep.Stats().SyncPartialOK.Load()
		primary.rep.dropReplicas("test")
		eventually(t, "a partial resync", func() bool { return primary.rep.Stats().SyncPartialOK.Load() > before })
		p.do("HSET", "h", "missed", "1")
		eventually(t, "the missed field", func() bool { return s.Do("HGET", "h", "missed") == "1" })
		if got := strings.Count(s.Log(), "unknown command"); got != 0 {
			t.Errorf("the replica was sent %d commands that it does not know", got)
		}
		s.Do("REPLICAOF", "NO", "ONE")
	}
}

// A payload of a newer server than the replica reaches it in a form that it reads.
func TestNewerPayloadReachesRedis(t *testing.T) {
	t.Parallel()
	p := startNode(t, nodeOptions{})
	p.do("SET", "a", "hello")
	old := p.do("DUMP", "a")
	w := rdb.NewPayload(nil, rdb.Kind(old[0]), false)
	w.Append([]byte(old[1 : len(old)-10])) // version and checksum
	newest := string(w.Payload(rdb.VersionLatest))
	s := redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.port()))
	eventually(t, "link up", func() bool { return field(s, "replication", "master_link_status") == "up" })
	if got := s.Do("RESTORE", "a", "0", newest, "REPLACE"); !strings.HasPrefix(got, "-") {
		t.Fatalf("the payload is nothing new to redis-server: %q", got)
	}
	if got := p.do("RESTORE", "b", "0", newest); got != "OK" {
		t.Fatal(got)
	}
	eventually(t, "the key", func() bool { return s.Do("GET", "b") == "hello" })
}
