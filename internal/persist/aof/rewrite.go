package aof

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/disk"
)

// errManifest wraps an error behind which nobody knows which manifest stands on disk: the
// old one or the new one.
var errManifest = errors.New("aof: the manifest was not written")

// writeManifest puts m in the place of the manifest. REQUIRES: a.files held.
func (a *AOF) writeManifest(m *Manifest) error {
	err := disk.Replace(a.o.FS, a.path(manifestName(a.o.Name)), tempManifestName(a.o.Name), 0o644, func(f disk.File) error {
		_, err := f.Write(m.Append(nil))
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errManifest, err)
	}
	a.files.manifest = m
	return nil
}

// makeDir makes the folder of the files.
func (a *AOF) makeDir() error {
	err := a.o.FS.Mkdir(a.dir(), 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.o.FS.SyncDir(a.o.Dir)
}

// newIncr makes an increment that the manifest does not name yet. REQUIRES: a.files held.
func (a *AOF) newIncr(offset int64, mark string) (*appendFile, File, error) {
	a.files.incrSeq = max(a.files.incrSeq+1, a.files.manifest.nextSeq(Incr))
	seq := a.files.incrSeq
	f := File{Name: incrName(a.o.Name, seq), Seq: seq, Kind: Incr}
	file, err := createFile(a.o.FS, a.path(f.Name), offset, mark)
	if err != nil {
		return nil, f, err
	}
	if err := a.o.FS.SyncDir(a.dir()); err != nil {
		return nil, f, errors.Join(err, file.f.Close(), a.o.FS.Remove(a.path(f.Name)))
	}
	return file, f, nil
}

// addIncr makes an increment that follows those there are.
func (a *AOF) addIncr(offset int64, mark string) (*appendFile, error) {
	a.files.Lock()
	defer a.files.Unlock()
	file, f, err := a.newIncr(offset, mark)
	if err != nil {
		return nil, err
	}
	m := a.files.manifest.clone()
	m.Incrs = append(m.Incrs, f)
	if err := a.writeManifest(m); err != nil {
		return nil, errors.Join(err, file.f.Close())
	}
	a.older.Add(a.current.Swap(0))
	return file, nil
}

// Rewrite writes the data set as a new base and deletes what it makes needless. On an AOF
// that is on, effects go to a new increment from the cut on. On any other one enable says
// whether it is to be on behind it; else the base is all there is. It returns when all is
// done; one runs at a time. On an error the files are those that were there before.
func (a *AOF) Rewrite(ctx context.Context, enable bool) (err error) {
	if a.busy.Swap(true) {
		return ErrBusy
	}
	defer a.busy.Store(false)
	if err := a.makeDir(); err != nil {
		return err
	}
	switch {
	case a.State() == On:
		err = a.rewriteOn(ctx)
	case enable:
		err = a.rewriteAnew(ctx)
	default:
		err = a.rewriteOff(ctx)
	}
	if err == nil {
		a.done.Add(1)
		a.base.Store(a.older.Load() + a.current.Load())
	}
	return err
}

// rewriteOn turns to a new increment at the cut, writes the base, and drops what was before.
func (a *AOF) rewriteOn(ctx context.Context) error {
	t := &turn{done: make(chan error, 1)}
	snap, err := a.o.Cut(ctx, func(Stream) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		w := a.writer.Load()
		if w == nil || w.mu.stopping {
			return ErrClosed
		}
		t.offset = a.o.Log.Cut()
		a.mu.turn = t
		w.kickNow()
		return nil
	})
	if err != nil {
		return err
	}
	defer snap.Close()
	if err := <-t.done; err != nil {
		return fmt.Errorf("new increment: %w", err)
	}
	a.files.Lock()
	incrs := a.files.manifest.Incrs
	first := incrs[len(incrs)-1]
	a.files.Unlock()
	return a.replaceBase(snap, &first)
}

// rewriteOff writes a base that nothing follows.
func (a *AOF) rewriteOff(ctx context.Context) error {
	snap, err := a.o.Cut(ctx, func(Stream) error { return nil })
	if err != nil {
		return err
	}
	defer snap.Close()
	return a.replaceBase(snap, nil)
}

