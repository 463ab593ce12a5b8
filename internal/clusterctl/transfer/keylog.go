package transfer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"os"
)

// keyLog is a list of keys, in memory up to keyLogBuffer and then in an unlinked temporary
// file. Keys that come again soon are noted once. It belongs to one goroutine.
//
//	uvarint length, key, uvarint length, key, ...
type keyLog struct {
	dir    string
	buf    []byte // behind what is in the file
	file   *os.File
	size   int64 // of the file
	recent map[string]struct{}
	// thinAt is the size of the file at which keys that came several times are taken out;
	// 0: never.
	thinAt int64
	// err is why it is not complete. Nobody who needs no list hears of it.
	err error
}

const (
	keyLogBuffer = 1 << 20
	keyLogRecent = 16 << 10 // keys
	// keyLogPart is how much of a file is searched for the same keys at a time.
	keyLogPart = 16 << 20
	// keyLogGrowth is by how much more than twice its size a file grows before that.
	keyLogGrowth = 64 << 20
)

// add notes a key.
func (l *keyLog) add(key []byte) {
	if _, known := l.recent[string(key)]; known || l.err != nil {
		return
	}
	if l.recent == nil || len(l.recent) >= keyLogRecent {
		l.recent = map[string]struct{}{}
	}
	l.recent[string(key)] = struct{}{}
	l.append(key)
	if l.thinAt > 0 && l.size >= l.thinAt && l.err == nil {
		l.err = l.thin()
	}
}

func (l *keyLog) append(key []byte) {
	l.buf = append(binary.AppendUvarint(l.buf, uint64(len(key))), key...)
	if len(l.buf) >= keyLogBuffer && l.err == nil {
		l.err = l.flush()
	}
}

// repeats says that from now on keys come again: what is there already are different ones.
// The file stays below about twice what different keys take.
func (l *keyLog) repeats() { l.thinAt = 2*l.size + keyLogGrowth }

// thin takes out keys that came several times: it spreads them by their hash over files that
// are small enough to be searched in memory.
func (l *keyLog) thin() error {
	parts := make([]keyLog, l.size/keyLogPart+1)
	for i := range parts {
		parts[i].dir = l.dir
		defer parts[i].close()
	}
	seed := maphash.MakeSeed()
	if err := l.each(func(key []byte) error {
		p := &parts[maphash.Bytes(seed, key)%uint64(len(parts))]
		p.append(key)
		return p.err
	}); err != nil {
		return err
	}
	l.clear()
	for i := range parts {
		seen := map[string]struct{}{}
		if err := parts[i].each(func(key []byte) error {
			if _, again := seen[string(key)]; !again {
				seen[string(key)] = struct{}{}
				l.append(key)
			}
			return l.err
		}); err != nil {
			return err
		}
	}
	l.repeats()
	return nil
}

func (l *keyLog) flush() error {
	if l.file == nil {
		f, err := unlinked(l.dir)
		if err != nil {
			return err
		}
		l.file = f
	}
	n, err := l.file.WriteAt(l.buf, l.size)
	if err != nil {
		return fmt.Errorf("%w: %w", errTemporary, err)
	}
	l.size, l.buf = l.size+int64(n), l.buf[:0]
	return nil
}

// each calls f for every key, at least once, oldest first. key is good until f returns.
func (l *keyLog) each(f func(key []byte) error) error {
	if l.err != nil {
		return l.err
	}
	var parts []io.Reader
	if l.file != nil {
		parts = append(parts, io.NewSectionReader(l.file, 0, l.size))
	}
	in := bufio.NewReaderSize(io.MultiReader(append(parts, bytes.NewReader(l.buf))...), 256<<10)
	var key []byte
	for {
		n, err := binary.ReadUvarint(in)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			key = append(key[:0], make([]byte, n)...)
			_, err = io.ReadFull(in, key)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errTemporary, err)
		}
		if err := f(key); err != nil {
			return err
		}
	}
}

// clear forgets all keys.
func (l *keyLog) clear() {
	l.close()
	*l = keyLog{dir: l.dir}
}

func (l *keyLog) close() {
	if l.file != nil {
		_ = l.file.Close() // it is unlinked: nobody misses what is in it
		l.file = nil
	}
}
