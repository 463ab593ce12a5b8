package aof

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/resp"
)

// ErrManifest is returned for a manifest that cannot be understood or is damaged.
var ErrManifest = errors.New("aof: bad manifest")

// Kind is what a file is for; its value is the letter in the manifest.
type Kind byte

const (
	Base    Kind = 'b' // the data set at a cut
	Incr    Kind = 'i' // effects behind it
	History Kind = 'h' // no longer needed, to be deleted
)

// File is a line of the manifest.
type File struct {
	Name string // without a path
	Seq  int64
	Kind Kind
}

// Manifest names the files that make up the data set, in the order in which they are read.
type Manifest struct {
	Base    *File // nil: none
	Incrs   []File
	History []File
}

const (
	// maxManifestLine is the longest line that Redis reads.
	maxManifestLine = 1024
	// maxManifest bounds what is read of a file that says it is a manifest.
	maxManifest = 16 << 20
	// manifestSum begins the comment that ends a manifest of ours: the CRC64 of the bytes
	// before it. Redis passes over it.
	manifestSum = "#RW:crc "
)

// ParseManifest reads a manifest. Its rules are Redis 7.2's (aof.c,
// aofLoadManifestFromFile); a checksum, which ours have, must be right.
func ParseManifest(text []byte) (*Manifest, error) {
	m := &Manifest{}
	if len(text) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrManifest)
	}
	for at, number := 0, 1; at < len(text); number++ {
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 || end >= maxManifestLine {
			return nil, fmt.Errorf("%w: line %d is too long or has no end", ErrManifest, number)
		}
		line := text[at : at+end]
		if sum, ok := bytes.CutPrefix(line, []byte(manifestSum)); ok {
			if want := fmt.Sprintf("%016x", rdb.CRC64(0, text[:at])); string(sum) != want {
				return nil, fmt.Errorf("%w: line %d: its checksum is %.16q, that of the lines before is %s", ErrManifest, number, sum, want)
			}
		} else if err := m.addLine(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrManifest, number, err)
		}
		at += end + 1
	}
	return m, nil
}

var (
	errLine      = errors.New("not a list of names and values")
	errTwoBases  = errors.New("a second base")
	errSeqOrder  = errors.New("increments out of order")
	errPath      = errors.New("a file name must not be a path")
	errNoSuchKey = errors.New("file, seq or type is missing")
)

func (m *Manifest) addLine(line []byte) error {
	if len(line) > 0 && line[0] == '#' {
		return nil
	}
	words, ok := resp.SplitWords(bytes.Clone(line))
	if !ok || len(words) < 6 || len(words)%2 != 0 {
		return errLine
	}
	var f File
	for i := 0; i < len(words); i += 2 {
		value := string(words[i+1])
		switch strings.ToLower(string(words[i])) { // others are of later versions
		case "file":
			if !isBaseName(value) {
				return errPath
			}
			f.Name = value
		case "seq":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("seq %.20q is no number", value)
			}
			f.Seq = n
		case "type":
			if len(value) != 1 {
				return fmt.Errorf("unknown type %.20q", value)
			}
			f.Kind = Kind(value[0])
		}
	}
	if f.Name == "" || f.Seq <= 0 || f.Kind == 0 {
		return errNoSuchKey
	}
	switch f.Kind {
	case Base:
		if m.Base != nil {
			return errTwoBases
		}
		m.Base = &f
	case Incr:
		if n := len(m.Incrs); n > 0 && m.Incrs[n-1].Seq >= f.Seq {
			return errSeqOrder
		}
		m.Incrs = append(m.Incrs, f)
	case History:
		m.History = append(m.History, f)
	default:
		return fmt.Errorf("unknown type %q", byte(f.Kind))
	}
	return nil
}

func isBaseName(name string) bool {
	return name != "" && name != "." && name != ".." && filepath.Base(name) == name && !strings.ContainsAny(name, "/\x00")
}

// Append appends the text of m to dst.
func (m *Manifest) Append(dst []byte) []byte {
	start := len(dst)
	line := func(f File) {
		dst = fmt.Appendf(dst, "file %s seq %d type %c\n", quoteName(f.Name), f.Seq, f.Kind)
	}
	if m.Base != nil {
		line(*m.Base)
	}
	for _, f := range m.History {
		line(f)
	}
	for _, f := range m.Incrs {
		line(f)
	}
	return fmt.Appendf(dst, "%s%016x\n", manifestSum, rdb.CRC64(0, dst[start:]))
}

// quoteName quotes a name as Redis' sdscatrepr does, if it needs it.
func quoteName(name string) string {
	plain := true
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '\'' || c == '#' {
			plain = false
		}
	}
	if plain {
		return name
	}
	b := []byte{'"'}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c >= 0x7f:
			b = fmt.Appendf(b, "\\x%02x", c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}

// Empty reports whether m names nothing to load.
func (m *Manifest) Empty() bool { return m.Base == nil && len(m.Incrs) == 0 }

// clone returns a copy that can be changed on its own.
func (m *Manifest) clone() *Manifest {
	c := &Manifest{Incrs: append([]File(nil), m.Incrs...), History: append([]File(nil), m.History...)}
	if m.Base != nil {
		base := *m.Base
		c.Base = &base
	}
	return c
}

// nextSeq returns the number of the next file of a kind: no file that is still listed,
// as history too, has it.
func (m *Manifest) nextSeq(k Kind) int64 {
	seq := int64(0)
	if k == Base && m.Base != nil {
		seq = m.Base.Seq
	}
	if k == Incr {
		for _, f := range m.Incrs {
			seq = max(seq, f.Seq)
		}
	}
	for _, f := range m.History {
		seq = max(seq, f.Seq)
	}
	return seq + 1
}

// Names of files, which are Redis'.

func manifestName(name string) string        { return name + ".manifest" }
func tempManifestName(name string) string    { return "temp-" + name + ".manifest" }
func tempBaseName(name string) string        { return "temp-rewriteaof-" + name }
func incrName(name string, seq int64) string { return fmt.Sprintf("%s.%d.incr.aof", name, seq) }
func baseName(name string, seq int64) string { return fmt.Sprintf("%s.%d.base.rdb", name, seq) }
