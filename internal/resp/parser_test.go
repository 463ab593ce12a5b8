package resp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// outcome is everything a stream of bytes led to.
type outcome struct {
	requests [][]string
	lengths  []int
	err      *Error
}

func (o outcome) String() string { return fmt.Sprintf("%q %v %v", o.requests, o.lengths, o.err) }

// parseAll feeds stream in pieces of the given sizes (then whole) to a parser.
func parseAll(p *Parser, stream []byte, pieces []int) (o outcome) {
	var buf []byte
	for len(stream) > 0 && o.err == nil {
		n := len(stream)
		if len(pieces) > 0 {
			n = min(n, pieces[0])
			pieces = pieces[1:]
		}
		// A fresh array each time: the parser may not rely on the bytes' place.
		buf = append(append(make([]byte, 0, len(buf)+n), buf...), stream[:n]...)
		stream = stream[n:]
		for {
			args, n, err := p.Next(buf)
			if err != nil {
				o.err = NewError(err.Error())
				break
			}
			if n == 0 {
				break
			}
			if len(args) > 0 {
				var req []string
				for _, a := range args {
					req = append(req, string(a))
				}
				o.requests = append(o.requests, req)
			}
			o.lengths = append(o.lengths, n)
			buf = buf[n:]
		}
	}
	return o
}

func TestParser(t *testing.T) {
	long := strings.Repeat("x", MaxInline+1)
	for _, c := range []struct {
		name, in string
		want     []string // requests, words joined by '|'
		err      string
	}{
		{"array", "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n", []string{"ECHO|hi"}, ""},
		{"binary", "*1\r\n$4\r\n\r\n\x00*\r\n", []string{"\r\n\x00*"}, ""},
		{"empty bulk", "*2\r\n$0\r\n\r\n$0\r\n\r\n", []string{"|"}, ""},
		{"pipeline", "*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n", []string{"PING", "PING", "PING"}, ""},
		{"empty arrays and lines", "*0\r\n\r\n*-1\r\n\nPING\n", []string{"PING"}, ""},
		{"incomplete", "*2\r\n$4\r\nECHO\r\n$2\r\nh", nil, ""},
		{"inline", "set  a\tb \r\n", []string{"set|a|b"}, ""},
		{"inline quotes", `set "a b" 'c d' "\x41\n\"" '\'' ""` + "\r\n", []string{"set|a b|c d|A\n\"|'|"}, ""},
		{"inline quote inside", `a"b c"` + "\r\n", []string{"ab c"}, ""},
		{"inline NUL", "a b\x00c d\n", []string{"a|b"}, ""},
		{"inline unbalanced", "set \"a\r\n", nil, "ERR Protocol error: unbalanced quotes in request"},
		{"inline quote then word", `"a"b` + "\r\n", nil, "ERR Protocol error: unbalanced quotes in request"},
		{"inline too big", long, nil, "ERR Protocol error: too big inline request"},
		{"count too big a line", "*" + long, nil, "ERR Protocol error: too big mbulk count string"},
		{"count too large", "*1048577\r\n", nil, "ERR Protocol error: invalid multibulk length"},
		{"count overflow", "*99999999999999999999\r\n", nil, "ERR Protocol error: invalid multibulk length"},
		{"count not a number", "*x\r\n", nil, "ERR Protocol error: invalid multibulk length"},
		{"count empty", "*\r\n", nil, "ERR Protocol error: invalid multibulk length"},
		{"count with zero", "*01\r\n", nil, "ERR Protocol error: invalid multibulk length"},
		{"no dollar", "*1\r\n:4\r\nPING\r\n", nil, "ERR Protocol error: expected '$', got ':'"},
		{"line end for dollar", "*1\r\n\r\n", nil, "ERR Protocol error: expected '$', got ' '"},
		{"bulk too big a line", "*1\r\n$" + long, nil, "ERR Protocol error: too big bulk count string"},
		{"bulk negative", "*1\r\n$-1\r\n", nil, "ERR Protocol error: invalid bulk length"},
		{"bulk -2", "*1\r\n$-2\r\n", nil, "ERR Protocol error: invalid bulk length"},
		{"bulk not a number", "*1\r\n$a\r\n", nil, "ERR Protocol error: invalid bulk length"},
		{"bulk over the limit", "*1\r\n$536870913\r\n", nil, "ERR Protocol error: invalid bulk length"},
		{"requests before an error", "PING\r\n*1\r\n$x\r\n", []string{"PING"}, "ERR Protocol error: invalid bulk length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, pieces := range [][]int{nil, ones(len(c.in))} {
				if len(pieces) > 1<<12 {
					continue // a long line byte by byte says nothing new
				}
				o := parseAll(&Parser{}, []byte(c.in), pieces)
				var got []string
				for _, r := range o.requests {
					got = append(got, strings.Join(r, "|"))
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("requests %q, want %q", got, c.want)
				}
				text := ""
				if o.err != nil {
					text = o.err.Error()
				}
				if text != c.err {
					t.Errorf("error %q, want %q", text, c.err)
				}
			}
		})
	}
}

