package differ

import (
	"fmt"
	"slices"
	"strings"
)

// shrinkRuns bounds how often a failing sequence is run again.
const shrinkRuns = 600

// shrink returns a sequence that fails in the same way and from which neither a command
// nor, where there are many, a run of words can be taken.
func shrink(seq [][]string, fails func(seq [][]string) bool) [][]string {
	runs := 0
	still := func(s [][]string) bool {
		runs++
		return runs <= shrinkRuns && fails(s)
	}
	seq = without(seq, still)
	for i := range seq {
		fixed := min(3, len(seq[i]))
		head, tail := seq[i][:fixed], seq[i][fixed:]
		tail = without(tail, func(rest []string) bool {
			s := slices.Clone(seq)
			s[i] = slices.Concat(head, rest)
			return still(s)
		})
		seq[i] = slices.Concat(head, tail)
	}
	return without(seq, still)
}

// without takes chunks out of list, halving their size, as long as still holds.
func without[T any](list []T, still func([]T) bool) []T {
	for size := (len(list) + 1) / 2; size > 0; size /= 2 {
		for at := 0; at < len(list); {
			less := slices.Delete(slices.Clone(list), at, min(at+size, len(list)))
			if still(less) {
				list = less
			} else {
				at += size
			}
		}
	}
	return list
}

// script writes a sequence in the form of the golden scripts.
func script(seq [][]string) string {
	var b strings.Builder
	for _, words := range seq {
		for i, w := range words {
			if i > 0 {
				b.WriteByte(' ')
			}
			if w == "" || strings.ContainsFunc(w, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '#' }) {
				w = fmt.Sprintf("%q", w)
			}
			b.WriteString(w)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
