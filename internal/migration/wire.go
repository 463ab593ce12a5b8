package migration

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redwingdb/redwing/internal/topology"
)

// wireVersion is the version of the move's protocol; sides of different versions refuse.
const wireVersion = 1

// begin is the payload of the first frame: which attempt this connection is for.
type begin struct {
	Version    int              `json:"version"`
	Job        string           `json:"job"`
	Attempt    uint64           `json:"attempt"`
	SourceTerm uint64           `json:"sourceTerm"`
	TargetTerm uint64           `json:"targetTerm"`
	Source     topology.ShardID `json:"source"`
	Target     topology.ShardID `json:"target"`
	Index      uint64           `json:"index"` // of the source's View: the target must know as much
	Keys       int64            `json:"keys"`  // about how many will come
}

func (b *begin) tag() Tag { return Tag{b.Job, b.Attempt, b.SourceTerm, b.TargetTerm} }

func parseBegin(payload []byte) (b begin, err error) {
	if len(payload) > 4096 {
		return b, fmt.Errorf("begin of %d bytes: %w", len(payload), errFrame)
	}
	if err := json.Unmarshal(payload, &b); err != nil {
		return b, fmt.Errorf("begin: %w: %w", err, errFrame)
	}
	if b.Version != wireVersion {
		return b, fmt.Errorf("version %d, this is %d: %w", b.Version, wireVersion, errFrame)
	}
	return b, nil
}

// link is one connection of a move. Writes come from several goroutines, reads from one.
type link struct {
	conn    net.Conn
	timeout time.Duration // for one write; and how long reading waits for the next frame
	in      frameReader
	mu      struct {
		sync.Mutex
		buf []byte
	}
}

func newLink(conn net.Conn, timeout time.Duration) *link {
	return &link{conn: conn, timeout: timeout, in: frameReader{r: conn}}
}

// send writes one frame.
func (l *link) send(kind frameKind, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.buf = appendFrame(l.mu.buf[:0], kind, payload)
	return l.writeLocked(l.mu.buf)
}

// sendCount writes a frame that is one number.
func (l *link) sendCount(kind frameKind, n uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.buf = appendCountFrame(l.mu.buf[:0], kind, n)
	return l.writeLocked(l.mu.buf)
}

// sendSealed writes a frame that the caller has built with room for its header.
func (l *link) sendSealed(frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writeLocked(frame)
}

// writeLocked writes piece by piece, so that the deadline is for progress, not for the
// whole of a big value.
func (l *link) writeLocked(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), readPiece)
		if err := l.conn.SetWriteDeadline(time.Now().Add(l.timeout)); err != nil {
			return err
		}
		if _, err := l.conn.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
