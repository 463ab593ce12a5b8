package transfer

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Watch has the flow tell the source's own deletions, of keys and fields whose time has
// come, from what clients write, until it meets a write by a client, which it remembers.
// Each deletion takes a question to the cluster.
func (f *Flow) Watch(on bool) { f.watched.Store(on) }

// own reports whether a request of the stream is the source's own deletion. It is told by
// the cluster: the key still has, behind all that was sent for it, the expiry that it had at
// the source; or it has ended there by itself already.
func (f *Flow) own(ctx context.Context, name string, args [][]byte) (bool, error) {
	if !f.watched.Load() || len(args) < 2 {
		return false, nil
	}
	due := false
	var err error
	switch key := args[1]; {
	case f.m.dirty[string(key)] != nil: // the cluster does not know
	case (name == "del" || name == "unlink") && len(args) == 2:
		due, err = f.due(ctx, Op{Keys: [][]byte{key}, Args: [][]byte{word("PEXPIRETIME"), key}})
	case name == "hdel" && len(args) > 2:
		ask := [][]byte{word("HPEXPIRETIME"), key, word("FIELDS"), strconv.AppendInt(nil, int64(len(args)-2), 10)}
		due, err = f.due(ctx, Op{Keys: [][]byte{key}, Args: append(ask, args[2:]...)})
	}
	if !due && err == nil {
		text := fmt.Sprintf("%s %.64q", strings.ToUpper(name), args[1])
		f.lastWrite.Store(&text)
		f.watched.Store(false)
	}
	return due, err
}

// skewEvery is how often the source is asked for its time.
const skewEvery = time.Second

// due reports whether all times in the answer to a question have come at the source. What
// is not there any more was due.
func (f *Flow) due(ctx context.Context, question Op) (bool, error) {
	r, err := f.sender.Call(question)
	if err != nil {
		return false, err
	}
	now := time.Now()
	if now.Sub(f.skewAt) > skewEvery {
		at, err := f.fetcher.now(ctx)
		if err != nil {
			return false, err
		}
		f.skew, f.skewAt = at+1-now.UnixMilli(), now // rather too late than too early
	}
	times := r.Elems
	if r.Kind == ':' {
		times = []Reply{r}
	}
	for _, t := range times {
		const none = -1
		at := t.Int
		if at >= shiftedFrom(now.UnixMilli()) {
			at -= shiftMillis
		}
		if at == none || at > now.UnixMilli()+f.skew {
			return false, nil
		}
	}
	return true, nil
}

// now returns the source's time in Unix milliseconds.
func (f *fetcher) now(ctx context.Context) (at int64, err error) {
	err = f.try(ctx, func() error {
		r, err := f.c.Do("TIME")
		at = millis(r)
		return err
	})
	return at, err
}
