package differ

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// line is one request of a script.
type line struct {
	text   string // as it stands there
	words  []string
	sorted bool // the items of the reply have no order
	client int  // which connection sends it, the first is 0
}

// parseScript reads one request a line. Words are separated by spaces; one in double
// quotes is a Go string. A line that begins with ~ has a reply without order; one that
// begins with @ is sent by a second connection. # begins a comment.
func parseScript(text string) ([]line, error) {
	var out []line
	for i, s := range strings.Split(text, "\n") {
		s = strings.TrimSpace(s)
		if s == "" || s[0] == '#' {
			continue
		}
		l := line{text: s}
		if rest, ok := strings.CutPrefix(s, "~ "); ok {
			l.sorted, s = true, rest
		}
		if rest, ok := strings.CutPrefix(s, "@ "); ok {
			l.client, s = 1, rest
		}
		var err error
		if l.words, err = splitWords(s); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		out = append(out, l)
	}
	return out, nil
}

func splitWords(s string) (words []string, err error) {
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		word := ""
		if s[0] == '"' {
			quoted, err := strconv.QuotedPrefix(s)
			if err != nil {
				return nil, err
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, err
			}
			s = s[len(quoted):]
		} else {
			word, s, _ = strings.Cut(s, " ")
		}
		words = append(words, word)
	}
	return words, nil
}

// inOrder returns a reply with its items, and those of its items, sorted.
func inOrder(raw string) string {
	v, err := commandtest.Parse([]byte(raw))
	if err != nil || v.Kind != '*' && v.Kind != '~' {
		return raw
	}
	return flat(v)
}

func flat(v commandtest.Reply) string {
	if v.Items == nil {
		return fmt.Sprintf("%c%q", v.Kind, v.Text)
	}
	items := make([]string, len(v.Items))
	for i, item := range v.Items {
		items[i] = flat(item)
	}
	slices.Sort(items)
	return string(v.Kind) + "[" + strings.Join(items, " ") + "]"
}
