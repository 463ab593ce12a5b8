package effects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// model is the log as it should be: the whole stream since offset start, and every
// block with its entries.
type model struct {
	start  int64
	bytes  []byte
	db     int
	blocks []modelBlock
	newest map[slots.Slot]int64
	all    int64
}

type modelBlock struct {
	entries []Entry // Start and End are offsets into the stream
}

func (m *model) end() int64 { return m.start + int64(len(m.bytes)) }

func (m *model) sel(db int) {
	if db != m.db {
		m.db = db
		m.bytes = resp.AppendCommand(m.bytes, []byte("SELECT"), []byte(strconv.Itoa(db)))
	}
}

func (m *model) append(b *Block, raw bool) {
	var mb modelBlock
	if raw {
		m.db = noDB
		at := len(m.bytes)
		m.bytes = append(m.bytes, b.Buf...)
		for _, e := range b.Entries {
			e.Start += at
			e.End += at
			mb.entries = append(mb.entries, e)
		}
	} else {
		m.sel(b.Entries[0].DB)
		if len(b.Entries) > 1 {
			m.bytes = append(m.bytes, multiBytes...)
		}
		for _, e := range b.Entries {
			m.sel(e.DB)
			at := len(m.bytes)
			m.bytes = append(m.bytes, b.Buf[e.Start:e.End]...)
			e.Start, e.End = at, len(m.bytes)
			mb.entries = append(mb.entries, e)
		}
		if len(b.Entries) > 1 {
			m.bytes = append(m.bytes, execBytes...)
		}
	}
	for _, e := range mb.entries {
		if e.Keyless {
			m.all = m.end()
		} else {
			m.newest[e.Slot] = m.end()
		}
	}
	m.blocks = append(m.blocks, mb)
}

type modelReader struct {
	r   *Reader
	pos int64
}

type modelSlotReader struct {
	r    *SlotReader
	set  slots.Set
	next int
}

// source of choices: a PRNG, or the bytes of a fuzzer.
type choices interface{ IntN(n int) int }

type byteChoices struct{ b []byte }

func (c *byteChoices) IntN(n int) int {
	if len(c.b) < 2 {
		c.b = nil
		return 0
	}
	v := int(c.b[0])<<8 | int(c.b[1])
	c.b = c.b[2:]
	return v % n
}

