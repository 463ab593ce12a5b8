package replication

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// cut is the instant of a full sync.
type cut struct {
	snapshot *engine.Snapshot
	spill    io.Closer // its file
	id       ID
	offset   int64
	streamDB int // database selected in the stream behind the cut, -1: none
	mark     Mark
}

// close ends the snapshot. It may be called again.
func (c *cut) close() {
	c.snapshot.Close()
	_ = c.spill.Close() // nothing in it is wanted any more
}

// full sends a snapshot and leaves a.reader at its cut.
func (a *attached) full(ctx context.Context, old bool) error {
	r := a.r
	if !a.hs.latest && r.o.Keyspace.HasFieldExpiry() {
		return a.refuse(errFieldExpiry)
	}
	if err := a.awaitOutside(ctx); err != nil {
		return err
	}
	marked := a.hs.eof && !old
	send := a.sendAlone
	if marked {
		send = a.sendShared
	}
	if err := send(ctx, old); err != nil {
		return fmt.Errorf("full sync: %w", err)
	}
	if a.hs.rdbOnly {
		a.reader.Close()
		return a.awaitClose(ctx)
	}
	if marked {
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

// awaitTurn waits until no other snapshot of the node is under way, sending newlines so
// that the replica knows this node alive.
func (a *attached) awaitTurn(ctx context.Context) error {
	for {
		taken, err := a.r.o.Turns.Take(ctx, persist.TurnSync, a.r.o.Clock.After(time.Second))
		if taken || err != nil {
			return err
		}
		if err := a.write([]byte("\n")); err != nil {
			return err
		}
	}
}

// sendAlone sends the RDB with its length before it.
func (a *attached) sendAlone(ctx context.Context, old bool) error {
	if err := a.awaitTurn(ctx); err != nil {
		return err
	}
	defer a.r.o.Turns.Done()
	c, err := a.r.takeCut(func() []*attached { return []*attached{a} })
	if err != nil {
		return err
	}
	defer c.close()
	if !old {
		if err := a.write(c.announcement()); err != nil {
			return err
		}
	}
	err = a.sendSized(ctx, c)
	a.r.noteDropped(err)
	return err
}

// announcement is the reply to PSYNC.
func (c *cut) announcement() []byte {
	return fmt.Appendf(nil, "+FULLRESYNC %s %d\r\n", c.id, c.offset)
}

// noteDropped counts a full sync that was given up since its snapshot got too far behind.
func (r *Replication) noteDropped(err error) {
	if errors.Is(err, engine.ErrSnapshotOverrun) {
		r.stats.SyncDropped.Add(1)
	}
}

// takeCut cuts a snapshot and opens the stream at the same instant for those of the
// replicas that are there still; list is called once, under r.mu.
func (r *Replication) takeCut(list func() []*attached) (cut, error) {
	set := r.settings()
	var c cut
	var failed error
	spill, err := disk.Unlinked(r.o.Dir())
	if err != nil {
		return c, err
	}
	snap, err := r.o.Keyspace.Snapshot(engine.SnapshotOptions{
		DB:         -1,
		QueueBytes: r.o.SyncQueueBytes,
		Spill:      spill, SpillBytes: set.OutputHardBytes,
		AtCut: func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			replicas := slices.DeleteFunc(list(), func(a *attached) bool { return a.gone })
			if len(replicas) == 0 || r.mu.dirty {
				failed = errors.New("replication: no data to send any more, or nobody to send them to")
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
			for _, a := range replicas {
				var reader *effects.Reader
				if reader, failed = r.o.Log.NewReader(c.offset, set.hardLimit()); failed != nil {
					return
				}
				r.stats.SyncFull.Add(1)
				a.reader = reader
				a.state = stateSend
				a.ackOffset, a.ackAt = c.offset, r.mono()
				if !a.hs.latest {
					r.mu.plainFrom = c.offset
				}
			}
			c.id, c.mark, c.streamDB = r.mu.history.id, r.mu.mark, -1
			if r.replica.Load() {
				c.streamDB = r.mu.streamDB
			} else {
				r.markStreamLocked()
			}
		},
	})
	if err != nil {
		return c, errors.Join(err, spill.Close())
	}
	c.snapshot, c.spill = snap, spill
	if failed != nil {
		c.close()
		return cut{}, failed
	}
	return c, nil
}

// sendSized sends the RDB with its length before it, as replicas without "capa eof"
// want it: it is written to an unlinked file first.
func (a *attached) sendSized(ctx context.Context, c cut) error {
	f, err := disk.Unlinked(a.r.o.Dir())
	if err != nil {
		return err
	}
	defer f.Close()
	// The replica waits meanwhile; newlines tell it that this node lives.
	pulse := time.Now()
	err = a.r.writeRDB(ctx, writerFunc(func(b []byte) error {
		if time.Since(pulse) > time.Second {
			pulse = time.Now()
			if err := a.write([]byte("\n")); err != nil {
				return err
			}
		}
		_, err := f.Write(b)
		return err
	}), c, a.hs.latest)
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
func (r *Replication) writeRDB(ctx context.Context, w io.Writer, c cut, latest bool) error {
	set := r.settings()
	o := persist.WriteOptions{
		Version: rdb.Version, Compress: !set.NoCompress, Checksum: !set.NoChecksum,
		Position:  persist.Position{ReplID: string(c.id), Offset: c.offset, StreamDB: c.streamDB, Mark: c.mark.String()},
		Libraries: r.o.Libraries.All(), AlwaysIdle: latest, NowMillis: r.o.Clock.Now().UnixMilli(),
	}
	if latest {
		o.Version = rdb.VersionLatest
	}
	_, err := persist.Write(ctx, w, r.o.Keyspace, c.snapshot, o)
	return err
}

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
