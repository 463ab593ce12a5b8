package aof

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"
)

// Load reads the manifest and loads the files that it names. Files is 0 in the answer
// where there is no AOF. A single file of Redis before 7 is moved into the folder and
// becomes its base. The AOF must be off or on with nobody writing; the manifest stays the
// one that Start goes on from.
func (a *AOF) Load(t Target, o LoadOptions) (Loaded, error) {
	a.files.Lock()
	defer a.files.Unlock()
	l := &loader{a: a, o: o, target: t, out: Loaded{DB: -1}}
	m, err := a.readManifest()
	if err != nil {
		return l.out, err
	}
	if m, err = a.upgrade(m); err != nil {
		return l.out, err
	}
	a.files.manifest = m
	if m.Empty() {
		return l.out, nil
	}
	if err := a.removeTemps(); err != nil {
		return l.out, err
	}
	var names []string
	if m.Base != nil {
		names = append(names, m.Base.Name)
	}
	for _, f := range m.Incrs {
		names = append(names, f.Name)
	}
	for i, name := range names {
		if err := l.load(name, i == len(names)-1); err != nil {
			return l.out, err
		}
		size := l.out.end.size
		if i == len(names)-1 && len(m.Incrs) > 0 {
			a.current.Store(size)
			break
		}
		if i == 0 {
			a.older.Store(0)
		}
		a.older.Add(size)
	}
	if len(m.Incrs) == 0 {
		l.out.end = resume{}
	}
	a.base.Store(a.older.Load() + a.current.Load())
	a.dropHistory()
	return l.out, nil
}

// Exists reports whether there is an AOF to load, of whatever form.
func (a *AOF) Exists() (bool, error) {
	for _, path := range []string{a.path(manifestName(a.o.Name)), filepath.Join(a.o.Dir, a.o.Name)} {
		_, err := a.o.FS.Stat(path)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// TotalBytes returns how many bytes there are to load, as far as that can be told.
func (a *AOF) TotalBytes() (total int64) {
	a.files.Lock()
	defer a.files.Unlock()
	m, err := a.readManifest()
	if err != nil {
		return 0
	}
	names := []string{filepath.Join(a.o.Dir, a.o.Name)}
	if m.Base != nil {
		names = append(names, a.path(m.Base.Name))
	}
	for _, f := range m.Incrs {
		names = append(names, a.path(f.Name))
	}
	for _, name := range names {
		if st, err := a.o.FS.Stat(name); err == nil {
			total += st.Size()
		}
	}
	return total
}

// readManifest reads the manifest; it is empty where there is none.
func (a *AOF) readManifest() (*Manifest, error) {
	path := a.path(manifestName(a.o.Name))
	f, err := a.o.FS.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &Manifest{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// upgrade turns the single file of Redis before 7, if that is what there is, into a base.
// The order is Redis': a crash between the two steps is met by the next start.
func (a *AOF) upgrade(m *Manifest) (*Manifest, error) {
	old := filepath.Join(a.o.Dir, a.o.Name)
	named := m.Base != nil && m.Base.Name == a.o.Name && len(m.Incrs) == 0
	if !m.Empty() && !named {
		return m, nil
	}
	if _, err := a.o.FS.Stat(old); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return m, nil
		}
		return nil, err
	}
	if named {
		if _, err := a.o.FS.Stat(a.path(a.o.Name)); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	if err := a.makeDir(); err != nil {
		return nil, err
	}
	if !named {
		m = &Manifest{Base: &File{Name: a.o.Name, Seq: 1, Kind: Base}, History: m.History}
		if err := a.writeManifest(m); err != nil {
			return nil, err
		}
	}
	if err := a.o.FS.Rename(old, a.path(a.o.Name)); err != nil {
		return nil, err
	}
	if err := errors.Join(a.o.FS.SyncDir(a.dir()), a.o.FS.SyncDir(a.o.Dir)); err != nil {
		return nil, err
	}
	a.log.Info("old append-only file moved", zap.String("file", a.path(a.o.Name)))
	return m, nil
}

// removeTemps removes what a process that crashed was writing.
func (a *AOF) removeTemps() error {
	entries, err := a.o.FS.ReadDir(a.dir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "temp-") && !e.IsDir() {
			if err := a.o.FS.Remove(a.path(e.Name())); err != nil {
				a.log.Warn("temporary file not removed", zap.String("file", e.Name()), zap.Error(err))
			}
		}
	}
	return nil
}

// Start begins to write behind what Load has loaded; s is where the log stands. There must
// be a base or an increment: where there is none, Rewrite makes the first. REQUIRES: all
// data shards locked.
func (a *AOF) Start(from Loaded, s Stream) error {
	a.files.Lock()
	defer a.files.Unlock()
	at := s.Offset
	var file *appendFile
	var err error
	if r := from.end; r.name != "" {
		file, err = openFile(a.o.FS, a.path(r.name), r.size, r.sum, at, s.Mark)
	} else {
		var f File
		if file, f, err = a.newIncr(at, s.Mark); err == nil {
			m := a.files.manifest.clone()
			m.Incrs = append(m.Incrs, f)
			if err = a.writeManifest(m); err != nil {
				err = errors.Join(err, file.f.Close())
			}
		}
	}
	if err != nil {
		return err
	}
	reader, err := a.o.Log.NewReader(at, dropFactor*a.o.LagBytes)
	if err != nil {
		return errors.Join(err, file.f.Close())
	}
	a.o.Log.TrackSlots()
	a.o.Log.KeepActive(true)
	a.mu.Lock()
	defer a.mu.Unlock()
	w := newWriter(a, file, reader, at, s)
	a.writer.Store(w)
	a.synced.Store(at)
	a.written.Store(at)
	a.current.Store(file.size)
	a.setStateLocked(On)
	go w.run()
	return nil
}
