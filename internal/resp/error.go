package resp

import "strconv"

// Error is a reply that a client sees as an error: the text behind the '-', code
// word included. Every fixed text of the server is a value of this type in this
// package, so that a text stands once. Handlers return *Error; compare by identity.
type Error struct{ text string }

// NewError returns an error reply of the given text, which must begin with its
// code word ("ERR ...") and hold no line break.
func NewError(text string) *Error { return &Error{text} }

// Error returns the text as the client sees it, without the leading '-'.
func (e *Error) Error() string { return e.text }

// Errors whose texts clients and tests know by heart. Source: Redis 7.2, server.c
// (createSharedObjects), networking.c, cluster.c, multi.c, object.c.
var (
	ErrSyntax             = NewError("ERR syntax error")
	ErrWrongType          = NewError("WRONGTYPE Operation against a key holding the wrong kind of value")
	ErrNotInteger         = NewError("ERR value is not an integer or out of range")
	ErrNotFloat           = NewError("ERR value is not a valid float")
	ErrOutOfRange         = NewError("ERR value is out of range")
	ErrPositiveOutOfRange = NewError("ERR value is out of range, must be positive")
	ErrOverflow           = NewError("ERR increment or decrement would overflow")
	ErrNaNOrInfinity      = NewError("ERR increment would produce NaN or Infinity")
	ErrStringTooLong      = NewError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	ErrOffsetOutOfRange   = NewError("ERR offset is out of range")
	ErrNoSuchKey          = NewError("ERR no such key")
	ErrSameObject         = NewError("ERR source and destination objects are the same")
	ErrIndexOutOfRange    = NewError("ERR index out of range")
	ErrDBIndex            = NewError("ERR DB index is out of range")
	ErrInvalidDBIndex     = NewError("ERR invalid DB index")
	ErrInvalidCursor      = NewError("ERR invalid cursor")

	ErrNoAuth         = NewError("NOAUTH Authentication required.")
	ErrNoProto        = NewError("NOPROTO unsupported protocol version")
	ErrWrongPass      = NewError("WRONGPASS invalid username-password pair or user is disabled.")
	ErrExecAbort      = NewError("EXECABORT Transaction discarded because of previous errors.")
	ErrNestedMulti    = NewError("ERR MULTI calls can not be nested")
	ErrExecNoMulti    = NewError("ERR EXEC without MULTI")
	ErrDiscardNoMulti = NewError("ERR DISCARD without MULTI")
	ErrWatchInMulti   = NewError("ERR WATCH inside MULTI is not allowed")
	ErrNotInMulti     = NewError("ERR Command not allowed inside a transaction")

	ErrOOM           = NewError("OOM command not allowed when used memory > 'maxmemory'.")
	ErrReadOnly      = NewError("READONLY You can't write against a read only replica.")
	ErrNoReplicas    = NewError("NOREPLICAS Not enough good replicas to write.")
	ErrLoading       = NewError("LOADING Redis is loading the dataset in memory")
	ErrMasterDown    = NewError("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
	ErrMisconfWrites = NewError("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.")
	ErrUncertain     = NewError("UNCERTAIN The write ran, but this node's lease ended before it could be confirmed")
	// ErrUnconfirmed answers a write, ErrUnconfirmedRead a read of a sync client that the
	// in-sync copies have not confirmed in time.
	ErrUnconfirmed     = NewError("UNCERTAIN The write ran, but not all in-sync copies confirmed it within sync-timeout")
	ErrUnconfirmedRead = NewError("CLUSTERDOWN What was read was not confirmed by all in-sync copies within sync-timeout")

	ErrUnlogged = NewError("UNCERTAIN The write ran, but the append-only file could not be written: it may not survive a restart")

	ErrCrossSlot           = NewError("CROSSSLOT Keys in request don't hash to the same slot")
	ErrTryAgain            = NewError("TRYAGAIN Multiple keys request during rehashing of slot")
	ErrClusterDown         = NewError("CLUSTERDOWN The cluster is down")
	ErrClusterDownWrites   = NewError("CLUSTERDOWN The cluster is down and only accepts read commands")
	ErrClusterDownUnserved = NewError("CLUSTERDOWN Hash slot not served")
	ErrClusterDisabled     = NewError("ERR This instance has cluster support disabled")
	ErrClusterSelect       = NewError("ERR SELECT is not allowed in cluster mode")
)

// WrongArity is the reply to a known command with a wrong number of arguments.
// name is the command in lower case, "container|sub" for a subcommand.
func WrongArity(name string) *Error {
	return NewError("ERR wrong number of arguments for '" + name + "' command")
}

// InvalidExpire is the reply to an expire time that is out of range.
func InvalidExpire(name string) *Error {
	return NewError("ERR invalid expire time in '" + name + "' command")
}

// Redirect returns MOVED (or ASK) for a slot; addr is host:port.
func Redirect(word string, slot uint16, addr string) *Error {
	return NewError(word + " " + strconv.Itoa(int(slot)) + " " + addr)
}
