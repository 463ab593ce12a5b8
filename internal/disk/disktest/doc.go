// Package disktest is a file system in memory for tests of what must survive a crash. It is
// as unkind as POSIX allows: FS.Crash forgets what was not synced, or a part of it that a
// seed chooses, and rules make operations fail, write short, wait, or end the process that
// makes them.
//
// What survives a crash:
//
//	bytes of a file     as of its last Sync; those changed since then sector by sector, by the
//	                    seed, and its length apart from them, so that zeros may stand in between
//	names in a folder   as of its last SyncDir; each creation, rename and removal since then
//	                    by the seed. Sync of a file says nothing about its name
//	after a failed Sync  what it was to sync is in nobody's hands: it reads well until the crash,
//	                    and no later Sync makes it durable (as Linux does it)
package disktest