// replaceBase writes snap as the new base. Increments before first are dropped, all of
// them if it is nil.
func (a *AOF) replaceBase(snap Snapshot, first *File) error {
	f, size, err := a.writeBase(snap)
	if err != nil {
		return err
	}
	a.files.Lock()
	defer a.files.Unlock()
	m := &Manifest{Base: &f, History: a.files.manifest.clone().History}
	if old := a.files.manifest.Base; old != nil {
		m.History = append(m.History, File{old.Name, old.Seq, History})
	}
	known := false
	for _, incr := range a.files.manifest.Incrs {
		if first != nil && incr.Seq >= first.Seq {
			m.Incrs = append(m.Incrs, incr)
			known = true
			continue
		}
		m.History = append(m.History, File{incr.Name, incr.Seq, History})
	}
	if first != nil && !known {
		m.Incrs = append(m.Incrs, *first)
	}
	if err := a.writeManifest(m); err != nil {
		return err
	}
	a.older.Store(size)
	a.dropHistory()
	return nil
}

// writeBase writes snap to a file that the manifest does not name yet.
func (a *AOF) writeBase(snap Snapshot) (f File, size int64, err error) {
	a.files.Lock()
	a.files.baseSeq = max(a.files.baseSeq+1, a.files.manifest.nextSeq(Base))
	f = File{Name: baseName(a.o.Name, a.files.baseSeq), Seq: a.files.baseSeq, Kind: Base}
	a.files.Unlock()
	err = disk.Replace(a.o.FS, a.path(f.Name), tempBaseName(a.o.Name), 0o644, func(out disk.File) error {
		if err := snap.Write(out); err != nil {
			return err
		}
		st, err := out.Stat()
		if err == nil {
			size = st.Size()
		}
		return err
	})
	if err != nil {
		return f, 0, fmt.Errorf("base %s: %w", f.Name, err)
	}
	return f, size, nil
}

// dropHistory deletes the files that nobody needs. Their names stay in the manifest until
// they are gone. REQUIRES: a.files held.
func (a *AOF) dropHistory() {
	if a.o.KeepHistory() || len(a.files.manifest.History) == 0 {
		return
	}
	m := a.files.manifest.clone()
	m.History = nil
	for _, f := range a.files.manifest.History {
		if err := a.o.FS.Remove(a.path(f.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.log.Warn("file of an old append-only file not removed", zap.String("file", f.Name), zap.Error(err))
			m.History = append(m.History, f)
		}
	}
	if err := a.writeManifest(m); err != nil {
		a.log.Warn("manifest still names files that are gone", zap.Error(err))
	}
}

// rewriteAnew begins an increment at the cut of a new base; both are in force together.
func (a *AOF) rewriteAnew(ctx context.Context) error {
	a.files.Lock()
	file, f, err := a.newIncr(0, "")
	a.files.Unlock()
	if err != nil {
		return err
	}
	var w *writer
	snap, err := a.o.Cut(ctx, func(s Stream) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		at := s.Offset
		reader, err := a.o.Log.NewReader(at, dropFactor*a.o.LagBytes)
		if err != nil {
			return err
		}
		a.o.Log.TrackSlots()
		a.o.Log.KeepActive(true)
		file.mark(s.Mark)
		file.check(at) // the first that knows the offset
		w = newWriter(a, file, reader, at, s)
		w.mu.provisional = true
		a.writer.Store(w)
		a.synced.Store(at)
		a.written.Store(at)
		a.setStateLocked(Starting)
		return nil
	})
	if err != nil {
		err = errors.Join(err, file.f.Close(), a.o.FS.Remove(a.path(f.Name)))
		return err
	}
	defer snap.Close()
	go w.run()
	if err = a.replaceBase(snap, &f); err == nil {
		err = a.confirm(w)
	}
	if err == nil {
		return nil
	}
	a.abandon(w)
	if !errors.Is(err, errManifest) {
		err = errors.Join(err, a.o.FS.Remove(a.path(f.Name)))
	}
	return err
}

// confirm puts a provisional writer in force: its base is there.
func (a *AOF) confirm(w *writer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.mu.stopping && w.mu.why == nil {
		return ErrClosed
	}
	if w.mu.why != nil {
		return fmt.Errorf("the new increment ended before its base was there: %w", w.mu.why)
	}
	w.mu.provisional = false
	a.failure.Store(nil)
	a.setStateLocked(On)
	w.kickNow()
	return nil
}

// abandon ends a provisional writer whose base did not come to be.
func (a *AOF) abandon(w *writer) {
	a.mu.Lock()
	if a.writer.Load() == w {
		w.mu.stopping, w.mu.until = true, 0
		w.kickNow()
	}
	a.mu.Unlock()
	<-w.done
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.State() == Starting {
		a.setStateLocked(Broken)
	}
}
