package command

import (
	"bytes"
	"strings"

	"github.com/redwingdb/redwing/internal/resp"
)

// Bounds within error texts, in bytes (Redis 7.2, server.c, commandCheckExistence).
const (
	nameInText = 128
	argsInText = 128
)

func unknownCommand(args [][]byte) *resp.Error {
	var b strings.Builder
	b.WriteString("ERR unknown command '")
	b.Write(clip(args[0], nameInText))
	b.WriteString("', with args beginning with: ")
	for written, i := 0, 1; i < len(args) && written < argsInText; i++ {
		a := clip(args[i], argsInText-written)
		b.WriteByte('\'')
		b.Write(a)
		b.WriteString("' ")
		written += len(a) + 3
	}
	return QuoteError(b.String())
}

func unknownSubcommand(args [][]byte) *resp.Error {
	return QuoteError("ERR unknown subcommand '" + string(clip(args[1], nameInText)) +
		"'. Try " + strings.ToUpper(string(clip(args[0], nameInText))) + " HELP.")
}

// clip returns b up to its first NUL, as C prints it, and at most n bytes.
func clip(b []byte, n int) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b[:min(n, len(b))]
}

// QuoteError returns an error reply whose text quotes what a client sent, as Redis
// prints it: a part ends at its first NUL, line breaks at the end go and others become
// spaces, so that the reply stays one line.
func QuoteError(parts ...string) *resp.Error {
	var b strings.Builder
	for _, p := range parts {
		p, _, _ = strings.Cut(p, "\x00")
		b.WriteString(p)
	}
	return resp.NewError(lineBreaks.Replace(strings.TrimRight(b.String(), "\r\n")))
}

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")
