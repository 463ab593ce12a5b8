// Package differ compares Redwing with a real redis-server, reply by reply: golden
// scripts, a seeded random stream of commands, and the command table. Every accepted
// difference stands in known.tsv; one that does not stand there fails, and so does one
// that stands there and has gone. Only tests use it.
package differ

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed known.tsv
var knownText string

// Known is the list of accepted differences and which of them have been met.
type Known struct {
	rows map[string]*row
}

type row struct {
	redis, ours string
	met         bool
}

// LoadKnown reads the rows of known.tsv whose case begins with prefix, so that each
// test answers for its own rows. Columns: case, redis' reply, ours (both as Go strings
// without the quotes), source.
func LoadKnown(prefix string) (*Known, error) {
	k := &Known{rows: make(map[string]*row)}
	for i, line := range strings.Split(knownText, "\n") {
		if line == "" || strings.HasPrefix(line, "#") || !strings.HasPrefix(line, prefix) {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 || f[3] == "" {
			return nil, fmt.Errorf("known.tsv:%d: %d columns, want case, redis, ours and source", i+1, len(f))
		}
		if k.rows[f[0]] != nil {
			return nil, fmt.Errorf("known.tsv:%d: %q stands twice", i+1, f[0])
		}
		k.rows[f[0]] = &row{redis: f[1], ours: f[2]}
	}
	return k, nil
}

// Check returns an error if the replies to a case differ and the list does not say so,
// or not in this way.
func (k *Known) Check(name, redis, ours string) error {
	if redis == ours {
		return nil // a row of this case stays unmet
	}
	r, o := quote(redis), quote(ours)
	if row := k.rows[name]; row != nil && row.redis == r && row.ours == o {
		row.met = true
		return nil
	}
	return fmt.Errorf("%s\nredis: %s\n ours: %s", name, r, o)
}

// Gone returns the cases of the list that have not been met.
func (k *Known) Gone() []string {
	var gone []string
	for name, row := range k.rows {
		if !row.met {
			gone = append(gone, name)
		}
	}
	return gone
}

func quote(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
