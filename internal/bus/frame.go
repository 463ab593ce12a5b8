package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame of ProtoRPC and ProtoOpen:
//
//	len:4 type:1 kind:1 id:8 payload:len-10
type frameType uint8

const (
	frameRequest frameType = 1
	frameReply   frameType = 2 // payload: the answer
	frameError   frameType = 3 // payload: the error's text
	frameNone    frameType = 4 // nobody handles the kind
	frameBusy    frameType = 5 // too many calls at once on this connection
	framePing    frameType = 6
	framePong    frameType = 7
)

const (
	frameHeader = 4 + 10
	// MaxPayload bounds a call's request and answer: a full View of a thousand nodes is
	// well below it.
	MaxPayload = 8 << 20
)

// errFrame is returned for a frame that breaks the format.
var errFrame = errors.New("bus: malformed frame")

type frame struct {
	typ     frameType
	kind    uint8
	id      uint64
	payload []byte
}

func appendFrame(b []byte, f frame) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(10+len(f.payload)))
	b = append(b, byte(f.typ), f.kind)
	b = binary.BigEndian.AppendUint64(b, f.id)
	return append(b, f.payload...)
}

// readFrame reads one frame. The payload is allocated in steps while it arrives, so a
// lying length costs its sender the bytes.
func readFrame(r io.Reader) (frame, error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n < 10 || n > 10+MaxPayload {
		return frame{}, fmt.Errorf("%w: length %d", errFrame, n)
	}
	f := frame{typ: frameType(h[4]), kind: h[5], id: binary.BigEndian.Uint64(h[6:])}
	if f.typ < frameRequest || f.typ > framePong {
		return frame{}, fmt.Errorf("%w: type %d", errFrame, h[4])
	}
	var err error
	f.payload, err = readBody(r, int(n)-10)
	return f, err
}

func readBody(r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	if n == 0 {
		return nil, nil
	}
	b := make([]byte, 0, min(n, step))
	for len(b) < n {
		k := min(n-len(b), step)
		if cap(b)-len(b) < k {
			b = append(make([]byte, 0, min(n, 2*cap(b))), b...)
			k = min(k, cap(b)-len(b))
		}
		at := len(b)
		b = b[:at+k]
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}
