package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// fetcher reads keys of the source together with the offset of its stream at which they
// were so. A connection that breaks is made again.
type fetcher struct {
	ep Endpoint
	db int
	c  *Conn // nil: none
	// absolute: the source has PEXPIRETIME (redis 7.0).
	absolute bool
}

// value is a key at an offset.
type value struct {
	key      string
	payload  []byte // nil: there is no such key
	expireAt int64  // Unix milliseconds, 0: none
	offset   int64
	history  string // replication id that offset is of; "": the source tells none
}

func newFetcher(ctx context.Context, ep Endpoint, db int) (*fetcher, error) {
	f := &fetcher{ep: ep, db: db}
	return f, f.connect(ctx)
}

func (f *fetcher) connect(ctx context.Context) error {
	c, err := Dial(ctx, f.ep)
	if err != nil {
		return err
	}
	f.c = c
	if f.db != 0 {
		if _, err := c.Do("SELECT", strconv.Itoa(f.db)); err != nil {
			f.close()
			return err
		}
	}
	info, err := c.Do("INFO", "server")
	if err != nil {
		f.close()
		return err
	}
	major, _, _ := strings.Cut(Field(info.String(), "redis_version"), ".")
	n, _ := strconv.Atoi(major) // of an unknown version the oldest is taken
	f.absolute = n >= 7
	return nil
}

func (f *fetcher) close() {
	if f.c != nil {
		f.c.Close()
		f.c = nil
	}
}

// try calls ask until the source answers it, for as long as its timeout.
func (f *fetcher) try(ctx context.Context, ask func() error) error {
	p := patience{limit: f.ep.timeout()}
	for {
		var err error
		if f.c == nil {
			err = f.connect(ctx)
		}
		if err == nil {
			err = ask()
		}
		var refusal *ReplyError
		if err == nil || ctx.Err() != nil || errors.As(err, &refusal) && classify([]byte(refusal.Text)) != down {
			return err
		}
		f.close()
		pause, more := p.failed(time.Now())
		if !more {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Field returns a field of a reply of INFO, "" if it has none.
func Field(info, name string) string {
	sc := bufio.NewScanner(strings.NewReader(info))
	for sc.Scan() {
		if v, ok := strings.CutPrefix(sc.Text(), name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Bounds of one fetch.
const (
	fetchWindow = 16       // keys asked for and not answered
	fetchBytes  = 64 << 20 // payloads; the key that passes it is the last
)

// fetch reads keys, as many of them as the bound of bytes allows, at least one.
func (f *fetcher) fetch(ctx context.Context, keys []string) (list []value, err error) {
	err = f.try(ctx, func() (err error) {
		list, err = f.fetchOnce(keys)
		return err
	})
	return list, err
}

func (f *fetcher) fetchOnce(keys []string) ([]value, error) {
	var out []value
	sent, bytes := 0, 0
	for len(out) < sent || sent < len(keys) && bytes < fetchBytes {
		for sent < len(keys) && sent-len(out) < fetchWindow && bytes < fetchBytes {
			if err := f.ask(keys[sent]); err != nil {
				return nil, err
			}
			sent++
		}
		v, err := f.answer(keys[len(out)])
		if err != nil {
			return nil, err
		}
		bytes += len(v.payload)
		out = append(out, v)
	}
	return out, nil
}

// ask sends the requests for a key: one block, so that all of it is of one instant.
func (f *fetcher) ask(key string) error {
	expiry := [][]string{{"PTTL", key}, {"TIME"}}
	if f.absolute {
		expiry = [][]string{{"PEXPIRETIME", key}}
	}
	for _, args := range append(append([][]string{{"MULTI"}, {"DUMP", key}, {"INFO", "replication"}}, expiry...), []string{"EXEC"}) {
		if err := f.c.Send(args...); err != nil {
			return err
		}
	}
	return nil
}

// answer reads the replies for a key.
func (f *fetcher) answer(key string) (v value, err error) {
	replies := 6 // MULTI, what it queues, EXEC
	if f.absolute {
		replies = 5
	}
	var exec Reply
	for range replies {
		failed := exec.Kind == '-' // EXEC tells only that something before it has
		r, err := f.c.Reply()
		if err != nil {
			return v, err
		}
		if !failed {
			exec = r
		}
	}
	if exec.Kind != '*' || len(exec.Elems) != replies-2 {
		return v, f.unreadable(key, exec)
	}
	for _, e := range exec.Elems {
		if e.Kind == '-' {
			return v, f.unreadable(key, e)
		}
	}
	v.key = key
	info := exec.Elems[1].String()
	v.history = Field(info, "master_replid")
	if v.offset, err = strconv.ParseInt(Field(info, "master_repl_offset"), 10, 64); err != nil {
		return v, fmt.Errorf("%s: INFO replication has no offset", f.c.Addr())
	}
	if exec.Elems[0].Null {
		return v, nil
	}
	v.payload = exec.Elems[0].Text
	left := exec.Elems[2].Int
	switch {
	case left < 0:
	case f.absolute:
		v.expireAt = left
	default:
		v.expireAt = left + millis(exec.Elems[3])
	}
	return v, nil
}

func (f *fetcher) unreadable(key string, r Reply) error {
	return fmt.Errorf("key %.64q cannot be read: %w", key, &ReplyError{Addr: f.c.Addr(), Command: "DUMP", Text: r.String()})
}

// millis reads a reply of TIME as Unix milliseconds.
func millis(r Reply) int64 {
	if len(r.Elems) != 2 {
		return 0
	}
	s, _ := strconv.ParseInt(r.Elems[0].String(), 10, 64) // TIME has numbers alone
	us, _ := strconv.ParseInt(r.Elems[1].String(), 10, 64)
	return s*1000 + us/1000
}

// keysOf returns the keys of a command by the source's own knowledge.
func (f *fetcher) keysOf(ctx context.Context, args [][]byte) (keys [][]byte, err error) {
	words := []string{"COMMAND", "GETKEYS"}
	for _, a := range args {
		words = append(words, string(a))
	}
	err = f.try(ctx, func() error {
		r, err := f.c.Do(words...)
		for _, e := range r.Elems {
			keys = append(keys, e.Text)
		}
		return err
	})
	return keys, err
}
