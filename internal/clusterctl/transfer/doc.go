// Package transfer moves data between servers over the protocols that every Redis speaks:
// it reads a server as a replica of it does (Source: handshake, RDB, stream), turns values
// into requests (Encoder) and the stream into operations on keys of a cluster (Machine),
// and writes to the owners of slots (Target). A Flow runs one source into a target.
//
// Nothing is retried blindly. Whatever the target has not clearly done (a slot that moved,
// a connection that broke, a command that it refuses) makes its keys dirty: nothing more
// is done with them until they have been read again, whole, from the source at a known
// offset of its stream, and written anew at that offset. The same holds for what has no
// counterpart in a cluster, such as RENAME between slots.
//
// A link to a source that breaks is made again and goes on where it broke (PSYNC). Only when
// the source answers that by all of its data (FULLRESYNC) are they copied anew, and what the
// flow has written before is deleted first: nothing stays that the source has no more.
//
// Package clusterctl decides what is moved where, and shows it.
package transfer

import "errors"

var (
	// ErrRefused is returned when a server refuses what nothing here can go on without.
	ErrRefused = errors.New("refused")
	// ErrEmptied is returned when the source is emptied, or two of its databases are
	// exchanged, while it is followed.
	ErrEmptied = errors.New("the source was emptied while it was being copied")
	// ErrRestarted is returned when a source has begun anew, so that what was known of its
	// stream is void.
	ErrRestarted = errors.New("the source has begun anew")
	// ErrLost is returned when a node of the cluster has gone and may have taken with it what
	// was written: it is written again.
	ErrLost = errors.New("a node of the cluster has gone with what it had taken")
	// ErrStalled is returned when a server did not get any further in time.
	ErrStalled = errors.New("no progress in time")
)
