// Package resp is the wire protocol of clients: a resumable request parser with
// limits, writers for RESP2 and RESP3 replies, and every fixed error text. It does
// no I/O and knows no command.
package resp
