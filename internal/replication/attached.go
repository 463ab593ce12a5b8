package replication

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/resp"
)

// replicaState is what an attached replica is doing.
//
//	stateWait --snapshot cut--> stateSend --loaded, or +CONTINUE--> stateOnline
type replicaState uint8

const (
	stateWait   replicaState = iota // waits for its turn to be sent a snapshot
	stateSend                       // is being sent the snapshot, or loads it
	stateOnline                     // takes the stream
)

// String returns the word that INFO has for the state.
func (s replicaState) String() string {
	switch s {
	case stateWait:
		return "wait_bgsave"
	case stateSend:
		return "send_bulk"
	}
	return "online"
}

// attached is a replica of this node: a goroutine that writes to it, and one that
// reads its acknowledgements.
type attached struct {
	r      *Replication
	conn   net.Conn
	hs     handshake
	ip     string
	id     uint64 // of CLIENT LIST
	born   int64  // clock.Mono
	acks   bool   // it acknowledges: came by PSYNC
	cancel context.CancelFunc
	first  chan struct{} // closed by the first acknowledgement

	// Guarded by r.mu.
	state     replicaState
	ackOffset int64
	// syncedOffset is how far it says that its append-only file is on disk; -1: it has none.
	syncedOffset int64
	ackAt        int64 // clock.Mono of the newest sign of life
	softSince    int64 // over the soft limit since then
	reader       *effects.Reader
	gone         bool

	firstOnce sync.Once
}

// errPartial says why a partial resync is not possible.
var errPartial = errors.New("replication: the wanted part of the stream is not held")

// psync is PSYNC (and SYNC): the connection leaves the server and becomes a link.
func (r *Replication) psync(c *command.Ctx) error {
	if c.Client == nil {
		return resp.NewError("ERR PSYNC is for connections")
	}
	w := want{next: -1, old: len(c.Args) == 1} // SYNC
	if !w.old {
		v, err := strconv.ParseInt(string(c.Args[2]), 10, 64)
		if err != nil {
			return resp.ErrNotInteger
		}
		w.id, w.next = ID(c.Args[1]), v
		w.failover = len(c.Args) > 3 && command.Is(c.Args[3], "failover")
	}
	client := c.Client.ClientID()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.mayServeLocked(w); err != nil {
		return err
	}
	hs := handshake{}
	if h := r.mu.handshakes[client]; h != nil {
		hs = *h
		delete(r.mu.handshakes, client)
	}
	c.Client.Hijack(func(conn net.Conn, unread []byte) { r.attach(conn, unread, client, hs, w) })
	return nil
}

// want is what a replica asks for: PSYNC id next [FAILOVER], or SYNC.
type want struct {
	id       ID
	next     int64 // the first byte of the stream that it lacks, counted from 1; -1: all
	old      bool  // SYNC
	failover bool  // this node is to be a primary first
}

// mayServeLocked returns why a replica cannot be served now. Source of the texts: Redis
// 7.2, replication.c, syncCommand. REQUIRES: r.mu held.
func (r *Replication) mayServeLocked(w want) error {
	switch {
	case w.failover && r.o.Cluster:
		return errFailoverCluster
	case w.failover && !r.replica.Load():
		return resp.NewError("ERR PSYNC FAILOVER can't be sent to a master.")
	case w.failover && w.id != r.mu.history.id:
		return resp.NewError("ERR PSYNC FAILOVER replid must match my replid.")
	case w.failover:
		return nil
	case r.mu.failover != nil:
		return resp.NewError("NOMASTERLINK Can't SYNC while failing over")
	case r.o.Cluster && r.mu.recovered:
		return resp.NewError("NOMASTERLINK Can't SYNC while this node has no role yet")
	case r.replica.Load() && !r.linkUp.Load():
		return resp.NewError("NOMASTERLINK Can't SYNC while not connected with my master")
	}
	return nil
}

