// Package differ compares Redwing with a real redis-server, reply by reply: golden
// scripts, a seeded random stream of commands, and the command table. Every accepted
// difference stands in known.tsv; one that does not stand there fails, and so does one
// that stands there and has gone. Only tests use it.
package differ

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed known.tsv
var knownText string

// Known is the list of accepted differences and which of them have been met.
type Known struct {
	rows map[string][]*row // by case; the parameters of a case may bring several replies
}

type row struct {
	redis, ours string
	chance      bool // its source says that it is met now and then: it need not be
	met         bool
}

// LoadKnown reads the rows of known.tsv whose case begins with prefix, so that each
// test answers for its own rows. Columns: case, redis' reply, ours (both as Go strings
// without the quotes; "*" for redis' is any), source, which begins with "now and then: "
// where chance decides whether the difference shows.
func LoadKnown(prefix string) (*Known, error) {
	k := &Known{rows: make(map[string][]*row)}
	for i, line := range strings.Split(knownText, "\n") {
		if line == "" || strings.HasPrefix(line, "#") || !strings.HasPrefix(line, prefix) {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 || f[3] == "" {
			return nil, fmt.Errorf("known.tsv:%d: %d columns, want case, redis, ours and source", i+1, len(f))
		}
		if slices.ContainsFunc(k.rows[f[0]], func(r *row) bool { return r.redis == f[1] && r.ours == f[2] }) {
			return nil, fmt.Errorf("known.tsv:%d: %q stands twice", i+1, f[0])
		}
		k.rows[f[0]] = append(k.rows[f[0]], &row{redis: f[1], ours: f[2], chance: strings.HasPrefix(f[3], "now and then: ")})
	}
	return k, nil
}

// find returns the row of a case and these replies, quoted, or nil.
func (k *Known) find(name, redis, ours string) *row {
	for _, r := range k.rows[name] {
		if (r.redis == redis || r.redis == "*") && r.ours == ours {
			return r
		}
	}
	return nil
}

// Check returns an error if the replies to a case differ and the list does not say so,
// or not in this way.
func (k *Known) Check(name, redis, ours string) error {
	if redis == ours {
		return nil // a row of this case stays unmet
	}
	r, o := quote(redis), quote(ours)
	if row := k.find(name, r, o); row != nil {
		row.met = true
		return nil
	}
	return fmt.Errorf("%s\nredis: %s\n ours: %s", name, r, o)
}

// Excuse takes the rows whose case begins with prefix off the list: what they are about
// does not run.
func (k *Known) Excuse(prefix string) {
	for name := range k.rows {
		if strings.HasPrefix(name, prefix) {
			delete(k.rows, name)
		}
	}
}

// Gone returns the cases of the list that have not been met.
func (k *Known) Gone() []string {
	var gone []string
	for name, rows := range k.rows {
		for _, row := range rows {
			if !row.met && !row.chance {
				gone = append(gone, name)
			}
		}
	}
	return gone
}

func quote(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