// runModel drives a log and its model by the same choices and compares them. big is
// about the largest size of an effect.
func runModel(c choices, steps, big int) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // Next never waits: it returns what is there, or the context's error
	start := int64(c.IntN(1000))
	l := NewLog(Options{Offset: start, BacklogBytes: 1})
	defer l.Close()
	m := &model{start: start, db: noDB, newest: map[slots.Slot]int64{}, all: start}
	backlog := int64(1 + c.IntN(3<<20))
	l.SetBacklog(true, backlog)
	l.TrackSlots()
	var readers []*modelReader
	var slotReaders []*modelSlotReader
	var block Block

	readSome := func(r *modelReader, times int) error {
		for range times {
			b, err := r.r.Next(ctx)
			if errors.Is(err, context.Canceled) {
				if r.pos != m.end() {
					return fmt.Errorf("reader at %d finds nothing, the stream ends at %d", r.pos, m.end())
				}
				return nil
			}
			if err != nil {
				return err
			}
			at := r.pos - m.start
			if at+int64(len(b)) > int64(len(m.bytes)) || !bytes.Equal(b, m.bytes[at:at+int64(len(b))]) {
				return fmt.Errorf("reader at %d got other bytes", r.pos)
			}
			r.pos += int64(len(b))
			if got := r.r.Offset(); got != r.pos {
				return fmt.Errorf("reader offset %d, want %d", got, r.pos)
			}
		}
		return nil
	}
	readSlots := func(r *modelSlotReader, times int) error {
		for range times {
			end, err := r.r.TryNext(&block)
			if err != nil {
				return err
			}
			var want []Entry
			for r.next < len(m.blocks) && len(want) == 0 {
				for _, e := range m.blocks[r.next].entries {
					if e.Keyless || r.set.Has(e.Slot) {
						want = append(want, e)
					}
				}
				r.next++
			}
			if len(want) != len(block.Entries) {
				return fmt.Errorf("slot reader got %d entries, want %d", len(block.Entries), len(want))
			}
			for i, e := range block.Entries {
				w := want[i]
				if e.DB != w.DB || e.Keyless != w.Keyless || !e.Keyless && e.Slot != w.Slot ||
					!bytes.Equal(block.Buf[e.Start:e.End], m.bytes[w.Start:w.End]) {
					return fmt.Errorf("slot reader got another entry: %+v, want %+v", e, w)
				}
			}
			if n := len(want); n > 0 && end != m.start+int64(want[n-1].End) {
				return fmt.Errorf("slot reader ends at %d, want %d", end, m.start+int64(want[n-1].End))
			}
		}
		return nil
	}

	for step := range steps {
		if err := func() error {
			switch c.IntN(12) {
			case 0, 1, 2, 3: // a block
				block.Reset()
				n := 1
				if c.IntN(3) == 0 {
					n = 1 + c.IntN(5)
				}
				for range n {
					size := c.IntN(100)
					switch c.IntN(20) {
					case 0:
						size = c.IntN(big / 4)
					case 1:
						if c.IntN(8) == 0 {
							size = big/2 + c.IntN(big)
						}
					}
					val := bytes.Repeat([]byte{byte('a' + step%26)}, size)
					db := c.IntN(12)
					if c.IntN(10) == 0 {
						block.AddKeyless(db, []byte("FLUSHALL"), val)
					} else {
						block.Add(slots.Slot(c.IntN(8)), db, []byte("SET"), val)
					}
				}
				if c.IntN(4) == 0 {
					l.AppendRaw(&block)
					m.append(&block, true)
				} else {
					l.Append(&block)
					m.append(&block, false)
				}
			case 4:
				l.AppendControl([]byte("PING"))
				m.bytes = resp.AppendCommand(m.bytes, []byte("PING"))
			case 5:
				s := slots.Slot(c.IntN(8))
				l.AppendEntry(s, 3, []byte("DEL"), []byte("k"))
				block.Reset()
				block.Add(s, 3, []byte("DEL"), []byte("k"))
				m.append(&block, false)
			case 6:
				if got := l.Cut(); got != m.end() {
					return fmt.Errorf("cut at %d, want %d", got, m.end())
				}
				m.db = noDB
			case 7: // a reader somewhere
				if len(readers) > 4 {
					readers[0].r.Close()
					readers = readers[1:]
				}
				from := m.end() - int64(c.IntN(4<<20))
				r, err := l.NewReader(from, 0)
				held := l.Backlog().First
				if held > max(m.start, m.end()-backlog) {
					return fmt.Errorf("backlog begins at %d, the stream at %d, ends at %d, size %d", held, m.start, m.end(), backlog)
				}
				if ok := from >= held; ok != (err == nil) {
					return fmt.Errorf("reader from %d of what begins at %d: %v", from, held, err)
				}
				if err == nil {
					readers = append(readers, &modelReader{r, from})
				}
			case 8:
				if len(slotReaders) > 2 {
					slotReaders[0].r.Close()
					slotReaders = slotReaders[1:]
				}
				var set slots.Set
				for range 1 + c.IntN(4) {
					set.Add(slots.Slot(c.IntN(8)))
				}
				slotReaders = append(slotReaders, &modelSlotReader{l.NewSlotReader(&set, 0), set, len(m.blocks)})
			case 9:
				if len(readers) > 0 {
					return readSome(readers[c.IntN(len(readers))], 1+c.IntN(4))
				}
			case 10:
				if len(slotReaders) > 0 {
					return readSlots(slotReaders[c.IntN(len(slotReaders))], 1+c.IntN(4))
				}
			case 11:
				if len(readers) > 0 && c.IntN(4) == 0 {
					i := c.IntN(len(readers))
					readers[i].r.Close()
					readers = append(readers[:i], readers[i+1:]...)
				}
			}
			return nil
		}(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		if l.Offset() != m.end() {
			return fmt.Errorf("step %d: offset %d, want %d", step, l.Offset(), m.end())
		}
		s := slots.Slot(c.IntN(8))
		if got, want := l.SlotOffset(s), max(m.newest[s], m.all); got != want {
			return fmt.Errorf("step %d: offset of slot %d is %d, want %d", step, s, got, want)
		}
		if err := l.checkInvariants(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	for _, r := range readers {
		if err := readSome(r, 1<<20); err != nil {
			return err
		}
		r.r.Close()
	}
	for _, r := range slotReaders {
		if err := readSlots(r, len(m.blocks)-r.next+1); err != nil {
			return err
		}
		r.r.Close()
	}
	l.SetBacklog(false, 0)
	if n := l.MemoryBytes(); n != 0 {
		return fmt.Errorf("%d bytes are held though nobody reads", n)
	}
	return nil
}

// checkInvariants walks the list of segments.
func (l *Log) checkInvariants() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, end := 0, int64(-1)
	holds := map[*segment]int{}
	for _, r := range l.mu.readers {
		holds[r.seg]++
	}
	for _, r := range l.mu.slotReaders {
		holds[r.seg]++
	}
	for s := l.mu.first; s != nil; s = s.next {
		n++
		if s.unlinked || s.buf == nil {
			return errors.New("a linked segment was freed")
		}
		if end >= 0 && s.base != end {
			return fmt.Errorf("segment begins at %d, the one before ends at %d", s.base, end)
		}
		if s.holds != holds[s] || s.refs < s.holds {
			return fmt.Errorf("segment has %d holds and %d refs, %d readers", s.holds, s.refs, holds[s])
		}
		delete(holds, s)
		end = s.end()
		if s.next == nil && s != l.mu.last {
			return errors.New("last segment is not the last")
		}
	}
	if len(holds) > 0 {
		return errors.New("a reader holds a segment that is not linked")
	}
	if n != l.mu.segments {
		return fmt.Errorf("%d segments counted as %d", n, l.mu.segments)
	}
	if end >= 0 && end != l.offset.Load() {
		return fmt.Errorf("segments end at %d, the log at %d", end, l.offset.Load())
	}
	return nil
}

func TestLogAgainstModel(t *testing.T) {
	seeds, steps := 30, 300
	if testing.Short() {
		seeds = 5
	}
	base := rand.Uint64()
	for i := range seeds {
		seed := base + uint64(i)
		if err := runModel(rand.New(rand.NewPCG(seed, 1)), steps, 2*segmentBytes); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzLog(f *testing.F) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 4 {
		b := make([]byte, 2000)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := runModel(&byteChoices{b}, min(len(b)/4, 300), 200_000); err != nil {
			t.Fatal(err)
		}
	})
}