// attach serves a replica until its link ends.
func (r *Replication) attach(conn net.Conn, unread []byte, client uint64, hs handshake, w want) {
	if w.failover {
		if err := r.takeOver(); err != nil {
			r.log.Warn("not promoted for PSYNC FAILOVER", zap.Error(err))
			_ = conn.Close()
			return
		}
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	a := &attached{r: r, conn: conn, hs: hs, ip: hs.ip, id: client, born: r.mono(), acks: !w.old, cancel: cancel, first: make(chan struct{}), ackAt: r.mono(), syncedOffset: -1}
	if a.ip == "" {
		if host, _, err := net.SplitHostPort(conn.RemoteAddr().String()); err == nil {
			a.ip = host
		}
	}
	r.mu.Lock()
	if r.mu.closed {
		r.mu.Unlock()
		_ = conn.Close()
		return
	}
	if !hs.latest {
		r.plain.Store(true)
	}
	r.mu.replicas = append(r.mu.replicas, a)
	r.mu.noReplicas = 0
	r.wg.Add(1)
	r.mu.Unlock()
	defer r.wg.Done()

	read := make(chan struct{})
	go func() {
		defer close(read)
		a.readAcks(unread)
		a.end("link closed by the replica")
	}()
	log := r.log.With(zap.String("addr", conn.RemoteAddr().String()), zap.String("node", hs.node))
	err := a.serve(ctx, w)
	a.end(fmt.Sprint(err))
	r.mu.Lock()
	reader := a.reader
	r.mu.Unlock()
	if reader != nil {
		reader.Close()
	}
	<-read
	log.Info("replica gone", zap.Error(err))
}

// end takes the replica off and closes its connection. It may be called by anyone.
func (a *attached) end(why string) {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	a.endLocked(why)
}

func (a *attached) endLocked(why string) {
	if a.gone {
		return
	}
	a.gone = true
	r := a.r
	r.mu.replicas = slices.DeleteFunc(r.mu.replicas, func(o *attached) bool { return o == a })
	r.countGoodLocked()
	if len(r.mu.replicas) == 0 {
		r.mu.noReplicas = r.mono()
	}
	if a.reader != nil {
		a.reader.Stop() // what is being sent of it stays
	}
	a.cancel()
	_ = a.conn.Close() // the link is given up either way
	r.log.Info("dropping replica", zap.String("addr", a.conn.RemoteAddr().String()), zap.String("reason", why))
}

// dropReplicas ends every link to a replica.
func (r *Replication) dropReplicas(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropReplicasLocked(why)
}

func (r *Replication) dropReplicasLocked(why string) {
	for _, a := range slices.Clone(r.mu.replicas) {
		a.endLocked(why)
	}
}

// serve brings the replica in sync and sends it the stream.
func (a *attached) serve(ctx context.Context, w want) error {
	err := a.partial(w.id, w.next)
	if errors.Is(err, errPartial) {
		if w.next >= 0 && !w.old {
			a.r.stats.SyncPartialErr.Add(1)
		}
		err = a.full(ctx, w.old)
	}
	if err != nil {
		return err
	}
	return a.sendStream(ctx)
}

// partial answers +CONTINUE if the stream from next (counted from 1) on is held and of
// the replica's history.
func (a *attached) partial(id ID, next int64) error {
	r := a.r
	limit := r.settings().hardLimit()
	r.mu.Lock()
	if a.gone {
		r.mu.Unlock()
		return net.ErrClosed
	}
	if next <= 0 || !a.hs.latest && next-1 < r.mu.plainFrom || !r.mu.history.holds(id, next) || r.mu.dirty || !r.o.Log.Backlog().On {
		r.mu.Unlock()
		return errPartial
	}
	reader, err := r.o.Log.NewReader(next-1, limit)
	if err != nil {
		r.mu.Unlock()
		return errPartial
	}
	a.reader = reader
	a.state = stateOnline
	a.ackOffset, a.ackAt = next-1, r.mono()
	r.countGoodLocked()
	line := "+CONTINUE\r\n"
	if a.hs.psync2 {
		line = "+CONTINUE " + string(r.mu.history.id) + "\r\n"
	}
	if !r.replica.Load() {
		r.markStreamLocked()
	}
	r.mu.Unlock()
	r.stats.SyncPartialOK.Add(1)
	return a.write([]byte(line))
}

// write sends b, giving up a replica that takes nothing for the timeout.
func (a *attached) write(b []byte) error {
	timeout := a.r.settings().Timeout
	for len(b) > 0 {
		// In pieces, so that slow progress is progress.
		piece := b[:min(len(b), 256<<10)]
		if err := a.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		n, err := a.conn.Write(piece)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// sendStream copies the effect log to the replica.
func (a *attached) sendStream(ctx context.Context) error {
	for {
		b, err := a.reader.Next(ctx)
		if err != nil {
			return err
		}
		if err := a.write(b); err != nil {
			return err
		}
	}
}

// maxAckBytes bounds what is kept of a replica's input: REPLCONF ACK is short.
const maxAckBytes = 64 << 10

// readAcks takes REPLCONF ACK and newlines (a sign of life while it loads) off the
// connection until that ends.
func (a *attached) readAcks(unread []byte) {
	parser := resp.Parser{MaxBulk: maxAckBytes}
	buf := append(make([]byte, 0, max(4096, len(unread))), unread...)
	for {
		for {
			args, n, perr := parser.Next(buf)
			if perr != nil || n == 0 && len(buf) > maxAckBytes {
				return
			}
			if n == 0 {
				break
			}
			a.heard(args)
			buf = append(buf[:0], buf[n:]...)
		}
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		n, err := a.conn.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
	}
}

// heard takes what a replica says: REPLCONF ACK offset [FACK offset], or an empty line.
func (a *attached) heard(args [][]byte) {
	r := a.r
	r.mu.Lock()
	defer r.mu.Unlock()
	a.ackAt = r.mono()
	if len(args) < 3 || !command.Is(args[0], "replconf") || !command.Is(args[1], "ack") {
		return
	}
	offset, err := strconv.ParseInt(string(args[2]), 10, 64)
	if err != nil || offset < 0 {
		return
	}
	a.ackOffset = max(a.ackOffset, offset)
	if len(args) > 4 && command.Is(args[3], "fack") {
		if synced, err := strconv.ParseInt(string(args[4]), 10, 64); err == nil {
			a.syncedOffset = max(a.syncedOffset, synced)
		}
	}
	a.firstOnce.Do(func() { close(a.first) })
	r.ackedLocked()
	r.pokeFailoverLocked()
	r.o.InSync.acked()
}
