package commandtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Reply is a parsed reply.
type Reply struct {
	Kind  byte    // its first byte: + - : $ * in RESP2
	Text  string  // of what is no aggregate
	Null  bool    // of $, * and _
	Items []Reply // of an aggregate; a map's names and values alternate
}

// ReadReply reads one reply of RESP2 or RESP3, returning its bytes too.
func ReadReply(r *bufio.Reader) (v Reply, raw []byte, err error) {
	var all bytes.Buffer
	v, err = readReply(r, &all)
	return v, all.Bytes(), err
}

func readReply(r *bufio.Reader, raw *bytes.Buffer) (v Reply, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return v, err
	}
	raw.WriteString(line)
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return v, fmt.Errorf("commandtest: empty reply line")
	}
	v.Kind, v.Text = line[0], line[1:]
	bulk := false
	switch v.Kind {
	case '_':
		v.Null = true
		return v, nil
	case '$', '=':
		bulk = true
	case '*', '%', '~', '>':
	default:
		return v, nil
	}
	n, err := strconv.Atoi(v.Text)
	if err != nil {
		return v, fmt.Errorf("commandtest: reply line %q: %w", line, err)
	}
	v.Text, v.Null = "", n < 0
	switch {
	case n < 0:
	case bulk:
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return v, err
		}
		raw.Write(b)
		v.Text = string(b[:n])
	default:
		if v.Kind == '%' {
			n *= 2
		}
		for range n {
			item, err := readReply(r, raw)
			if err != nil {
				return v, err
			}
			v.Items = append(v.Items, item)
		}
	}
	return v, nil
}

// Parse parses a whole reply.
func Parse(raw []byte) (Reply, error) {
	r := bufio.NewReader(bytes.NewReader(raw))
	v, _, err := ReadReply(r)
	if err == nil && r.Buffered() > 0 {
		err = fmt.Errorf("commandtest: %d bytes behind the reply %q", r.Buffered(), raw)
	}
	return v, err
}

// Strings returns the texts of the items of v.
func (v Reply) Strings() []string {
	out := make([]string, len(v.Items))
	for i, item := range v.Items {
		out[i] = item.Text
	}
	return out
}

// Pairs returns the items of v, which alternate between names and values.
func (v Reply) Pairs() map[string]Reply {
	out := make(map[string]Reply)
	for i := 0; i+1 < len(v.Items); i += 2 {
		out[v.Items[i].Text] = v.Items[i+1]
	}
	return out
}

// Requests parses the requests that stand one after the other in b.
func Requests(b []byte) (out [][][]byte, err error) {
	r := bufio.NewReader(bytes.NewReader(b))
	for {
		v, _, err := ReadReply(r)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, Args(v.Strings()...))
	}
}

// Args returns words as the arguments of a request.
func Args(words ...string) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = []byte(w)
	}
	return out
}
