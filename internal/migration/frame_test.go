package migration

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/redwingdb/redwing/internal/slots"
)

func TestFrames(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 3*readPiece+5)
	var wire []byte
	wire = appendFrame(wire, frameBegin, []byte(`{"version":1}`))
	wire = appendFrame(wire, frameData, big)
	wire = appendCountFrame(wire, frameAck, 1<<40)
	wire = appendFrame(wire, framePing, nil)
	for _, r := range []io.Reader{bytes.NewReader(wire), iotest.HalfReader(bytes.NewReader(wire))} {
		f := frameReader{r: r}
		for i, want := range []struct {
			kind frameKind
			n    int
		}{{frameBegin, 13}, {frameData, len(big)}, {frameAck, 8}, {framePing, 0}} {
			kind, payload, err := f.next()
			if err != nil || kind != want.kind || len(payload) != want.n {
				t.Fatalf("frame %d: kind %d, %d bytes, %v", i, kind, len(payload), err)
			}
			if kind == frameAck {
				if n, err := count(payload); n != 1<<40 || err != nil {
					t.Errorf("count %d, %v", n, err)
				}
			}
		}
		if _, _, err := f.next(); err != io.EOF {
			t.Errorf("behind the last: %v", err)
		}
	}
}

func TestBrokenFramesAreRefused(t *testing.T) {
	good := appendFrame(nil, frameData, []byte("hello"))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		f := frameReader{r: bytes.NewReader(bad)}
		if _, _, err := f.next(); err == nil {
			t.Errorf("a flipped bit in byte %d is not seen", i)
		}
	}
	f := frameReader{r: bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0, 0})}
	if _, _, err := f.next(); !errors.Is(err, errFrame) {
		t.Errorf("4 GiB: %v", err)
	}
	// A length that is announced takes no memory before the bytes are there.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f = frameReader{r: bytes.NewReader([]byte{0, 0, 0, 0x30, 4, 0, 0, 0, 0, 1, 2})}
	if _, _, err := f.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut frame: %v", err)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 8*readPiece {
		t.Errorf("%d bytes taken for a header", after.TotalAlloc-before.TotalAlloc)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(nil, frameData, []byte("hello")))
	f.Add(appendCountFrame(appendFrame(nil, framePing, nil), frameAck, 5))
	f.Fuzz(func(t *testing.T, wire []byte) {
		in := frameReader{r: bytes.NewReader(wire)}
		var again []byte
		for {
			kind, payload, err := in.next()
			if err != nil {
				break
			}
			again = appendFrame(again, kind, payload)
			if kind == frameBegin {
				parseBegin(payload)
			}
		}
		if !bytes.HasPrefix(wire, again) {
			t.Errorf("%x was read as %x", wire, again)
		}
	})
}

func FuzzParseRanges(f *testing.F) {
	for _, text := range []string{"0-16383", "1 3 5-7", "", "5-4", "16384", "1-"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := parseRanges(text)
		if err != nil {
			return
		}
		again, err := parseRanges(set.String())
		if err != nil || again != set {
			t.Errorf("%q is %q, which is %v, %v", text, set.String(), again.String(), err)
		}
	})
}

func TestParseRangesRefuses(t *testing.T) {
	for _, text := range []string{"x", "16384", "5-4", "-1", "1-2-3", "1-", "99999999999"} {
		if set, err := parseRanges(text); err == nil {
			t.Errorf("%q is %v", text, set.String())
		}
	}
	all := slots.All()
	if set, err := parseRanges(all.String()); err != nil || set != all {
		t.Errorf("all slots: %v, %v", set.String(), err)
	}
}
