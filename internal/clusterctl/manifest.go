package clusterctl

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/slots"
)

// A backup is a folder: an RDB a shard, and behind them the manifest, which makes a
// backup of them. Without it what is in the folder is an unfinished one.
const (
	manifestName   = "manifest.json"
	manifestFormat = 1
	// maxManifest bounds what is read as a manifest.
	maxManifest = 64 << 20
)

// ErrDamaged is returned for a backup that is not what its manifest says, or none at all.
var ErrDamaged = errors.New("the backup is damaged")

// Manifest says what a backup holds.
type Manifest struct {
	Format  int           `json:"format"`
	Cluster string        `json:"cluster_id"`
	Created time.Time     `json:"created"` // when the last file was finished
	Version string        `json:"redwing_version"`
	Shards  []ShardBackup `json:"shards"`
}

// ShardBackup is the file of one shard: its data at one instant. Those of several shards
// are of different instants.
type ShardBackup struct {
	Shard  string `json:"shard"`
	File   string `json:"file"` // within the folder
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
	Keys   int64  `json:"keys"`
	Slots  string `json:"slots"` // ranges separated by spaces
	From   string `json:"from"`  // the member that it was read from
	// ReplID, Offset and Term are the position in the shard's stream that the data are of.
	ReplID string `json:"repl_id"`
	Offset int64  `json:"offset"`
	Term   uint64 `json:"term"`
}

// Keys returns the number of keys of all shards.
func (m *Manifest) Keys() (n int64) {
	for i := range m.Shards {
		n += m.Shards[i].Keys
	}
	return n
}

// keysOf returns the number of keys of a file.
func (m *Manifest) keysOf(file string) int64 {
	for i := range m.Shards {
		if m.Shards[i].File == file {
			return m.Shards[i].Keys
		}
	}
	return 0
}

// Bytes returns the length of all files.
func (m *Manifest) Bytes() (n int64) {
	for i := range m.Shards {
		n += m.Shards[i].Bytes
	}
	return n
}

// ReadManifest reads the manifest of the backup in dir; ErrDamaged if there is none that
// can be read.
func ReadManifest(fsys disk.FS, dir string) (*Manifest, error) {
	f, err := fsys.OpenFile(filepath.Join(dir, manifestName), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fsys.Stat(dir); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s has no %s: it holds no backup, or one that was never finished", ErrDamaged, dir, manifestName)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := &Manifest{}
	dec := json.NewDecoder(io.LimitReader(f, maxManifest))
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
	}
	return m, m.check()
}

// check refuses what no version of this tool has written.
func (m *Manifest) check() error {
	if m.Format != manifestFormat {
		return fmt.Errorf("%s is of format %d, this clusterctl reads %d", manifestName, m.Format, manifestFormat)
	}
	if len(m.Shards) == 0 {
		return fmt.Errorf("%w: %s names no file", ErrDamaged, manifestName)
	}
	var all slots.Set
	for i := range m.Shards {
		s := &m.Shards[i]
		if s.File == "" || s.File != filepath.Base(s.File) || s.File == "." || s.File == ".." {
			return fmt.Errorf("%w: %s names the file %q", ErrDamaged, manifestName, s.File)
		}
		set, err := parseRanges(s.Slots)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, manifestName, err)
		}
		if all.Intersects(&set) {
			return fmt.Errorf("%w: %s: two shards own the same slots", ErrDamaged, manifestName)
		}
		all.Union(&set)
	}
	return nil
}

// write puts the manifest into dir.
func (m *Manifest) write(fsys disk.FS, dir string) error {
	path := filepath.Join(dir, manifestName)
	return disk.Replace(fsys, path, manifestName+".part", 0o600, func(f disk.File) error { return PrintJSON(f, m) })
}

// scan is a reader of an RDB that counts and hashes all that it reads.
type scan struct {
	sum   hash.Hash
	bytes int64
	rdb   *rdb.Reader
	src   *bufio.Reader
	mark  replication.Mark
	keys  int64
	libs  int // function libraries
}

