package persist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// syncBytes is how much of a file is written between two syncs (as Redis): less waits in
// the page cache for the last one.
const syncBytes = 4 << 20

// WriteOptions say how a snapshot is written.
type WriteOptions struct {
	// Version is that of the RDB, rdb.Version to rdb.VersionLatest. 0: rdb.Version, and in
	// a file the latest if the data need it.
	Version            int
	Compress, Checksum bool
	// AOFBase says that the file is the base of an append-only file.
	AOFBase bool
	// Position goes into the file where anything of it is known.
	Position Position
	// Libraries are the sources of the function libraries.
	Libraries [][]byte
	// AlwaysIdle writes the access times whatever the policy; otherwise, as in Redis, where
	// it goes by them.
	AlwaysIdle bool
	// NoSync leaves the file alone but for writing: no sync every few MiB
	// (rdb-save-incremental-fsync no).
	NoSync bool
	// KeyDelay is waited for each key (rdb-key-save-delay).
	KeyDelay time.Duration
	// NowMillis is the Unix time that the file names. 0: now.
	NowMillis int64
	// Progress, if set, is told how many keys more were written, every batch.
	Progress func(keys int)
}

// Written is what a write has written.
type Written struct {
	Keys, Bytes int64
	Version     int
}

// Write writes a snapshot of ks, which it walks to its end, as an RDB. It ends early with
// the error of ctx, which is looked at between batches and writes. Encoding and writing
// happen outside every lock. The caller closes snap.
func Write(ctx context.Context, w io.Writer, ks *engine.Keyspace, snap *engine.Snapshot, o WriteOptions) (Written, error) {
	out, n, err := write(ctx, w, ks, snap, o, false)
	if err != nil {
		return Written{}, err
	}
	return Written{Keys: n, Bytes: out.Written(), Version: max(o.Version, rdb.Version)}, nil
}

// WriteFile is Write to a file that is empty; behind it the file is whole, though not
// synced. f is closed by the caller.
func WriteFile(ctx context.Context, f disk.File, ks *engine.Keyspace, snap *engine.Snapshot, o WriteOptions) (Written, error) {
	var w io.Writer = f
	if !o.NoSync {
		w = &syncing{f: f}
	}
	out, n, err := write(ctx, w, ks, snap, o, o.Version == 0)
	if err != nil {
		return Written{}, err
	}
	done := Written{Keys: n, Bytes: out.Written(), Version: max(o.Version, rdb.Version)}
	if header := out.Header(); header != nil {
		done.Version = rdb.VersionLatest
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return Written{}, err
		}
		if _, err := f.Write(header); err != nil {
			return Written{}, err
		}
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			return Written{}, err
		}
	}
	return done, nil
}

// write writes the RDB and returns its writer, closed.
func write(ctx context.Context, w io.Writer, ks *engine.Keyspace, snap *engine.Snapshot, o WriteOptions, raise bool) (out *rdb.Writer, keys int64, err error) {
	if o.Version == 0 {
		o.Version = rdb.Version
	}
	if o.NowMillis == 0 {
		o.NowMillis = time.Now().UnixMilli()
	}
	pace := newPace()
	out = rdb.NewWriter(&ending{ctx, w, pace}, rdb.WriterOptions{
		Version: o.Version, Compress: o.Compress, Checksum: o.Checksum,
		Sizes: func(db int) (uint64, uint64) { return uint64(ks.Len(db)), uint64(ks.Expires(db)) },
	})
	if err := writeHead(out, ks, &o); err != nil {
		return nil, 0, err
	}
	policy := ks.Eviction().Policy
	saver := Saver{
		Out: out, Version: o.Version, Raise: raise, NowMillis: o.NowMillis, Freq: policy.LFU(),
		Idle: o.AlwaysIdle || policy == engine.AllKeysLRU || policy == engine.VolatileLRU,
	}
	var batch engine.Batch
	for {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		err := snap.Next(&batch)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		n := 0
		err = batch.Each(func(e engine.Entry) error {
			n++
			return saver.Save(&e)
		})
		if err != nil {
			return nil, 0, err
		}
		keys += int64(n)
		pace.rest()
		if o.Progress != nil {
			o.Progress(n)
		}
		if err := pause(ctx, time.Duration(n)*o.KeyDelay); err != nil {
			return nil, 0, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, 0, err
	}
	return out, keys, ctx.Err()
}

// ending is a writer that fails when ctx ends, and rests: a big value is written in one go.
type ending struct {
	ctx  context.Context
	w    io.Writer
	pace *pace
}

func (e *ending) Write(b []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := e.w.Write(b)
	e.pace.rest()
	return n, err
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// writeHead writes what stands before the keys, in Redis' order.
func writeHead(out *rdb.Writer, ks *engine.Keyspace, o *WriteOptions) error {
	fields := [][2]string{
		{auxVersion, redisVersion},
		{auxBits, "64"},
		{auxCTime, strconv.FormatInt(o.NowMillis/1000, 10)},
		{auxUsedMem, strconv.FormatInt(ks.UsedMemory(), 10)},
	}
	fields = append(fields, o.Position.fields()...)
	base := "0"
	if o.AOFBase {
		base = "1"
	}
	fields = append(fields, [2]string{auxAOFBase, base})
	if o.Position.Mark != "" {
		fields = append(fields, [2]string{AuxMark, o.Position.Mark})
	}
	for _, f := range fields {
		if err := out.Aux(f[0], f[1]); err != nil {
			return err
		}
	}
	for _, code := range o.Libraries {
		if err := out.Function(code); err != nil {
			return err
		}
	}
	return nil
}

// syncing syncs a file every few MiB that are written to it.
type syncing struct {
	f     disk.File
	since int
}

func (s *syncing) Write(b []byte) (int, error) {
	n, err := s.f.Write(b)
	if err != nil {
		return n, err
	}
	if s.since += n; s.since < syncBytes {
		return n, nil
	}
	s.since = 0
	if err := s.f.Sync(); err != nil {
		return n, fmt.Errorf("sync: %w", err)
	}
	return n, nil
}
