package resp

import "bytes"

// inline takes a request that is one line of words, split as Redis' sdssplitargs
// does it: words between blanks; "..." with escapes, '...' with \' alone.
func (p *Parser) inline(buf []byte) ([][]byte, int, *Error) {
	// p.pos is how far the line end has been looked for.
	i := bytes.IndexByte(buf[p.pos:min(len(buf), max(p.pos, MaxInline+1))], '\n')
	if i < 0 {
		p.pos = len(buf)
		if len(buf) > MaxInline {
			return nil, 0, ErrTooBigInline
		}
		return nil, 0, nil
	}
	n := p.pos + i + 1
	p.pos = 0
	line := buf[:n-1]
	if len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	var ok bool
	if p.args, ok = splitWords(p.args[:0], line); !ok {
		return nil, 0, ErrUnbalancedQuotes
	}
	if p.Unauthenticated && len(p.args) > unauthArgs {
		return nil, 0, ErrUnauthMultibulk
	}
	args := p.args
	if cap(args) > keepArgs {
		p.args = nil
	}
	return args, n, nil
}

// SplitWords splits a line as inline requests and redis.conf are split. ok is false
// where a quote is not closed, or closed in the middle of a word. Words alias line,
// which is changed in place where words are quoted.
func SplitWords(line []byte) (words [][]byte, ok bool) { return splitWords(nil, line) }

func splitWords(words [][]byte, line []byte) (_ [][]byte, ok bool) {
	if i := bytes.IndexByte(line, 0); i >= 0 {
		line = line[:i] // the original works on C strings
	}
	for i := 0; ; {
		for i < len(line) && isBlank(line[i]) {
			i++
		}
		if i == len(line) {
			return words, true
		}
		start, end := i, i // the word is rewritten at line[start:end]; end <= i always
		for i < len(line) && !endsWord(line[i]) {
			switch quote := line[i]; quote {
			case '"', '\'':
				if i, end = unquote(line, i+1, end, quote); i < 0 {
					return words, false
				}
				if i < len(line) && !isBlank(line[i]) {
					return words, false // closing quote in the middle of a word
				}
			default:
				line[end] = line[i]
				i++
				end++
				continue
			}
			break // a closing quote ends the word
		}
		words = append(words, line[start:end:end])
	}
}

// unquote copies the text from i to the closing quote to end. It returns the index
// behind the quote, -1 if there is none, and the end of what was copied.
func unquote(line []byte, i, end int, quote byte) (int, int) {
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			return i + 1, end
		case c == '\\' && quote == '"' && i+3 < len(line) && line[i+1] == 'x' && isHex(line[i+2]) && isHex(line[i+3]):
			c = hexDigit(line[i+2])<<4 | hexDigit(line[i+3])
			i += 3
		case c == '\\' && quote == '"' && i+1 < len(line):
			i++
			switch c = line[i]; c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'a':
				c = '\a'
			}
		case c == '\\' && quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
			c = '\''
		}
		line[end] = c
		end++
	}
	return -1, end
}

// isBlank is C's isspace.
func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// endsWord tells the blanks that end an unquoted word: all but \v and \f.
func endsWord(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexDigit(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