func ones(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

func TestParserUnauthenticated(t *testing.T) {
	for in, want := range map[string]*Error{
		"*11\r\n":            ErrUnauthMultibulk,
		"*1\r\n$16385\r\n":   ErrUnauthBulk,
		"*10\r\n$16384\r\nx": nil,
	} {
		if o := parseAll(&Parser{Unauthenticated: true}, []byte(in), nil); fmt.Sprint(o.err) != fmt.Sprint(want) {
			t.Errorf("%q: %v, want %v", in, o.err, want)
		}
	}
}

func TestParserMaxBulk(t *testing.T) {
	if _, _, err := (&Parser{MaxBulk: 10}).Next([]byte("*1\r\n$11\r\n")); err != ErrInvalidBulk {
		t.Errorf("over MaxBulk: %v", err)
	}
	p := &Parser{MaxBulk: -1}
	if _, _, err := p.Next([]byte("*1\r\n$5368709120\r\n")); err != nil || p.Need() != 17+5368709120+2 {
		t.Errorf("without a limit: %v, need %d", err, p.Need())
	}
}

// Announced lengths cost nothing until the bytes come.
func TestParserAllocatesWhatArrived(t *testing.T) {
	in := []byte("*1048576\r\n$1\r\na\r\n$536870912\r\nx")
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			new(Parser).Next(in)
		}
	}).AllocedBytesPerOp()
	if got > 1024 {
		t.Errorf("%d bytes allocated for %d bytes of input", got, len(in))
	}
}

func TestParserAllocatesNothingPipelined(t *testing.T) {
	stream := bytes.Repeat([]byte("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"), 16)
	var p Parser
	allocs := testing.AllocsPerRun(100, func() {
		for buf := stream; len(buf) > 0; {
			_, n, _ := p.Next(buf)
			buf = buf[n:]
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// However a stream is cut, it means the same.
func FuzzParser(f *testing.F) {
	f.Add([]byte("*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\nPING \"a\\x00\"\r\n*0\r\n"), uint64(1))
	f.Add([]byte("*1\r\n\r\n"), uint64(2))
	f.Add([]byte("*3\r\n$-2\r\n"), uint64(3))
	f.Add([]byte("'a\\'b' \"c\r\n"), uint64(4))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		if len(stream) > 1<<14 {
			stream = stream[:1<<14]
		}
		whole := parseAll(&Parser{}, stream, nil)
		rng := rand.New(rand.NewPCG(seed, 0))
		var pieces []int
		for n := 0; n < len(stream); {
			k := 1 + rng.IntN(1+rng.IntN(32))
			pieces = append(pieces, k)
			n += k
		}
		if cut := parseAll(&Parser{}, stream, pieces); cut.String() != whole.String() {
			t.Errorf("seed %d: cut in pieces %s, whole %s", seed, cut, whole)
		}
	})
}

func BenchmarkParserSet(b *testing.B) {
	req := []byte("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000042\r\n$3\r\nxxx\r\n")
	stream := bytes.Repeat(req, 16)
	var p Parser
	b.ReportAllocs()
	for i := 0; i < b.N; i += 16 {
		for buf := stream; len(buf) > 0; {
			_, n, _ := p.Next(buf)
			buf = buf[n:]
		}
	}
}
