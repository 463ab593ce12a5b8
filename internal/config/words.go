package config

import (
	"errors"
	"strings"
)

// errQuotes is returned when a quoted word is not closed, or something other than
// a space follows the closing quote.
var errQuotes = errors.New("unbalanced quotes")

// splitWords cuts a line at white space. A word may be in double quotes, with the
// escapes \n \r \t \a \b \xHH and a backslash before any other character, or in
// single quotes, with \' only (Redis, sdssplitargs).
func splitWords(line string) ([]string, error) {
	var out []string
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return out, nil
		}
		if len(out) == maxWords {
			return nil, errArgCount
		}
		word, rest, err := cutWord(line[i:])
		if err != nil {
			return nil, err
		}
		out = append(out, word)
		i = len(line) - len(rest)
	}
}

// cutWord takes the word at the beginning of s, which is not white space.
func cutWord(s string) (word, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isSpace(c):
			return b.String(), s[i:], nil
		case c == '"' || c == '\'':
			n, err := appendQuoted(&b, s[i:])
			if err != nil {
				return "", "", err
			}
			if i += n; i < len(s) && !isSpace(s[i]) {
				return "", "", errQuotes
			}
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", nil
}

// appendQuoted appends what stands between the quote s[0] and its partner and
// returns the length of all of it.
func appendQuoted(b *strings.Builder, s string) (int, error) {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return i + 1, nil
		case c == '\\' && quote == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
			b.WriteByte('\'')
		case c == '\\' && quote == '"' && i+3 < len(s) && s[i+1] == 'x' && isHex(s[i+2]) && isHex(s[i+3]):
			b.WriteByte(hexDigit(s[i+2])<<4 | hexDigit(s[i+3]))
			i += 3
		case c == '\\' && quote == '"' && i+1 < len(s):
			i++
			b.WriteByte(unescape(s[i]))
		default:
			b.WriteByte(c)
		}
	}
	return 0, errQuotes
}

const escaped, meaning = `nrtab`, "\n\r\t\a\b"

func unescape(c byte) byte {
	if i := strings.IndexByte(escaped, c); i >= 0 {
		return meaning[i]
	}
	return c
}

// quote writes s so that splitWords reads it back as one word: bare where that is
// unmistakable, else in double quotes.
func quote(s string) string {
	bare := s != "" && s[0] != '#' && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '\'' || r == '\\' || r >= 0x7f
	})
	if bare {
		return s
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if e := strings.IndexByte(meaning, c); e >= 0 {
			b.WriteByte('\\')
			b.WriteByte(escaped[e])
			continue
		}
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// spaces separate words.
const spaces = " \t\n\r\v\f\x00"

func isSpace(c byte) bool { return strings.IndexByte(spaces, c) >= 0 }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexDigit(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
