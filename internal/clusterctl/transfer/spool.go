package transfer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Spool is a queue of bytes between one writer, which never waits, and one reader. What
// the reader is behind by more than a bound of memory lies in an unlinked temporary file,
// whose space is given back whenever the reader has caught up. The disk is the bound of
// the whole: a full one ends the writing with its error.
//
//	reader <-- memory <-- file <-- writer      (the file is passed by while it is empty)
type Spool struct {
	memory int64
	dir    string
	ready  chan struct{} // has room for one: there may be something to read

	mu struct {
		sync.Mutex
		chunks [][]byte // older than what is in the file
		head   int      // bytes of chunks[0] that are read
		held   int64    // bytes in chunks
		file   *os.File
		from   int64 // of the file
		to     int64
		end    error // io.EOF after CloseWrite(nil)
	}
}

// NewSpool returns an empty spool with up to memory bytes outside of files, which are made
// in dir ("": the system's folder for such files).
func NewSpool(memory int64, dir string) *Spool {
	return &Spool{memory: memory, dir: dir, ready: make(chan struct{}, 1)}
}

// Ready is signalled when there may be something to read, or the end has come.
func (s *Spool) Ready() <-chan struct{} { return s.ready }

func (s *Spool) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Write appends a copy of b.
func (s *Spool) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.file == nil || s.mu.from == s.mu.to {
		if s.mu.held+int64(len(b)) <= s.memory {
			s.mu.chunks = append(s.mu.chunks, append([]byte(nil), b...))
			s.mu.held += int64(len(b))
			s.signal()
			return len(b), nil
		}
	}
	if s.mu.file == nil {
		f, err := unlinked(s.dir)
		if err != nil {
			return 0, err
		}
		s.mu.file = f
	}
	n, err := s.mu.file.WriteAt(b, s.mu.to)
	if err != nil {
		return n, fmt.Errorf("%w: %w", errTemporary, err)
	}
	s.mu.to += int64(n)
	s.signal()
	return n, nil
}

// errTemporary is what is wrong where a temporary file cannot be made, written or read.
var errTemporary = errors.New("temporary file")

// unlinked makes a temporary file in dir that is gone with the process.
func unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "clusterctl-*.spool")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTemporary, err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close() // the first error counts
		return nil, fmt.Errorf("%w: %w", errTemporary, err)
	}
	return f, nil
}

// CloseWrite ends the queue: behind what is in it the reader gets err, io.EOF if that is
// nil.
func (s *Spool) CloseWrite(err error) {
	if err == nil {
		err = io.EOF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.end == nil {
		s.mu.end = err
	}
	s.signal()
}

// ended reports whether nothing more comes.
func (s *Spool) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.end != nil
}

// TryRead reads what is there; 0 and nil say that nothing is there yet.
func (s *Spool) TryRead(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.chunks) > 0 {
		c := s.mu.chunks[0]
		n := copy(b, c[s.mu.head:])
		s.mu.head += n
		s.mu.held -= int64(n)
		if s.mu.head == len(c) {
			s.mu.chunks[0] = nil
			s.mu.chunks, s.mu.head = s.mu.chunks[1:], 0
		}
		return n, nil
	}
	if s.mu.from < s.mu.to {
		n, err := s.mu.file.ReadAt(b[:min(int64(len(b)), s.mu.to-s.mu.from)], s.mu.from)
		if s.mu.from += int64(n); err != nil {
			return n, fmt.Errorf("%w: %w", errTemporary, err)
		}
		if s.mu.from == s.mu.to {
			s.mu.from, s.mu.to = 0, 0
			return n, s.mu.file.Truncate(0)
		}
		return n, nil
	}
	return 0, s.mu.end
}

// Read waits for bytes.
func (s *Spool) Read(b []byte) (int, error) {
	for len(b) > 0 {
		if n, err := s.TryRead(b); n > 0 || err != nil {
			return n, err
		}
		<-s.ready
	}
	return 0, nil
}

// Close gives the file back. The writer must have ended.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.file != nil {
		_ = s.mu.file.Close() // it is unlinked: nobody misses what is in it
		s.mu.file = nil
	}
	s.mu.chunks, s.mu.held, s.mu.from, s.mu.to = nil, 0, 0, 0
}
