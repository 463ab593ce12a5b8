// Package aof owns the append-only file: Redis 7's multi-part format (a base, increments
// and the manifest that names them), written from the effect log and read at start. It
// knows requests only as far as it must (SELECT, MULTI, EXEC, what is left out), runs none
// and takes no shard lock; who loads gives it a Target, who rewrites a Snapshot.
//
//	effects.Log --Reader--> writer --write, fsync--> N.incr.aof      Synced(offset)
//	the writer is a goroutine, or who waits for it where an fsync takes little (Commit)
//	snapshot's cut: the writer turns to N+1.incr.aof exactly there; once the base is
//	written the manifest names it, and what came before is deleted
//
// Files of Redis are read, and Redis reads ours: what is our own stands in annotations,
// lines that begin with '#' and that Redis passes over. docs/format/aof.md describes them.
// internal/node wires it.
package aof
