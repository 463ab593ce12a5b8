package aof

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// ErrDamaged is returned for files that cannot be loaded; the error names file and offset.
var ErrDamaged = errors.New("aof: damaged")

// Request is one request and the database it is meant for.
type Request struct {
	DB   int
	Args [][]byte
}

// Target is what files are loaded into.
type Target interface {
	// Base takes a data set in the RDB format off in, up to its end and no byte further.
	Base(in *bufio.Reader) error
	// Apply runs the requests of one block, all of them or, with an error, none. They are
	// valid during the call. An error ends the load.
	Apply(block []Request) error
}

// LoadOptions are the settings of a load.
type LoadOptions struct {
	// Databases is how many there are.
	Databases int
	// Truncated says that a torn end of the last file is cut off (aof-load-truncated).
	Truncated bool
	// Progress is told how many bytes have been read in all. May be nil.
	Progress func(bytes int64)
}

// Loaded is what was found.
type Loaded struct {
	Files int // 0: there is no AOF
	// Offset is the offset in the effect log of what was loaded, as far as it is known: the
	// one of the last check; 0: no increment says it. Exact: nothing follows that check.
	Offset int64
	Exact  bool
	Mark   string // whose stream it is
	DB     int    // the database that the last increment has selected, -1: none
	// CutBytes is how much of a torn end was cut off.
	CutBytes int64

	end resume
}

// resume says how the last increment goes on.
type resume struct {
	name string // "": a new one is due
	size int64
	sum  uint64
}

// loader loads the files of one manifest.
type loader struct {
	a      *AOF
	o      LoadOptions
	target Target
	out    Loaded
	read   int64
	block  []Request
	words  [][]byte
}

// load loads one file. last: it is the last one, whose end may be torn.
func (l *loader) load(name string, last bool) (err error) {
	path := l.a.path(name)
	f, err := l.a.o.FS.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(&counted{f, l}, 64<<10)
	p := &part{l: l, name: name, db: -1, src: source{in: in, left: st.Size()}}
	if head, _ := in.Peek(5); string(head) == "REDIS" {
		if err := l.target.Base(in); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		p.src.pos = at - int64(in.Buffered())
		p.src.left = st.Size() - p.src.pos
		p.begin()
	}
	if err := p.scan(); err != nil {
		if err = p.mend(f, st.Size(), last, err); err != nil {
			return err
		}
	}
	if err := p.apply(len(p.pend)); err != nil {
		return err
	}
	l.out.Files++
	l.out.DB = p.db
	l.out.end = resume{name, p.src.pos, p.src.sum}
	if p.ours {
		l.out.Exact = p.sure == p.src.pos
	} else if p.src.pos > 0 {
		l.out.Exact = false
	}
	return nil
}

// counted counts the bytes that are read.
type counted struct {
	f disk.File
	l *loader
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.f.Read(b)
	if c.l.read += int64(n); c.l.o.Progress != nil {
		c.l.o.Progress(c.l.read)
	}
	return n, err
}

// maxPending is how much is held back to be checked before it is applied.
const maxPending = 64 << 20

// part is one file being loaded. What a check has not yet vouched for is held back, as far
// as the file has checks at all.
//
//	| applied .. sure | whole blocks .. whole | a block that has begun |
type part struct {
	l    *loader
	name string
	src  source

	ours  bool  // it has checks
	sure  int64 // position behind the last good check
	sums  state // src.sum there and at whole, to go on from
	whole int64 // position behind the last whole block or annotation
	done  int64 // position behind what has been applied

	pend   []byte // the requests behind done
	blocks int    // how much of pend is whole blocks
	inTx   bool

	db   int    // as of what has been applied
	mark string // to be believed with the next check
}

type state struct{ sure, whole uint64 }

// begin says that the file's requests begin here.
func (p *part) begin() { p.whole, p.done, p.sure = p.src.pos, p.src.pos, p.src.pos }

