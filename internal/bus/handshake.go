package bus

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// The handshake, all numbers big-endian (docs/format/bus.md):
//
//	dialler   "RWBS" version:1 len:2 | proto:1 flags:1 generation:8 nonce:32 cluster node run expect addr
//	listener  "RWBS" version:1 len:2 | status:1 flags:1 generation:8 nonce:32 cluster node run mac
//	dialler   mac:32, only if both flags say that a secret is set
//
// Strings are a length byte and that many bytes. A mac is HMAC-SHA256 under the shared
// secret of a side's name and both bodies, so none can be reflected or replayed.
const (
	magic            = "RWBS"
	handshakeVersion = 1
	headerLen        = 7
	nonceLen         = 32
	macLen           = sha256.Size
	maxBodyLen       = 1024
	maxStringLen     = 255

	flagSecret = 1 << 0

	statusOK = 0 // otherwise Reason + 1
)

// hello is the dialler's half.
type hello struct {
	proto      Protocol
	flags      uint8
	generation uint64
	nonce      [nonceLen]byte
	cluster    string
	node       string
	run        string
	expect     string
	addr       string
}

// welcome is the listener's half.
type welcome struct {
	status     uint8
	flags      uint8
	generation uint64
	nonce      [nonceLen]byte
	cluster    string
	node       string
	run        string
	mac        []byte
}

func appendString(b []byte, s string) []byte {
	if len(s) > maxStringLen {
		s = s[:maxStringLen]
	}
	return append(append(b, byte(len(s))), s...)
}

func (h *hello) append(b []byte) []byte {
	b = append(b, byte(h.proto), h.flags)
	b = binary.BigEndian.AppendUint64(b, h.generation)
	b = append(b, h.nonce[:]...)
	for _, s := range []string{h.cluster, h.node, h.run, h.expect, h.addr} {
		b = appendString(b, s)
	}
	return b
}

// append writes the welcome without its mac, which covers exactly these bytes.
func (w *welcome) append(b []byte) []byte {
	b = append(b, w.status, w.flags)
	b = binary.BigEndian.AppendUint64(b, w.generation)
	b = append(b, w.nonce[:]...)
	for _, s := range []string{w.cluster, w.node, w.run} {
		b = appendString(b, s)
	}
	return b
}

// reader walks a body; after the first short read everything is zero and bad is true.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if p := r.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (r *reader) string() string { return string(r.take(int(r.byte()))) }

func parseHello(body []byte) (h hello, err error) {
	r := reader{b: body}
	h.proto = Protocol(r.byte())
	h.flags = r.byte()
	h.generation = r.uint64()
	copy(h.nonce[:], r.take(nonceLen))
	h.cluster, h.node, h.run, h.expect, h.addr = r.string(), r.string(), r.string(), r.string(), r.string()
	if r.bad || len(r.b) != 0 || h.node == "" || h.run == "" {
		return hello{}, ErrHandshake
	}
	return h, nil
}

func parseWelcome(body []byte) (w welcome, err error) {
	r := reader{b: body}
	w.status = r.byte()
	w.flags = r.byte()
	w.generation = r.uint64()
	copy(w.nonce[:], r.take(nonceLen))
	w.cluster, w.node, w.run = r.string(), r.string(), r.string()
	w.mac = r.take(int(r.byte()))
	if r.bad || len(r.b) != 0 || w.node == "" || w.run == "" {
		return welcome{}, ErrHandshake
	}
	return w, nil
}

func (w *welcome) refusal() Reason {
	if w.status == statusOK || w.status > uint8(reasonEnd) {
		return DropMalformed
	}
	return Reason(w.status - 1)
}

// prove is the mac of one side ("dialler" or "listener") over both bodies.
func prove(secret []byte, side string, helloBody, welcomeBody []byte) []byte {
	m := hmac.New(sha256.New, secret)
	var n [2]byte
	binary.BigEndian.PutUint16(n[:], uint16(len(helloBody)))
	io.WriteString(m, side)
	m.Write(n[:])
	m.Write(helloBody)
	m.Write(welcomeBody)
	return m.Sum(nil)
}

func newNonce() (n [nonceLen]byte) {
	rand.Read(n[:]) // never fails since Go 1.24
	return n
}

// errVersion is returned by readMessage when the other side speaks another version.
var errVersion = fmt.Errorf("%w: unknown version", ErrHandshake)

// readMessage reads one header and body. It reads not a byte beyond.
func readMessage(r io.Reader) ([]byte, error) {
	var h [headerLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	if string(h[:4]) != magic {
		return nil, ErrHandshake
	}
	if h[4] != handshakeVersion {
		return nil, errVersion
	}
	n := int(binary.BigEndian.Uint16(h[5:]))
	if n > maxBodyLen {
		return nil, ErrHandshake
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return body, nil
}

func appendMessage(b, body []byte) []byte {
	b = append(b, magic...)
	b = append(b, handshakeVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}
