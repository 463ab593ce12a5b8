package resp

// Errors of a request stream: the client gets one of them and is disconnected.
// Source: Redis 7.2, networking.c, processInlineBuffer and processMultibulkBuffer.
var (
	ErrTooBigInline     = NewError("ERR Protocol error: too big inline request")
	ErrUnbalancedQuotes = NewError("ERR Protocol error: unbalanced quotes in request")
	ErrTooBigCount      = NewError("ERR Protocol error: too big mbulk count string")
	ErrInvalidMultibulk = NewError("ERR Protocol error: invalid multibulk length")
	ErrUnauthMultibulk  = NewError("ERR Protocol error: unauthenticated multibulk length")
	ErrTooBigBulkCount  = NewError("ERR Protocol error: too big bulk count string")
	ErrInvalidBulk      = NewError("ERR Protocol error: invalid bulk length")
	ErrUnauthBulk       = NewError("ERR Protocol error: unauthenticated bulk length")
)

// errExpectedDollar names the byte that stands where a bulk string should begin.
// Bytes that would break the reply's line are shown as a blank, as Redis does.
func errExpectedDollar(got byte) *Error {
	if got == '\r' || got == '\n' {
		got = ' '
	}
	return NewError("ERR Protocol error: expected '$', got '" + string([]byte{got}) + "'")
}