// scan reads the file to its end.
func (p *part) scan() error {
	for {
		if len(p.src.rest()) == 0 {
			if err := p.src.fill(1); err == errTorn {
				if p.inTx {
					return errTorn
				}
				return nil
			} else if err != nil {
				return err
			}
		}
		var err error
		if p.src.rest()[0] == '#' {
			err = p.annotation()
		} else {
			err = p.request()
		}
		if err != nil {
			return err
		}
		if !p.inTx {
			p.whole, p.sums.whole = p.src.pos, p.src.sum
			p.blocks = len(p.pend)
			if !p.ours || len(p.pend) > maxPending {
				if err := p.apply(p.blocks); err != nil {
					return err
				}
			}
		}
	}
}

var errCheck = errors.New("a check does not hold")

func (p *part) annotation() error {
	line, err := p.src.line()
	if err != nil {
		return err
	}
	text := line[:len(line)-2]
	switch {
	case string(line) == headLine:
		p.ours = true
	case bytes.HasPrefix(text, []byte(markPrefix)):
		p.mark = string(text[len(markPrefix):])
	case bytes.HasPrefix(text, []byte(sumPrefix)):
		pos, sum := p.src.pos, p.src.sum
		c, head, want, ok := parseCheck(text)
		if !ok || c.pos != pos || rdb.CRC64(sum, text[:head]) != want || p.inTx {
			return errCheck
		}
		p.src.take(len(line))
		p.ours = true
		if c.offset > 0 {
			p.l.out.Offset = c.offset
		}
		if p.mark != "" {
			p.l.out.Mark = p.mark
		}
		p.sure, p.sums.sure = p.src.pos, p.src.sum
		return p.apply(len(p.pend))
	}
	p.src.take(len(line))
	return nil
}

// request takes a request into pend.
func (p *part) request() error {
	words, raw, err := p.src.next(p.l.words[:0])
	p.l.words = words[:0]
	if err != nil {
		return err
	}
	switch verbOf(words[0]) {
	case verbMulti:
		if p.inTx {
			return errFormat
		}
		p.inTx = true
	case verbExec:
		if !p.inTx {
			return errFormat
		}
		p.inTx = false
	}
	p.pend = append(p.pend, raw...)
	p.src.take(len(raw))
	return nil
}

// apply runs the first n bytes of pend, which are whole blocks.
func (p *part) apply(n int) error {
	l := p.l
	defer func() {
		clear(l.block[:cap(l.block)])
		l.block = l.block[:0]
	}()
	inTx := false
	words := l.words[:0]
	for at := 0; at < n; {
		from := len(words)
		if !inTx {
			from, words, l.block = 0, words[:0], l.block[:0]
		}
		var size int
		var err error
		words, size, _, err = request(p.pend[at:n], words)
		if err != nil || size == 0 {
			return where(p.name, p.done, errFormat) // it was scanned once already
		}
		args := words[from:len(words):len(words)]
		switch verbOf(args[0]) {
		case verbMulti:
			inTx = true
		case verbExec:
			inTx = false
		case verbSelect:
			if err := p.selectDB(args); err != nil {
				return where(p.name, p.done+int64(at), err)
			}
		case verbPing, verbDrop:
		default:
			l.block = append(l.block, Request{p.db, args})
		}
		at += size
		if !inTx && len(l.block) > 0 {
			if err := p.run(at); err != nil {
				return err
			}
		}
	}
	p.done = p.whole
	p.pend = append(p.pend[:0], p.pend[n:]...)
	if cap(p.pend) > maxKept && len(p.pend) == 0 {
		p.pend = nil
	}
	p.blocks = 0
	return nil
}

// run applies the gathered block.
func (p *part) run(at int) error {
	l := p.l
	for i := range l.block {
		if l.block[i].DB < 0 {
			l.block[i].DB = 0 // where every stream of Redis begins
		}
	}
	if err := l.target.Apply(l.block); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, where(p.name, p.done+int64(at), err))
	}
	return nil
}

func (p *part) selectDB(args [][]byte) error {
	if len(args) != 2 {
		return fmt.Errorf("%w: SELECT without a database", ErrDamaged)
	}
	db, err := strconv.Atoi(string(args[1]))
	if err != nil || db < 0 || db >= p.l.o.Databases {
		return fmt.Errorf("%w: SELECT of database %.20q, there are %d", ErrDamaged, args[1], p.l.o.Databases)
	}
	p.db = db
	return nil
}

