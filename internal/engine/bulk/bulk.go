// Package bulk copies, clears and compares long byte ranges in pieces, so that no
// single call holds the processor for longer than a few microseconds: memmove and
// its kin cannot be preempted, and one 512 MB copy stops the whole process for the
// 55 ms that it takes when the collector asks the world to stop. It owns no memory.
// The engine uses it for every value that may be longer than Piece.
package bulk

import "bytes"

// Piece is the longest range handled by one uninterruptible call, in bytes.
const Piece = 64 << 10

// Copy copies min(len(dst), len(src)) bytes and returns that number. The ranges may
// overlap, as with the built-in copy.
func Copy(dst, src []byte) int {
	n := min(len(dst), len(src))
	if n <= Piece {
		return copy(dst, src)
	}
	dst, src = dst[:n], src[:n]
	if overlapsForward(dst, src) {
		for end := n; end > 0; {
			start := max(0, end-Piece)
			copyPiece(dst[start:end], src[start:end])
			end = start
		}
		return n
	}
	for start := 0; start < n; start += Piece {
		end := min(n, start+Piece)
		copyPiece(dst[start:end], src[start:end])
	}
	return n
}

// Append appends src to dst.
func Append(dst, src []byte) []byte {
	if len(src) <= Piece {
		return append(dst, src...)
	}
	n := len(dst)
	if cap(dst)-n < len(src) {
		grown := make([]byte, n, max(n+len(src), n+n/4))
		Copy(grown[:n], dst)
		dst = grown
	}
	dst = dst[:n+len(src)]
	Copy(dst[n:], src)
	return dst
}

// Clear sets every byte of b to zero.
func Clear(b []byte) {
	for len(b) > Piece {
		clearPiece(b[:Piece])
		b = b[Piece:]
	}
	clearPiece(b)
}

// Equal reports whether a and b hold the same bytes.
func Equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for len(a) > Piece {
		if !equalPiece(a[:Piece], b[:Piece]) {
			return false
		}
		a, b = a[Piece:], b[Piece:]
	}
	return bytes.Equal(a, b)
}

// The pieces are calls that are not inlined, because a loop without calls has no
// point at which the scheduler may stop it cheaply.

//go:noinline
func copyPiece(dst, src []byte) { copy(dst, src) }

//go:noinline
func clearPiece(b []byte) { clear(b) }

//go:noinline
func equalPiece(a, b []byte) bool { return bytes.Equal(a, b) }
