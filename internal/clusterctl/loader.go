package clusterctl

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// loader reads one file of a backup into the cluster. What the cluster has not clearly
// taken is read once more.
type loader struct {
	run  *restoreRun
	file string

	failures struct {
		sync.Mutex
		keys map[string]error
		met  map[string]bool // the cluster had them
	}
	// begun are the values in parts that this restore has begun to write: they are its own,
	// even if the cluster has them.
	begun map[string]bool
	there bits // keys of the file, by their place in it, that need not be written
}

// maxPasses bounds how often a file is read.
const maxPasses = 10

// each calls f with every key of the file, whose place is i.
func (l *loader) each(ctx context.Context, f func(i int64, r *rdb.Reader) error) error {
	file, err := l.run.r.fsys.OpenFile(filepath.Join(l.run.r.dir, l.file), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	sc := newScan(file, nil)
	for {
		more, err := sc.next()
		if err != nil || !more {
			return err
		}
		if string(sc.rdb.Key.Key) == restoreKey {
			continue // of a restore that was under way when the backup was made
		}
		if err := f(sc.keys-1, sc.rdb); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// soon is how far ahead an expiry may be for its key or field to be gone on one side.
const soon = time.Minute

// compare holds what the cluster has against the file. It finds what need not be written,
// and refuses what this restore has not left.
func (l *loader) compare(ctx context.Context) error {
	check := l.run.target.NewCheck(time.Now().Add(soon).UnixMilli(), func(i int64, key []byte, want, have transfer.Value) error {
		l.run.keys.Add(1)
		if !have.There {
			return nil
		}
		l.run.held.Add(1)
		switch {
		case have.Same(want):
			l.there.set(i)
			l.run.skipped.Add(1)
		case !l.begun[string(key)]:
			return foreign("key %.64q is not as in the backup", key)
		}
		return nil
	})
	if err := l.each(ctx, check.Key); err != nil {
		return err
	}
	return check.Flush()
}

// load writes what is missing.
func (l *loader) load(ctx context.Context) error {
	l.failures.keys, l.failures.met = map[string]error{}, map[string]bool{}
	var again map[string]error // nil: all keys
	for range maxPasses {
		if err := l.pass(ctx, again); err != nil {
			return err
		}
		l.failures.Lock()
		again, l.failures.keys = l.failures.keys, map[string]error{}
		l.failures.Unlock()
		if len(again) == 0 {
			return nil
		}
	}
	for key, err := range again {
		return fmt.Errorf("%d keys cannot be written, such as %.64q: %w", len(again), key, err)
	}
	return nil
}

func (l *loader) pass(ctx context.Context, only map[string]error) error {
	sender := l.run.target.Sender(l.failed, l.met)
	var open []byte // the value in parts that is being written
	enc := transfer.Encoder{Replace: l.run.r.o.Replace, Emit: sender.Send, Exists: func(key []byte) (bool, error) {
		if !l.begun[string(key)] {
			there, err := sender.Exists(key)
			if there {
				l.met(key)
			}
			if there || err != nil {
				return there, err
			}
			if err := l.run.mark.open(key); err != nil {
				return false, err
			}
			l.begun[string(key)] = true
		}
		open = append(open[:0], key...)
		return false, nil
	}}
	err := l.each(ctx, func(i int64, r *rdb.Reader) error {
		if only == nil {
			l.run.keys.Add(1)
			if !transfer.Passing(r) {
				l.run.lasting.Add(1)
			}
			if l.there.has(i) {
				return nil
			}
		} else if only[string(r.Key.Key)] == nil {
			return nil
		}
		open = open[:0]
		// A whole value replaces what is left of one in parts.
		enc.Replace = l.run.r.o.Replace || l.begun[string(r.Key.Key)]
		if enc.Replace && !l.run.r.o.Replace {
			open = append(open, r.Key.Key...)
		}
		if err := enc.Key(r); err != nil || len(open) == 0 {
			return err
		}
		if err := sender.Settle(); err != nil || l.hasFailed(open) {
			return err
		}
		return l.run.mark.whole(open)
	})
	if err != nil {
		return err
	}
	if err := sender.Settle(); err != nil {
		return err
	}
	l.run.target.Confirm() // what a node has taken with it is read once more
	return nil
}

// failed notes keys that the cluster has not clearly taken.
func (l *loader) failed(keys [][]byte, why error) {
	l.failures.Lock()
	defer l.failures.Unlock()
	for _, k := range keys {
		l.failures.keys[string(k)] = why
	}
}

func (l *loader) hasFailed(key []byte) bool {
	l.failures.Lock()
	defer l.failures.Unlock()
	return l.failures.keys[string(key)] != nil
}

// met notes a key that the cluster had: its own, or one that this restore has written
// without hearing of it.
func (l *loader) met(key []byte) {
	l.failures.Lock()
	defer l.failures.Unlock()
	if l.run.r.o.Merge {
		l.run.kept.Add(1)
	} else {
		l.failures.met[string(key)] = true
	}
}

// verifyKeys is about how many keys of a file are read back in the end.
const verifyKeys = 1000

// verify reads some keys back, and all that the cluster was found to have meanwhile.
func (l *loader) verify(ctx context.Context) error {
	step := l.run.r.manifest.keysOf(l.file)/verifyKeys + 1
	from := time.Now().Add(soon).UnixMilli()
	check := l.run.target.NewCheck(from, func(_ int64, key []byte, want, have transfer.Value) error {
		switch {
		case have.Same(want):
			l.run.compared.Add(1)
		case have.There || !want.Passing:
			return foreign("key %.64q is not as in the backup", key)
		}
		return nil
	})
	err := l.each(ctx, func(i int64, r *rdb.Reader) error {
		l.run.keys.Add(1)
		if i%step != 0 && !l.failures.met[string(r.Key.Key)] {
			return nil
		}
		return check.Key(i, r)
	})
	if err != nil {
		return err
	}
	return check.Flush()
}

// bits is a set of small numbers.
type bits []uint64

func (b *bits) set(i int64) {
	for int64(len(*b)) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bits) has(i int64) bool { return i/64 < int64(len(b)) && b[i/64]&(1<<(i%64)) != 0 }