// mend decides what becomes of a file that cannot be read to its end: the rest is cut off
// where a crash can have left it so, else the load is refused. The file goes on behind
// what was kept.
//
//	a whole block ends, the file ends in the next        cut behind the last whole block
//	the same, but a sector there is empty, or the bytes
//	are no requests, or a check does not hold            cut behind the last good check
//	the same, but a later check says that the place
//	had been on disk: it was damaged since               refused
func (p *part) mend(f disk.File, size int64, last bool, why error) error {
	if !errors.Is(why, errTorn) && !errors.Is(why, errFormat) && !errors.Is(why, errCheck) {
		return where(p.name, p.src.pos, why)
	}
	refuse := func(hint string) error {
		return fmt.Errorf("%w: %w%s", ErrDamaged, where(p.name, p.src.pos, why), hint)
	}
	switch {
	case !last:
		return refuse(", and other files follow it")
	case !p.l.o.Truncated:
		return refuse(": make a backup and repair it with redis-check-aof --fix, or set aof-load-truncated yes if its end is torn")
	}
	tail, err := look(f, p.sure, size, p.whole)
	if err != nil {
		return where(p.name, p.src.pos, err)
	}
	cut, sum := p.whole, p.sums.whole
	switch {
	case p.ours && tail.synced > p.sure:
		return refuse(fmt.Sprintf(": the bytes from %d on have been damaged since they were written", p.sure))
	case p.ours && (!errors.Is(why, errTorn) || tail.hole):
		cut, sum = p.sure, p.sums.sure
	case !p.ours && errors.Is(why, errFormat) && !(tail.zeros < size && tail.zeros <= p.src.pos+int64(len(p.src.rest()))):
		return refuse(": make a backup and repair it with redis-check-aof --fix")
	}
	if cut < p.done {
		return refuse(fmt.Sprintf(": the bytes from %d on are damaged", p.sure))
	}
	if cut == p.sure && p.ours {
		p.pend, p.blocks = p.pend[:0], 0
	}
	p.pend = p.pend[:p.blocks]
	p.l.a.log.Warn("torn end of the append-only file cut off", zap.String("file", p.name),
		zap.Int64("offset", cut), zap.Int64("bytes", size-cut), zap.Error(why))
	if err := p.l.a.truncate(p.name, cut); err != nil {
		return where(p.name, cut, err)
	}
	p.l.out.CutBytes = size - cut
	p.src.pos, p.src.sum, p.whole, p.inTx = cut, sum, cut, false
	return nil
}

// truncate cuts a file, durably.
func (a *AOF) truncate(name string, size int64) error {
	f, err := a.o.FS.OpenFile(a.path(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

// tail is what the end of a damaged file looks like.
type tail struct {
	synced int64 // the farthest that a check there says was on disk
	hole   bool  // a sector is empty, as one that was never written
	zeros  int64 // position from which on there are only zeros
}

// sector is the piece in which disks write.
const sector = 512

// look reads a file from one position to its end.
func look(f disk.File, from, size, whole int64) (t tail, err error) {
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return t, err
	}
	t.zeros = from
	in := bufio.NewReaderSize(f, readBytes)
	var line []byte // of the line being read, its first bytes
	begin := from
	empty := true // of the present sector
	for pos := from; pos < size; pos++ {
		c, err := in.ReadByte()
		if err != nil {
			return t, err
		}
		if c != 0 {
			t.zeros = pos + 1
			empty = false
		}
		if (pos+1)%sector == 0 || pos+1 == size {
			t.hole = t.hole || empty
			empty = true
		}
		if c != '\n' {
			if len(line) < maxAnnotation {
				line = append(line, c)
			}
			continue
		}
		text, _ := strings.CutSuffix(string(line), "\r")
		// The line may stand behind bytes that are not its own, where they were lost.
		if i := strings.LastIndex(text, sumPrefix); i >= 0 {
			if c, _, _, ok := parseCheck([]byte(text[i:])); ok && c.pos == begin+int64(i) {
				t.synced = max(t.synced, c.synced)
			}
		}
		line, begin = line[:0], pos+1
	}
	return t, nil
}
