package transfer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of requests for fields.
const (
	fieldsBatch = 100  // hashes
	fieldsPage  = 1000 // fields of one of them
)

// fieldsPass goes through the hashes that were taken.
func (u *Unshifter) fieldsPass(exactFrom int64, still func(func() error) error) error {
	var batch []string
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		keys := batch
		batch = nil
		return still(func() error {
			return u.tryKeys(keys, func(c *Conn, some []string) error { return u.putFields(c, some, exactFrom) })
		})
	}
	for _, l := range u.logs {
		err := l.each(func(key []byte) error {
			if batch = append(batch, string(key)); len(batch) < fieldsBatch {
				return nil
			}
			return flush()
		})
		if err != nil {
			return err
		}
	}
	return flush()
}

// putFields takes the shift off the fields of hashes that have it, if what is left is at or
// behind exactFrom. Keys that are gone, or no hashes any more, are passed over.
func (u *Unshifter) putFields(c *Conn, keys []string, exactFrom int64) error {
	cursors := make([]string, len(keys))
	for i := range cursors {
		cursors[i] = "0"
	}
	for len(keys) > 0 {
		pages, err := c.pipelined(len(keys), func(i int) []string {
			return []string{"HSCAN", keys[i], cursors[i], "COUNT", strconv.Itoa(fieldsPage), "NOVALUES"}
		})
		if err != nil {
			return err
		}
		var more, at []string
		for i, page := range pages {
			switch {
			case page.Kind == '-' && strings.HasPrefix(page.String(), "WRONGTYPE"):
				continue
			case page.Kind == '-':
				return &ReplyError{Addr: c.Addr(), Command: "HSCAN", Text: page.String()}
			case len(page.Elems) != 2:
				return fmt.Errorf("%s: HSCAN: %w", c.Addr(), errReply)
			}
			if err := u.putPage(c, keys[i], page.Elems[1].Elems, exactFrom); err != nil {
				return err
			}
			if cursor := page.Elems[0].String(); cursor != "0" {
				more, at = append(more, keys[i]), append(at, cursor)
			}
		}
		keys, cursors = more, at
	}
	return nil
}

// putPage is putFields for some fields of one hash.
func (u *Unshifter) putPage(c *Conn, key string, fields []Reply, exactFrom int64) error {
	for len(fields) > 0 {
		n := min(fieldsPage, len(fields)) // a small hash comes whole
		if err := u.putSome(c, key, fields[:n], exactFrom); err != nil {
			return err
		}
		fields = fields[n:]
	}
	return nil
}

func (u *Unshifter) putSome(c *Conn, key string, fields []Reply, exactFrom int64) error {
	ask := []string{"HPEXPIRETIME", key, "FIELDS", strconv.Itoa(len(fields))}
	for _, f := range fields {
		ask = append(ask, f.String())
	}
	times, err := c.Do(ask...)
	var refusal *ReplyError
	if errors.As(err, &refusal) && strings.HasPrefix(refusal.Text, "WRONGTYPE") {
		return nil
	}
	if err != nil {
		return err
	}
	if len(times.Elems) != len(fields) {
		return nil // it is gone
	}
	from := shiftedFrom(time.Now().UnixMilli())
	byTime := map[int64][]string{}
	left, put := false, 0
	for i, r := range times.Elems {
		switch {
		case r.Int < from:
		case r.Int-shiftMillis < exactFrom:
			left = true
		default:
			at := r.Int - shiftMillis
			byTime[at] = append(byTime[at], fields[i].String())
			put++
		}
	}
	if left {
		u.LeftFields = append(u.LeftFields, key)
	}
	var requests [][]string
	for at, list := range byTime {
		requests = append(requests, append([]string{"HPEXPIREAT", key, strconv.FormatInt(at, 10), "FIELDS", strconv.Itoa(len(list))}, list...))
	}
	if _, err := c.pipeline(len(requests), func(i int) []string { return requests[i] }); err != nil {
		return err
	}
	u.Put += int64(put)
	return nil
}
