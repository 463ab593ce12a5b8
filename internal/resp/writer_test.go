package resp

import (
	"bytes"
	"strconv"
	"testing"
)

func TestDeferred(t *testing.T) {
	for _, likely := range []int{0, 9, 10, 12345} {
		for _, n := range []int{0, 7, 99, 100_000} {
			for _, size := range []int{0, 10, 3*longPiece + 17} {
				body := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
				w := Writer{Buf: []byte("before")}
				d := w.Defer(likely)
				w.Buf = append(w.Buf, body...)
				w.SetArray(d, n)
				if want := "before*" + strconv.Itoa(n) + "\r\n" + string(body); string(w.Buf) != want {
					t.Errorf("likely %d, is %d, %d bytes: wrong", likely, n, size)
				}
			}
		}
	}
}

// What is pending is kept when a long reply makes the buffer grow.
func TestLongReplies(t *testing.T) {
	var w Writer
	var want []byte
	for i, size := range []int{10, 99, 100, longPiece, longPiece + 1, 5, 3 * longPiece, 200, 7*longPiece + 3, 50} {
		b := bytes.Repeat([]byte{byte('a' + i)}, size)
		w.Bulk(b)
		want = append(append(want, "$"+strconv.Itoa(size)+"\r\n"...), b...)
		if want = append(want, "\r\n"...); !bytes.Equal(w.Buf, want) {
			t.Fatalf("wrong behind reply %d", i)
		}
	}
}
