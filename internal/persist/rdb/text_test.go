package rdb

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/redwingdb/redwing/internal/engine/intset"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// text is a Sink that writes a value down, the elements of unordered ones sorted, and that
// refuses duplicates.
type text struct {
	head  string
	lines []string
	has   map[string]bool
}

func (x *text) String(b []byte) error { return x.line("string %.60q %d", b, len(b)) }

func (x *text) Packed(k Kind, n int, b []byte) error {
	x.head = fmt.Sprintf("packed %d", k)
	if k == KindSetIntset {
		for i := range intset.Len(b) {
			if err := x.Member(fmt.Append(nil, intset.At(b, i))); err != nil {
				return err
			}
		}
		return x.count(n)
	}
	var words []string
	for off := listpack.First(b); off >= 0; off = listpack.Next(b, off) {
		words = append(words, string(listpack.Get(b, off, nil)))
	}
	width := map[Kind]int{KindSetListpack: 1, KindHashListpack: 2, KindZSetListpack: 2, KindHashTTLPack: 3}[k]
	for ; len(words) > 0; words = words[width:] {
		if err := x.once(words[0]); err != nil {
			return err
		}
		if width == 3 && words[2] == "0" {
			words[2] = ""
		}
		_ = x.line("%s", strings.TrimSuffix(strings.Join(words[:width], "="), "="))
	}
	return x.count(n)
}

func (x *text) count(n int) error {
	if len(x.lines) != n {
		return fmt.Errorf("%d elements instead of %d", len(x.lines), n)
	}
	return nil
}

func (x *text) Elements(lp []byte) error {
	x.head = "nodes"
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		_ = x.line("%s", cut(listpack.Get(lp, off, nil)))
	}
	return nil
}

func cut(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%s..%d", b[:8], len(b))
	}
	return string(b)
}

func (x *text) Element(b []byte) error { return x.line("%s", cut(b)) }

func (x *text) Member(b []byte) error {
	if err := x.once(string(b)); err != nil {
		return err
	}
	return x.line("%s", cut(b))
}

func (x *text) Scored(m []byte, score float64) error {
	if err := x.once(string(m)); err != nil {
		return err
	}
	return x.line("%s=%v", m, score)
}

func (x *text) Field(f, v []byte, at int64) error {
	if err := x.once(string(f)); err != nil {
		return err
	}
	if at != 0 {
		return x.line("%s=%s=%d", f, cut(v), at)
	}
	return x.line("%s=%s", f, cut(v))
}

func (x *text) Node(first StreamID, lp []byte) error {
	return x.line("node %v %d", first, listpack.Len(lp))
}
func (x *text) Stream(s StreamInfo) error            { return x.line("stream %v", s) }
func (x *text) Group(name []byte, g GroupInfo) error { return x.line("group %s %v", name, g) }
func (x *text) Pending(p PendingInfo) error {
	p.DeliveredAt = min(p.DeliveredAt, 1)
	return x.line("pending %v", p)
}
func (x *text) Consumer(name []byte, c ConsumerInfo) error {
	c.SeenAt, c.ActiveAt = min(c.SeenAt, 1), min(c.ActiveAt, 1)
	return x.line("consumer %s %v", name, c)
}
func (x *text) Owned(id StreamID) error { return x.line("owned %v", id) }

func (x *text) once(e string) error {
	if x.has == nil {
		x.has = map[string]bool{}
	}
	if x.has[e] {
		return ErrDuplicate
	}
	x.has[e] = true
	return nil
}

func (x *text) line(format string, a ...any) error {
	x.lines = append(x.lines, fmt.Sprintf(format, a...))
	return nil
}

// sorted gives the value with its elements in order.
func (x *text) sorted() string {
	sort.Strings(x.lines)
	return strings.Join(x.lines, "\n")
}

// plain gives the value as it came.
func (x *text) plain() string { return strings.Join(x.lines, "\n") }

// payloadOf frames a body as a payload.
func payloadOf(k Kind, body ...[]byte) []byte {
	w := NewPayload(nil, k, false)
	w.buf = append(w.buf, bytes.Join(body, nil)...)
	return w.Payload(VersionLatest)
}

// read reads a payload.
func read(payload []byte) (Kind, *text, error) {
	r, err := NewPayloadReader(payload, ReaderOptions{})
	if err != nil {
		return 0, nil, err
	}
	x := &text{}
	return r.Key.Kind, x, r.Value(x)
}
