package migration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A move's connection carries frames (docs/format/move.md):
//
//	| length u32 | kind u8 | crc32c u32 of kind and payload | payload |      little-endian
type frameKind uint8

const (
	frameBegin   frameKind = 1 + iota // source: JSON, the attempt
	frameAccept                       // target: text, the stage's name
	frameRefuse                       // target: text, why not
	frameData                         // source: whole RESP requests of the group RW.STAGE
	frameAck                          // target: u64, bytes of Data applied so far
	frameFence                        // source: u64, bytes of Data sent so far
	frameFenced                       // target: u64, echo of the fence: all before it is applied
	frameReady                        // source: u64, final offset: writers are held, nothing follows
	frameServing                      // target: the slots are attached and served
	framePing                         // either: alive
	frameKinds
)

const (
	frameHeaderLen = 9
	// maxFrameBytes bounds a payload: the longest value (512 MiB) with its key and the
	// words around it. Memory grows with the bytes that arrive, not with the length that
	// a header claims.
	maxFrameBytes = 512<<20 + 512<<20 + 1<<20
	// readPiece is how much of a payload is read before more memory is taken.
	readPiece = 1 << 20
)

// errFrame is returned when bytes on a move's connection are no frame; the connection
// is closed then.
var errFrame = errors.New("migration: malformed frame")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends a frame to dst.
func appendFrame(dst []byte, kind frameKind, payload []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, frameHeaderLen)...)
	dst = append(dst, payload...)
	sealFrame(dst[at:], kind)
	return dst
}

// sealFrame fills the header of a frame whose payload stands behind room for it.
func sealFrame(frame []byte, kind frameKind) {
	payload := frame[frameHeaderLen:]
	binary.LittleEndian.PutUint32(frame, uint32(len(payload)))
	frame[4] = byte(kind)
	sum := crc32.Update(crc32.Checksum(frame[4:5], castagnoli), castagnoli, payload)
	binary.LittleEndian.PutUint32(frame[5:], sum)
}

// appendCountFrame appends a frame whose payload is one number.
func appendCountFrame(dst []byte, kind frameKind, n uint64) []byte {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return appendFrame(dst, kind, b[:])
}

// frameReader reads frames; the payload is valid until the next call.
type frameReader struct {
	r   io.Reader
	buf []byte
	// progress, where set, is called for each piece of a payload that has come: a big
	// value may take longer than a silence.
	progress func()
}

func (f *frameReader) next() (frameKind, []byte, error) {
	var head [frameHeaderLen]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.LittleEndian.Uint32(head[:]))
	kind := frameKind(head[4])
	if n > maxFrameBytes || kind == 0 || kind >= frameKinds {
		return 0, nil, fmt.Errorf("kind %d, %d bytes: %w", kind, n, errFrame)
	}
	if err := f.fill(int(n)); err != nil {
		return 0, nil, err
	}
	sum := crc32.Update(crc32.Checksum(head[4:5], castagnoli), castagnoli, f.buf)
	if sum != binary.LittleEndian.Uint32(head[5:]) {
		return 0, nil, fmt.Errorf("checksum of kind %d, %d bytes: %w", kind, n, errFrame)
	}
	return kind, f.buf, nil
}

// fill reads n bytes into f.buf, taking memory as they arrive.
func (f *frameReader) fill(n int) error {
	if cap(f.buf) > 4*readPiece && n < readPiece {
		f.buf = nil // do not keep the room of one big value
	}
	f.buf = f.buf[:0]
	for len(f.buf) < n {
		at, piece := len(f.buf), min(n-len(f.buf), readPiece)
		if cap(f.buf)-at < piece {
			f.buf = append(make([]byte, 0, min(n, max(2*cap(f.buf), at+piece))), f.buf...)
		}
		f.buf = f.buf[:at+piece]
		if _, err := io.ReadFull(f.r, f.buf[at:]); err != nil {
			return err
		}
		if f.progress != nil {
			f.progress()
		}
	}
	return nil
}

// count decodes the payload of a frame that is one number.
func count(payload []byte) (uint64, error) {
	if len(payload) != 8 {
		return 0, fmt.Errorf("%d bytes for a number: %w", len(payload), errFrame)
	}
	return binary.LittleEndian.Uint64(payload), nil
}
