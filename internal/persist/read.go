package persist

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/slots"
)

// readBytes is how much of a file is read at once.
const readBytes = 256 << 10

// ReadOptions say how an RDB is loaded.
type ReadOptions struct {
	Keyspace *engine.Keyspace
	// Owned says that the caller owns all shards; otherwise each piece of a value locks
	// its own.
	Owned bool
	// DropExpired passes over keys that have expired, as a primary does; a replica keeps
	// them, since the stream tells what becomes of them.
	DropExpired bool
	// Merge has keys take the place of those that are there; without it they are an error.
	Merge bool
	// MaxString bounds the length of a string, in bytes. 0: none but that of memory, which
	// is taken as bytes come; what was written under another proto-max-bulk-len is read.
	MaxString int64
	// Begin, if set, is called before the first key or library, with what stood before it.
	Begin func(Position) error
	// Progress, if set, is told every few keys how much was read, in bytes.
	Progress func(r *Loaded)
	// KeyDelay is waited for each key (key-load-delay).
	KeyDelay time.Duration
}

// Loaded is what an RDB held.
type Loaded struct {
	Keys    int64 // loaded
	Expired int64 // passed over
	Bytes   int64
	Version int
	// UsedMem is the memory that its writer had used, in bytes.
	UsedMem   int64
	AOFBase   bool
	Position  Position
	Libraries [][]byte
}

// progressKeys is how often Progress is called.
const progressKeys = 256

// Read loads an RDB into a keyspace. It takes exactly its bytes of src. On an error, which
// says where in the RDB it was met, a part of it has been loaded.
func Read(ctx context.Context, src *bufio.Reader, o ReadOptions) (Loaded, error) {
	if o.MaxString == 0 {
		o.MaxString = math.MaxInt64
	}
	r := reader{o: o, out: Loaded{Position: NoPosition}}
	r.in = rdb.NewReader(src, rdb.ReaderOptions{MaxString: o.MaxString, MaxDB: o.Keyspace.Databases() - 1})
	if !o.Owned {
		r.keys.Keyspace = o.Keyspace
	}
	err := r.read(ctx)
	r.out.Bytes, r.out.Version = r.in.Offset(), r.in.Version()
	return r.out, err
}

type reader struct {
	o     ReadOptions
	in    *rdb.Reader
	keys  Loader
	out   Loaded
	begun bool
}

func (r *reader) read(ctx context.Context) error {
	for {
		ev, err := r.in.Next()
		if err != nil {
			return err
		}
		if ev == rdb.EventAux {
			if err := r.aux(); err != nil {
				return r.at(err)
			}
			continue
		}
		if !r.begun {
			r.begun = true
			if r.o.Begin != nil {
				if err := r.o.Begin(r.out.Position); err != nil {
					return err
				}
			}
		}
		switch ev {
		case rdb.EventFunction:
			r.out.Libraries = append(r.out.Libraries, append([]byte(nil), r.in.Function...))
		case rdb.EventKey:
			if err := r.key(ctx); err != nil {
				return err
			}
		case rdb.EventEnd:
			return nil
		}
	}
}

// at says where an error was met that the reader of the format does not know of.
func (r *reader) at(err error) error {
	return fmt.Errorf("rdb at byte %d: %w", r.in.Offset(), err)
}

func (r *reader) aux() error {
	name, value := r.in.Aux.Name, r.in.Aux.Value
	switch name {
	case AuxMark:
		if r.begun {
			return fmt.Errorf("%w: %s behind the first key", rdb.ErrFormat, name)
		}
	case auxUsedMem:
		r.out.UsedMem, _ = strconv.ParseInt(value, 10, 64) // a hint
	case auxAOFBase:
		r.out.AOFBase = value == "1"
	}
	return r.out.Position.take(name, value, r.o.Keyspace.Databases())
}

func (r *reader) key(ctx context.Context) error {
	k := &r.in.Key
	now := time.Now().UnixMilli()
	if n := r.out.Keys + r.out.Expired; n%progressKeys == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.o.Progress != nil {
			r.out.Bytes = r.in.Offset()
			r.o.Progress(&r.out)
		}
	}
	if err := pause(ctx, r.o.KeyDelay); err != nil {
		return err
	}
	if r.o.DropExpired && k.ExpireAt != 0 && k.ExpireAt < now {
		r.out.Expired++
		return nil // Next passes over its value
	}
	r.keys.Access = r.o.Keyspace.Access(k.DB, now, engine.ModeApply)
	if r.o.Merge {
		r.drop(k.Key)
	}
	if err := r.keys.Load(r.in); err != nil {
		if errors.Is(err, ErrKeyTwice) {
			return r.at(fmt.Errorf("key %.64q: %w", k.Key, err))
		}
		return err
	}
	r.out.Keys++
	return nil
}

// drop deletes a key that is about to be loaded.
func (r *reader) drop(key []byte) {
	slot := slots.Of(key)
	if !r.o.Owned {
		mask := r.o.Keyspace.Mask(slot)
		r.o.Keyspace.Lock(mask)
		defer r.o.Keyspace.Unlock(mask)
	}
	r.keys.Access.Delete(slot, key)
}

// ReadFile loads an RDB file; its error names the file and the byte in it. fs.ErrNotExist
// is in the error where there is none.
func ReadFile(ctx context.Context, fsys disk.FS, path string, o ReadOptions) (Loaded, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return Loaded{}, err
	}
	defer f.Close() // nothing was written
	src := bufio.NewReaderSize(f, readBytes)
	done, err := Read(ctx, src, o)
	if err == nil {
		// A damaged version number may have hidden the checksum.
		if _, end := src.ReadByte(); !errors.Is(end, io.EOF) {
			err = fmt.Errorf("rdb at byte %d: %w: bytes behind the end", done.Bytes, rdb.ErrFormat)
		}
	}
	if err != nil {
		return done, fmt.Errorf("%s: %w", path, err)
	}
	return done, nil
}
