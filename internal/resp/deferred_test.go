package resp

import (
	"bytes"
	"strconv"
	"testing"
)

func TestDeferred(t *testing.T) {
	for _, likely := range []int{0, 9, 10, 12345} {
		for _, n := range []int{0, 7, 99, 100_000} {
			for _, size := range []int{0, 10, 3*longBulk + 17} {
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
