// Package memory holds tests of what becomes of memory on real nodes: how soon what has
// expired, was flushed or evicted is free again, and what other commands feel of it.
// Their figures are logged; `go test -v -run Storm ./test/memory` shows them.
package memory
