package hostile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// TestLongRepliesBesideWriters: long replies are written when their shard is released, while
// others change, replace and delete the key: each is one value that the key had.
func TestLongRepliesBesideWriters(t *testing.T) {
	t.Parallel()
	p := startPlain(t, "--save", "", "--appendonly", "yes", "--enable-debug-command", "yes")
	const size, letters = 3 << 20, "abcdefghijklmnopqrstuvwxyz"
	fill := func(i int) string { return strings.Repeat(letters[i:i+1], size) }
	writer := p.dial()
	writer.is("+OK", "SET", "big", fill(0))
	var readers sync.WaitGroup
	for r := range 3 {
		c := p.dial()
		rnd := rand.New(rand.NewPCG(1, uint64(r)))
		readers.Go(func() {
			for i := range 25 {
				words := [][]string{{"GET", "big"}, {"GETRANGE", "big", "5", "-7"}, {"GETDEL", "big"}, {"MGET", "big"}}[rnd.IntN(4)]
				v, err := c.try(words...)
				if err != nil {
					t.Error(err)
					return
				}
				if v.Kind == '*' {
					v = v.Items[0]
				}
				want := size
				if words[0] == "GETRANGE" {
					want = size - 11
				}
				if v.Text == "" && (v.Null || words[0] == "GETRANGE") {
					continue // it has just been deleted
				}
				if len(v.Text) != want || strings.Trim(v.Text, v.Text[:1]) != "" {
					t.Errorf("%q, time %d: %d bytes from %q to %q, not of one value", words, i, len(v.Text), v.Text[:1], v.Text[len(v.Text)-1:])
				}
			}
		})
	}
	for i := range 2 * len(letters) {
		value := fill(i % len(letters))
		switch i % 4 {
		case 0:
			writer.is(fmt.Sprint(":", size), "SETRANGE", "big", "0", value)
		case 1:
			writer.is("+OK", "SET", "big", value)
		case 2:
			writer.do("DEL", "big")
			writer.is("+OK", "SET", "big", value)
		case 3:
			writer.is("+OK", "FLUSHALL")
			writer.is("+OK", "SET", "big", value)
		}
	}
	readers.Wait()
	writer.is("+OK", "FLUSHALL")
	digest := writer.do("DEBUG", "DIGEST")
	writer.is("+OK", "SET", "big", fill(1))
	writer.is("+OK", "DEBUG", "LOADAOF")
	writer.is("$"+fill(1), "GET", "big")
	writer.is("$"+fill(1), "GETDEL", "big")
	if got := writer.do("DEBUG", "DIGEST"); got != digest {
		t.Errorf("digest %s, want that of an empty node, %s", got, digest)
	}
}
