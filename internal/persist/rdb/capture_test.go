package rdb

import (
	"bufio"
	"bytes"
	"testing"
)

// What Payload captures of a file is what DUMP would give, and reading goes on behind it.
func TestPayloadOfFile(t *testing.T) {
	var file bytes.Buffer
	w := NewWriter(&file, WriterOptions{Version: VersionLatest, Compress: true, Checksum: true})
	long := bytes.Repeat([]byte("compressible "), 100)
	w.Key(Key{Key: []byte("a"), Kind: KindString, Idle: -1, Freq: -1})
	w.Bytes(long)
	w.Key(Key{Key: []byte("b"), Kind: KindSet, Idle: -1, Freq: -1})
	w.Count(2)
	w.Bytes([]byte("12"))
	w.Bytes([]byte("x"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(bufio.NewReader(&file), ReaderOptions{})
	var got [][]byte
	for {
		ev, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ev == EventEnd {
			break
		}
		if ev != EventKey {
			continue
		}
		payload, ok, err := r.Payload(nil, 1000, Discard{})
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		got = append(got, payload)
	}
	want := NewPayload(nil, KindString, true)
	want.Bytes(long)
	if len(got) != 2 || !bytes.Equal(got[0], want.Payload(KindString.Version())) {
		t.Fatalf("%q", got)
	}
	for _, p := range got {
		pr, err := NewPayloadReader(p, ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := pr.Payload(nil, 10, Discard{}); ok || err != nil {
			if len(p) > 20 {
				t.Fatal("the limit is not kept", ok, err)
			}
		}
	}
}
