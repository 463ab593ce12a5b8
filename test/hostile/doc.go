// Package hostile tries to break real nodes from outside: bad configurations, damaged
// files, malformed and enormous requests, clients that do not read, foreign packets on
// the bus, SIGSTOP, kill -9 and a full disk. A node may refuse, close that connection,
// or at its start end with one line; it may never end because of its input, and never
// serve what is not its own. It holds tests only; what is here is the harness they share.
package hostile