// newScan returns a scan of src, whose bytes also go to copy, if that is not nil.
func newScan(src io.Reader, copy io.Writer) *scan {
	s := &scan{sum: sha256.New()}
	s.src = bufio.NewReaderSize(readerFunc(func(b []byte) (int, error) {
		n, err := src.Read(b)
		if n > 0 {
			s.bytes += int64(n)
			s.sum.Write(b[:n]) // it never fails (hash.Hash)
			if copy != nil {
				if _, werr := copy.Write(b[:n]); werr != nil {
					return n, werr
				}
			}
		}
		return n, err
	}), 256<<10)
	s.rdb = rdb.NewReader(s.src, rdb.ReaderOptions{MaxDB: 0, MaxString: maxString})
	return s
}

// maxString bounds one value that is read.
const maxString = 4 << 30

type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// next goes on to the next key, whose value is to be had from s.rdb; false at the end.
func (s *scan) next() (bool, error) {
	for {
		ev, err := s.rdb.Next()
		if err != nil {
			return false, err
		}
		switch ev {
		case rdb.EventKey:
			s.keys++
			return true, nil
		case rdb.EventAux:
			if s.rdb.Aux.Name == persist.AuxMark {
				s.mark, _ = replication.ParseMark(s.rdb.Aux.Value) // a foreign one says nothing
			}
		case rdb.EventFunction:
			s.libs++
		case rdb.EventEnd:
			if _, err := s.src.ReadByte(); !errors.Is(err, io.EOF) {
				return false, errors.Join(fmt.Errorf("%w: bytes behind the end of the RDB", rdb.ErrFormat), err)
			}
			return false, nil
		}
	}
}

// all reads up to the end; tell hears of it now and then.
func (s *scan) all(ctx context.Context, tell func(bytes, keys int64)) error {
	for {
		more, err := s.next()
		if err != nil || !more {
			tell(s.bytes, s.keys)
			return err
		}
		if s.keys%1024 == 0 {
			tell(s.bytes, s.keys)
			if ctx.Err() != nil {
				return fmt.Errorf("interrupted: %w", ctx.Err())
			}
		}
	}
}

func (s *scan) sha256() string { return hex.EncodeToString(s.sum.Sum(nil)) }

// VerifyBackup reads every file of the backup in dir and holds it against the manifest:
// length, checksum, validity as an RDB, number of keys.
func VerifyBackup(ctx context.Context, fsys disk.FS, dir string, pr Progress) (*Manifest, error) {
	m, err := ReadManifest(fsys, dir)
	if err != nil {
		return nil, err
	}
	total, before := m.Bytes(), int64(0)
	var errs []error
	for i := range m.Shards {
		s := &m.Shards[i]
		err := s.verify(ctx, fsys, dir, func(bytes, _ int64) {
			pr.Copied(share64(before+bytes, total), fmt.Sprintf("%s of %s of the backup checked", bytesText(before+bytes), bytesText(total)))
		})
		if err != nil {
			errs = append(errs, err)
		}
		before += s.Bytes
	}
	pr.Done()
	return m, errors.Join(errs...)
}

func share64(done, total int64) float64 { return float64(done) / float64(max(1, total)) }

func (s *ShardBackup) verify(ctx context.Context, fsys disk.FS, dir string, tell func(bytes, keys int64)) error {
	f, err := fsys.OpenFile(filepath.Join(dir, s.File), os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return err
	} else if info.Size() != s.Bytes {
		return fmt.Errorf("%w: %s has %d bytes, the manifest says %d", ErrDamaged, s.File, info.Size(), s.Bytes)
	}
	sc := newScan(f, nil)
	err = sc.all(ctx, tell)
	if ctx.Err() != nil {
		return err
	}
	if _, more := io.Copy(io.Discard, sc.src); more != nil { // the checksum is that of all
		return more
	}
	switch {
	case sc.sha256() != s.SHA256:
		return fmt.Errorf("%w: the checksum of %s is not that of the manifest", ErrDamaged, s.File)
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrDamaged, s.File, err)
	case sc.keys != s.Keys:
		return fmt.Errorf("%w: %s has %d keys, the manifest says %d", ErrDamaged, s.File, sc.keys, s.Keys)
	}
	return nil
}
