package replication

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// cut is the instant of a full sync.
type cut struct {
	snapshot *engine.Snapshot
	id       ID
	offset   int64
	streamDB int // database selected in the stream behind the cut, -1: none
	mark     Mark
}

// full sends a snapshot and leaves a.reader at its cut.
func (a *attached) full(ctx context.Context, old bool) error {
	r := a.r
	if err := a.awaitTurn(ctx); err != nil {
		return err
	}
	held := true
	release := func() {
		if held {
			held = false
			<-r.syncs
		}
	}
	defer release()
	c, err := a.takeCut()
	if err != nil {
		return err
	}
	defer c.snapshot.Close()
	r.stats.SyncFull.Add(1)
	if !old {
		line := "+FULLRESYNC " + string(c.id) + " " + strconv.FormatInt(c.offset, 10) + "\r\n"
		if err := a.write([]byte(line)); err != nil {
			return err
		}
	}
	if a.hs.eof && !old {
		err = a.sendMarked(c)
	} else {
		err = a.sendSized(c)
	}
	if errors.Is(err, engine.ErrSnapshotOverrun) {
		r.stats.SyncDropped.Add(1)
	}
	if err != nil {
		return fmt.Errorf("full sync: %w", err)
	}
	c.snapshot.Close()
	release()
	if a.hs.rdbOnly {
		a.reader.Close()
		return a.awaitClose(ctx)
	}
	if a.hs.eof && !old {
		// Behind an RDB of unknown length nothing may follow before the replica says
		// that it has seen the end: a redis-server looks for the end mark in whole reads.
		if err := a.awaitFirstAck(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a.state = stateOnline
	a.ackAt = r.mono()
	r.countGoodLocked()
	return nil
}

// awaitTurn waits until no other full sync holds a snapshot, sending newlines so that
// the replica knows this node alive.
func (a *attached) awaitTurn(ctx context.Context) error {
	for {
		select {
		case a.r.syncs <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-a.r.o.Clock.After(time.Second):
			if err := a.write([]byte("\n")); err != nil {
				return err
			}
		}
	}
}

// takeCut cuts a snapshot and opens the stream at the same instant.
func (a *attached) takeCut() (cut, error) {
	r := a.r
	set := r.settings()
	var c cut
	var failed error
	snap, err := r.o.Keyspace.Snapshot(engine.SnapshotOptions{
		DB:         -1,
		QueueBytes: r.o.SyncQueueBytes,
		AtCut: func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if a.gone || r.mu.dirty {
				failed = errors.New("replication: no data to send any more")
				return
			}
			if !r.o.Log.Backlog().On {
				// Effects before now may not have been counted: this is a history of its
				// own (as Redis does it when it creates its backlog).
				r.mu.history = newHistory()
				r.o.Log.SetBacklog(true, set.BacklogBytes)
			}
			r.stats.Cuts.Add(1)
			c.offset = r.o.Log.Cut()
			var reader *effects.Reader
			if reader, failed = r.o.Log.NewReader(c.offset, set.OutputHardBytes); failed != nil {
				return
			}
			a.reader = reader
			a.state = stateSend
			a.ackOffset, a.ackAt = c.offset, r.mono()
			c.id, c.mark, c.streamDB = r.mu.history.id, r.mu.mark, -1
			if r.replica.Load() {
				c.streamDB = r.mu.streamDB
			} else {
				r.markStreamLocked()
			}
		},
	})
	if err != nil {
		return c, err
	}
	if failed != nil {
		snap.Close()
		return c, failed
	}
	c.snapshot = snap
	return c, nil
}

// sendMarked sends the RDB as it is made, between two copies of a random mark.
func (a *attached) sendMarked(c cut) error {
	var random [20]byte
	_, _ = rand.Read(random[:]) // it never fails (crypto/rand)
	mark := hex.EncodeToString(random[:])
	if err := a.write([]byte("$EOF:" + mark + "\r\n")); err != nil {
		return err
	}
	if err := a.writeRDB(writerFunc(a.write), c); err != nil {
		return err
	}
	return a.write([]byte(mark))
}

// sendSized sends the RDB with its length before it, as replicas without "capa eof"
// want it: it is written to an unlinked file first.
func (a *attached) sendSized(c cut) error {
	f, err := os.CreateTemp("", "redwing-sync-*.rdb")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	// The replica waits meanwhile; newlines tell it that this node lives.
	pulse := time.Now()
	err = a.writeRDB(writerFunc(func(b []byte) error {
		if time.Since(pulse) > time.Second {
			pulse = time.Now()
			if err := a.write([]byte("\n")); err != nil {
				return err
			}
		}
		_, err := f.Write(b)
		return err
	}), c)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := a.write(fmt.Appendf(nil, "$%d\r\n", size)); err != nil {
		return err
	}
	_, err = io.Copy(writerFunc(a.write), f)
	return err
}

type writerFunc func(b []byte) error

func (f writerFunc) Write(b []byte) (int, error) {
	if err := f(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// writeRDB encodes the snapshot. Encoding and sending happen outside every lock.
func (a *attached) writeRDB(w io.Writer, c cut) error {
	r := a.r
	set := r.settings()
	out := rdb.NewWriter(w, rdb.WriterOptions{
		Compress: !set.NoCompress, Checksum: !set.NoChecksum,
		Sizes: func(db int) (uint64, uint64) {
			return uint64(r.o.Keyspace.Len(db)), uint64(r.o.Keyspace.Expires(db))
		},
	})
	aux := [][2]string{
		{"redis-ver", redisVersion},
		{"redis-bits", "64"},
		{"ctime", strconv.FormatInt(r.o.Clock.Now().Unix(), 10)},
		{"used-mem", strconv.FormatInt(r.o.Keyspace.UsedMemory(), 10)},
		{"repl-stream-db", strconv.Itoa(max(c.streamDB, 0))},
		{"repl-id", string(c.id)},
		{"repl-offset", strconv.FormatInt(c.offset, 10)},
		{"aof-base", "0"},
	}
	if c.streamDB < 0 {
		// The stream selects its database before its first effect.
		aux = append(aux[:4], aux[5:]...)
	}
	if s := c.mark.String(); s != "" {
		aux = append(aux, [2]string{auxMark, s})
	}
	for _, f := range aux {
		if err := out.Aux(f[0], f[1]); err != nil {
			return err
		}
	}
	var batch engine.Batch
	for {
		err := c.snapshot.Next(&batch)
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return err
		}
		err = batch.Each(func(e engine.Entry) error {
			if e.Type != engine.TypeString {
				return fmt.Errorf("key %.64q: no RDB form of a %s", e.Key, e.Type)
			}
			return out.Key(rdb.Key{DB: e.DB, Key: e.Key, Value: e.Value, ExpireAt: e.ExpireAt})
		})
		if err != nil {
			return err
		}
	}
}

// redisVersion is the version that RDB files name, for tools that look at it.
const redisVersion = "7.2.4"

// awaitFirstAck waits while the replica loads. It is silent for at most the timeout.
func (a *attached) awaitFirstAck(ctx context.Context) error {
	for {
		select {
		case <-a.first:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-a.r.o.Clock.After(time.Second):
		}
		timeout := a.r.settings().Timeout
		a.r.mu.Lock()
		silent := since(a.r.mono(), a.ackAt)
		a.r.mu.Unlock()
		if silent > timeout {
			return fmt.Errorf("replication: replica silent for %v while loading", silent)
		}
	}
}

// awaitClose waits for a client that wanted the RDB alone to hang up.
func (a *attached) awaitClose(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.r.o.Clock.After(a.r.settings().Timeout):
		return errors.New("replication: RDB sent")
	}
}
