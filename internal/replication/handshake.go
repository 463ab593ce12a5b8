package replication

import (
	"strconv"
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// maxHandshakes bounds the connections that have sent REPLCONF and not yet PSYNC.
const maxHandshakes = 1024

// handshakeLife is how long such a connection's words are remembered.
const handshakeLife = time.Minute

// capaLatest is the capability of reading RDB version 12, which a Redwing node announces.
// Redis ignores words that it does not know here.
const capaLatest = "rdb12"

// handshake is what a connection has said of itself by REPLCONF before PSYNC.
type handshake struct {
	at        int64 // clock.Mono of the newest REPLCONF
	port      int
	ip        string
	eof       bool // capa eof: takes an RDB of unknown length
	psync2    bool // capa psync2: understands a new id in +CONTINUE
	latest    bool // capa rdb12: reads RDB version 12
	rdbOnly   bool
	node, run string // of the same cluster
}

// handshakeOfLocked returns the handshake of a client, a new one if need be. REQUIRES:
// r.mu held.
func (r *Replication) handshakeOfLocked(client uint64) *handshake {
	h := r.mu.handshakes[client]
	if h == nil {
		if len(r.mu.handshakes) >= maxHandshakes {
			r.forgetHandshakesLocked(0)
		}
		h = &handshake{}
		r.mu.handshakes[client] = h
	}
	h.at = r.mono()
	return h
}

// forgetHandshakesLocked drops those that are older than life; with life 0 the oldest.
func (r *Replication) forgetHandshakesLocked(life time.Duration) {
	var oldest uint64
	age := time.Duration(-1)
	now := r.mono()
	for id, h := range r.mu.handshakes {
		a := since(now, h.at)
		if life > 0 && a > life {
			delete(r.mu.handshakes, id)
		}
		if a > age {
			oldest, age = id, a
		}
	}
	if life == 0 {
		delete(r.mu.handshakes, oldest)
	}
}

// replconf is REPLCONF of a connection that will become a replica: pairs of an option
// and a value. (Those of a replica's stream never come here.)
func (r *Replication) replconf(c *command.Ctx) error {
	if len(c.Args)%2 == 0 {
		return resp.ErrSyntax
	}
	if c.Client == nil {
		return resp.NewError("ERR REPLCONF is for connections")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.handshakeOfLocked(c.Client.ClientID())
	for i := 1; i < len(c.Args); i += 2 {
		value := c.Args[i+1]
		switch option := strings.ToLower(string(c.Args[i])); option {
		case "listening-port":
			port, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return resp.ErrNotInteger
			}
			h.port = int(port)
		case "ip-address":
			if len(value) >= 255 {
				return resp.NewError("ERR REPLCONF ip-address provided by replica instance is too long: " + strconv.Itoa(len(value)) + " bytes")
			}
			h.ip = string(value)
		case "capa":
			switch strings.ToLower(string(value)) {
			case "eof":
				h.eof = true
			case "psync2":
				h.psync2 = true
			case capaLatest:
				h.latest = true
			}
		case "ack", "getack":
			return nil // Redis answers neither, and only a replica's link may send them
		case "rdb-only":
			n, err := strconv.Atoi(string(value))
			if err != nil {
				return resp.ErrNotInteger
			}
			h.rdbOnly = n != 0
		case "rdb-filter-only":
			// Whole data sets only: a filter that keeps everything is nothing new.
			if len(value) != 0 {
				return resp.NewError("ERR Unsupported rdb-filter-only option: " + string(value))
			}
		case "rw-node":
			h.node, h.run, _ = strings.Cut(string(value), "/")
		case "rw-shard":
			// The caller demands whose data these must be. Those of a file are nobody's yet:
			// the run that is their mark's has ended, and others may have more.
			own := r.mu.mark
			if r.replica.Load() || r.mu.recovered || own.String() != string(value) {
				return resp.NewError("ERR rw-shard is " + own.String())
			}
		default:
			return resp.NewError("ERR Unrecognized REPLCONF option: " + string(c.Args[i]))
		}
	}
	c.Out.OK()
	return nil
}
