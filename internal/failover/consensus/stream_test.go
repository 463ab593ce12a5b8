package consensus

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/redwingdb/redwing/internal/topology"
)

func FuzzReadStream(f *testing.F) {
	c := &Consensus{}
	v := topology.NewView()
	c.view.Store(v)
	f.Add(appendView(nil, v))
	e := topology.EncodeEntry(topology.BumpEpoch{Shard: "x"})
	f.Add(appendDelta(nil, viewChange{view: v, prev: 3, entry: e}))
	f.Add(c.appendKeep(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(bytes.NewReader(in))
		for {
			m, err := readStream(r)
			if err != nil {
				return
			}
			if m.typ == streamView && m.view == nil || m.typ == streamDelta && m.entry == nil {
				t.Fatalf("%+v", m)
			}
		}
	})
}

func TestStreamRefusesGarbage(t *testing.T) {
	for in, want := range map[string]error{
		"\x00\x00\x00\x00V":                                     errStream,
		"\xff\xff\xff\xffV":                                     errStream,
		"\x00\x00\x00\x01Q":                                     errStream,
		"\x00\x00\x00\x02Kx":                                    errStream,
		"\x00\x00\x00\x05Dabcd":                                 errStream,
		"\x00\x00\x00\x09Vab":                                   io.ErrUnexpectedEOF,
		"\x00\x00\x00\x03V{}" + "\x00\x00":                      nil,
		"\x00\x00\x00\x03V[]":                                   topology.ErrBadEntry,
		"\x00\x00\x00\x12D0123456701234567{":                    topology.ErrBadEntry,
		"\x00\x00\x00\x0aK\x00\x00\x00\x00\x00\x00\x00\x09\x01": nil,
	} {
		_, err := readStream(bufio.NewReader(bytes.NewReader([]byte(in))))
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}
