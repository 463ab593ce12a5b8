package sorting

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errByCluster  = resp.NewError("ERR BY option of SORT denied in cluster mode.")
	errGetCluster = resp.NewError("ERR GET option of SORT denied in cluster mode.")
)

// options are the words behind the key.
type options struct {
	desc, alpha  bool
	start, count int64 // LIMIT; count -1: all
	by           *pattern
	asIs         bool // BY a constant: no sorting
	get          []pattern
	store        int // argument, 0: none
}

// parse reads the options. Of several BY and STORE the last holds.
func (h *handlers) parse(c *command.Ctx, mayStore bool) (o options, err error) {
	o.count = -1
	for i := 2; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch word := c.Args[i]; {
		case command.Is(word, "asc"):
			o.desc = false
		case command.Is(word, "desc"):
			o.desc = true
		case command.Is(word, "alpha"):
			o.alpha = true
		case command.Is(word, "limit") && left >= 2:
			if o.start, err = c.Int(i + 1); err != nil {
				return o, err
			}
			if o.count, err = c.Int(i + 2); err != nil {
				return o, err
			}
			i += 2
		case command.Is(word, "store") && left >= 1 && mayStore:
			i++
			o.store = i
		case command.Is(word, "by") && left >= 1:
			i++
			p := newPattern(c.Args[i])
			o.by = &p
			if !hasStar(c.Args[i]) {
				o.asIs = true
			} else if h.Cluster {
				return o, errByCluster
			}
		case command.Is(word, "get") && left >= 1:
			if h.Cluster {
				return o, errGetCluster
			}
			i++
			o.get = append(o.get, newPattern(c.Args[i]))
		default:
			return o, resp.ErrSyntax
		}
	}
	return o, nil
}

func hasStar(b []byte) bool { return bytes.IndexByte(upToNul(b), '*') >= 0 }

// upToNul returns what C sees of a string.
func upToNul(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// window returns the elements from start up to end, of n, that LIMIT lets through.
func (o *options) window(n int) (start, end int) {
	start = int(min(max(o.start, 0), int64(n)))
	if o.count < 0 {
		return start, n
	}
	return start, start + int(min(o.count, int64(n-start)))
}
