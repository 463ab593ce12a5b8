package sorting

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/double"
)

// parseDouble reads a number to sort by, as C's strtod does with all of a string up to a
// NUL: space may come in front, and nothing at all is 0. What is out of a double's range
// is refused, NaN too.
func parseDouble(b []byte) (float64, bool) {
	if b = upToNul(b); len(b) == 0 {
		return 0, true
	}
	return double.Parse(bytes.TrimLeft(b, " \t\n\v\f\r"))
}
