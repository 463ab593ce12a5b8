// Package persist stands between the keyspace and the formats that outlive it. It says how
// a value of each type and encoding looks outside, writes snapshots as RDB and loads RDB
// into a keyspace: full syncs, slot moves, DUMP and RESTORE, the RDB file and the base of
// the append-only file go through it. It keeps the RDB file of a node (Saves), with the
// policy when to save, and the one turn that all snapshots of the node share (Turns). It
// knows no configuration and no connection, and touches files through package disk alone;
// child rdb owns the format.
package persist
