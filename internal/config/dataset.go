package config

import "strings"

func (c *Config) replicationDirectives() []*directive {
	return []*directive{
		{name: "replicaof", alias: "slaveof", value: words(&c.ReplicaOf, 2, checkHostPort), def: "", effect: AtStart,
			help: "host and port of the primary of a plain server; REPLICAOF changes it"},
		{name: "masterauth", value: text(&c.MasterAuth, nil), def: "", effect: AtOnce,
			help: "password to give to the primary"},
		{name: "masteruser", value: text(&c.MasterUser, nil), def: "", effect: AtOnce,
			help: "user to give it for; none: the default one"},
		{name: "replica-serve-stale-data", alias: "slave-serve-stale-data", value: boolean(&c.ServeStaleData), def: "yes", effect: AtOnce,
			help: "a replica without its primary answers from what it has"},
		{name: "replica-read-only", alias: "slave-read-only", value: boolean(&c.ReplicaReadOnly), def: "yes", effect: AtOnce,
			help: "a replica refuses writes of clients"},
		{name: "replica-priority", alias: "slave-priority", value: integer(&c.ReplicaPriority, 0, 1<<31-1), def: "100", effect: AtOnce,
			help: "among equally good replicas the one with the smallest number is promoted; 0: never"},
		{name: "replica-announce-ip", alias: "slave-announce-ip", value: text(&c.ReplicaAnnounceIP, checkWord), def: "", effect: AtOnce,
			help: "address under which the primary lists this replica"},
		{name: "replica-announce-port", alias: "slave-announce-port", value: integer(&c.ReplicaAnnouncePort, 0, 65535), def: "0", effect: AtOnce,
			help: "port under which the primary lists this replica"},
		{name: "repl-backlog-size", value: size(&c.ReplBacklogBytes, 1, maxInt), def: "1mb", effect: Applied,
			help: "effects kept for replicas that come back"},
		{name: "repl-timeout", value: integer(&c.ReplTimeoutSeconds, 1, 1<<31-1), def: "60", effect: AtOnce,
			help: "seconds of silence after which a replication link is dropped"},
		{name: "repl-ping-replica-period", alias: "repl-ping-slave-period", value: integer(&c.ReplPingSeconds, 1, 1<<31-1), def: "10", effect: AtOnce,
			help: "seconds between pings of the primary to its replicas"},
		{name: "min-replicas-to-write", alias: "min-slaves-to-write", value: integer(&c.MinReplicas, 0, 1<<31-1), def: "0", effect: AtOnce,
			help: "refuse writes with fewer replicas linked; 0: never"},
		{name: "min-replicas-max-lag", alias: "min-slaves-max-lag", value: integer(&c.MinReplicasLagSeconds, 0, 1<<31-1), def: "10", effect: AtOnce,
			help: "seconds since its last acknowledgement after which a replica does not count"},
		{name: "repl-diskless-sync", value: onlyBool("yes", "a full sync goes to the socket"), def: "yes", effect: Only},
		{name: "repl-diskless-sync-delay", value: integer(&c.SyncDelaySeconds, 0, 1<<31-1), def: "0", effect: AtOnce,
			help: "seconds that a full sync waits for other replicas to share it (redis: 5)"},
		{name: "repl-diskless-sync-max-replicas", value: integer(&c.SyncMaxReplicas, 0, 1<<31-1), def: "0", effect: AtOnce,
			help: "so many replicas end the wait; 0: any number does not"},
		{name: "repl-diskless-load", value: inertEnum("disabled", "on-empty-db", "swapdb"), def: "disabled", effect: Inert},
		{name: "repl-backlog-ttl", value: integer(&c.ReplBacklogTTLSeconds, 0, 1<<31-1), def: "3600", effect: AtOnce,
			help: "seconds without any replica after which a primary gives the backlog up; 0: never"},
		{name: "repl-disable-tcp-nodelay", value: onlyBool("no", "effects are sent at once"), def: "no", effect: Only},
		{name: "replica-announced", value: boolean(&c.ReplicaAnnounced), def: "yes", effect: AtOnce,
			help: "sentinels list this replica"},
		{name: "replica-ignore-maxmemory", alias: "slave-ignore-maxmemory", value: onlyBool("yes", "a replica applies what its primary sends"), def: "yes", effect: Only},
		{name: "replica-lazy-flush", alias: "slave-lazy-flush", value: inertBool(), def: "no", effect: Inert,
			help: "memory is always given back in the background"},
		{name: "replica-ignore-disk-write-errors", value: inertBool(), def: "no", effect: Inert},
		{name: "propagation-error-behavior", value: inertEnum("ignore", "panic", "panic-on-replicas"), def: "ignore", effect: Inert},
	}
}

func (c *Config) memoryDirectives() []*directive {
	const lazy = "memory is always given back in the background"
	return []*directive{
		{name: "maxmemory", value: size(&c.MaxMemoryBytes, 0, maxInt), def: "0", effect: AtOnce,
			help: "memory of the data set past which commands that add to it are refused; 0: no limit"},
		{name: "maxmemory-policy", value: enum(&c.MaxMemoryPolicy, "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"), def: "noeviction", effect: AtOnce,
			help: "which keys go when memory is over maxmemory; a replica evicts none"},
		{name: "maxmemory-samples", value: integer(&c.MaxMemorySamples, 1, 64), def: "5", effect: AtOnce,
			help: "keys looked at for each one evicted: more is closer to the true order and slower"},
		{name: "maxmemory-eviction-tenacity", value: integer(&c.EvictionTenacity, 0, 100), def: "10", effect: AtOnce,
			help: "how long a command may evict before it runs: 50 us for each up to 10, from there 15 % more for each, at most 25 ms"},
		{name: "active-expire-effort", value: integer(&c.ActiveExpireEffort, 1, 10), def: "1", effect: AtOnce,
			help: "share of the time for deleting expired keys: 25 % of a core while many are due, 2 % more for each, and up to twice that if it is not enough"},
		{name: "lfu-log-factor", value: integer(&c.LFULogFactor, 0, 1<<31-1), def: "10", effect: AtOnce,
			help: "the higher, the more accesses it takes to saturate a key's counter"},
		{name: "lfu-decay-time", value: integer(&c.LFUDecayMinutes, 0, 1<<31-1), def: "1", effect: AtOnce,
			help: "minutes after which a key's counter loses one; 0: never"},
		{name: "lazyfree-lazy-eviction", value: boolean(&c.LazyEviction), def: "no", effect: AtOnce, help: "evicted keys are propagated as UNLINK; " + lazy},
		{name: "lazyfree-lazy-expire", value: boolean(&c.LazyExpire), def: "no", effect: AtOnce, help: "expired keys are propagated as UNLINK; " + lazy},
		{name: "lazyfree-lazy-server-del", value: inertBool(), def: "no", effect: Inert, help: lazy},
		{name: "lazyfree-lazy-user-del", value: inertBool(), def: "no", effect: Inert, help: lazy},
		{name: "lazyfree-lazy-user-flush", value: boolean(&c.LazyUserFlush), def: "no", effect: AtOnce,
			help: "FLUSHALL and FLUSHDB are answered before memory is free, as with ASYNC; " + lazy},
		{name: "activedefrag", value: boolean(&c.ActiveDefrag), def: "no", effect: AtOnce,
			help: "move blocks out of sparse pages, so that these can be given back"},
		{name: "active-defrag-ignore-bytes", value: size(&c.DefragIgnoreBytes, 1, maxInt), def: "100mb", effect: AtOnce,
			help: "bytes free between blocks below which nothing is moved"},
		{name: "active-defrag-threshold-lower", value: integer(&c.DefragLowerPercent, 0, 1000), def: "10", effect: AtOnce,
			help: "percent of the bytes in use that must be free between blocks before they are moved"},
		{name: "active-defrag-threshold-upper", value: integer(&c.DefragUpperPercent, 0, 1000), def: "100", effect: AtOnce,
			help: "percent at which as much time is spent as may be"},
		{name: "active-defrag-cycle-min", value: integer(&c.DefragCycleMin, 1, 99), def: "1", effect: AtOnce,
			help: "percent of a core spent at the lower threshold"},
		{name: "active-defrag-cycle-max", value: integer(&c.DefragCycleMax, 1, 99), def: "25", effect: AtOnce,
			help: "percent of a core spent at the upper threshold"},
		{name: "active-defrag-max-scan-fields", value: integer(&c.DefragScanFields, 1, maxInt), def: "1000", effect: AtOnce,
			help: "elements of a collection from which on it is gone through in steps"},
		{name: "jemalloc-bg-thread", value: inertBool(), def: "yes", effect: Inert},
		{name: "hash-max-listpack-entries", alias: "hash-max-ziplist-entries", value: integer(&c.HashMaxListpackEntries, 0, maxInt), def: "512", effect: Applied, help: "a hash of more fields becomes a table"},
		{name: "hash-max-listpack-value", alias: "hash-max-ziplist-value", value: size(&c.HashMaxListpackValueBytes, 0, maxInt), def: "64", effect: Applied, help: "a hash with a longer field or value becomes a table"},
		{name: "list-max-listpack-size", alias: "list-max-ziplist-size", value: integer(&c.ListMaxListpackSize, -1<<31, 1<<31-1), def: "-2", effect: Applied, help: "elements of a node of a list, or -1 to -5 for 4 to 64 KiB"},
		{name: "list-compress-depth", value: inertInt(0, 1<<31-1), def: "0", effect: Inert, help: "nodes of lists are not compressed in memory"},
		{name: "set-max-intset-entries", value: integer(&c.SetMaxIntsetEntries, 0, maxInt), def: "512", effect: Applied, help: "a set of more integers is no intset"},
		{name: "set-max-listpack-entries", value: integer(&c.SetMaxListpackEntries, 0, maxInt), def: "128", effect: Applied, help: "a set of more members becomes a table"},
		{name: "set-max-listpack-value", value: integer(&c.SetMaxListpackValueBytes, 0, maxInt), def: "64", effect: Applied, help: "a set with a longer member becomes a table"},
		{name: "zset-max-listpack-entries", alias: "zset-max-ziplist-entries", value: integer(&c.ZSetMaxListpackEntries, 0, maxInt), def: "128", effect: Applied, help: "a sorted set of more members becomes a tree"},
		{name: "zset-max-listpack-value", alias: "zset-max-ziplist-value", value: size(&c.ZSetMaxListpackValueBytes, 0, maxInt), def: "64", effect: Applied, help: "a sorted set with a longer member becomes a tree"},
		{name: "hll-sparse-max-bytes", value: size(&c.HLLSparseMaxBytes, 0, maxInt), def: "3000", effect: Applied, help: "a longer sparse HyperLogLog becomes dense"},
		{name: "stream-node-max-bytes", value: size(&c.StreamNodeMaxBytes, 0, maxInt), def: "4096", effect: Applied, help: "bytes of a node of a stream, 0: no bound"},
		{name: "stream-node-max-entries", value: integer(&c.StreamNodeMaxEntries, 0, maxInt), def: "100", effect: Applied, help: "entries of a node of a stream, 0: no bound"},
	}
}

func (c *Config) persistenceDirectives() []*directive {
	return []*directive{
		{name: "save", value: savePoints(&c.Save), def: "3600 1 300 100 60 10000", effect: AtOnce,
			help: "save after so many seconds if there were so many changes; without any there is no saving by itself, nor at shutdown"},
		{name: "appendonly", value: boolean(&c.AppendOnly), def: "no", effect: AtOnce,
			help: "keep an append-only file, which is loaded at start instead of the RDB file; turned on at run time it holds once its first base is written"},
		{name: "appendfilename", value: text(&c.AppendFilename, checkAppendFilename), def: "appendonly.aof", effect: AtStart,
			help: "what the names of its files begin with"},
		{name: "appenddirname", value: text(&c.AppendDirname, checkAppendDirname), def: "appendonlydir", effect: AtStart,
			help: "folder of its files, in `dir`"},
		{name: "appendfsync", value: enum(&c.AppendFsync, "everysec", "always", "no"), def: "everysec", effect: AtOnce,
			help: "when what was written is made to survive a crash of the machine: every second, before each reply, when the system likes"},
		{name: "no-appendfsync-on-rewrite", value: boolean(&c.NoFsyncOnRewrite), def: "no", effect: AtOnce,
			help: "do not sync while a base or an RDB file is written, whatever appendfsync says"},
		{name: "auto-aof-rewrite-percentage", value: integer(&c.AOFRewritePercent, 0, 1<<31-1), def: "100", effect: AtOnce,
			help: "rewrite when the files have grown by so much since the last rewrite; 0: never"},
		{name: "auto-aof-rewrite-min-size", value: size(&c.AOFRewriteMinBytes, 0, maxInt), def: "64mb", effect: AtOnce,
			help: "files of less are not rewritten by themselves"},
		{name: "aof-load-truncated", value: boolean(&c.AOFLoadTruncated), def: "yes", effect: AtOnce,
			help: "cut the torn end of the last file off at start; with no, refuse to start"},
		{name: "aof-use-rdb-preamble", value: onlyBool("yes", "a base is an RDB file"), def: "yes", effect: Only},
		{name: "aof-timestamp-enabled", value: boolean(&c.AOFTimestamps), def: "no", effect: AtOnce,
			help: "write down the time, for redis-check-aof --truncate-to-timestamp"},
		{name: "aof-rewrite-incremental-fsync", value: boolean(&c.AOFIncrementalSync), def: "yes", effect: AtOnce,
			help: "sync a base every 4 MiB while it is written"},
		{name: "aof-disable-auto-gc", value: boolean(&c.AOFKeepHistory), def: "no", effect: AtOnce,
			help: "keep the files that a rewrite makes needless"},
		{name: "dbfilename", value: text(&c.DBFileName, checkDBFileName), def: "dump.rdb", effect: AtStart,
			help: "name of the RDB file in `dir`"},
		{name: "rdb-version", value: enum(&c.RDBVersion, "auto", "10", "11", "12"), def: "auto", effect: AtOnce,
			help: "version of RDB files: 10 is read by redis 7.0, 11 by redis 7.2, 12 by redis 7.4; auto: 10, or 12 where a hash has fields that expire, without which such a hash is not saved"},
		{name: "rdbcompression", value: boolean(&c.RDBCompression), def: "yes", effect: AtOnce,
			help: "compress strings in RDB files and full syncs"},
		{name: "rdbchecksum", value: boolean(&c.RDBChecksum), def: "yes", effect: AtOnce,
			help: "write a checksum at the end of RDB files and full syncs"},
		{name: "rdb-save-incremental-fsync", value: boolean(&c.RDBIncrementalSync), def: "yes", effect: AtOnce,
			help: "sync an RDB file every 4 MiB while it is written"},
		{name: "rdb-del-sync-files", value: inertBool(), def: "no", effect: Inert,
			help: "a full sync never leaves a file behind"},
		{name: "rdb-key-save-delay", value: integer(&c.RDBKeyDelayMicros, -1<<31, 1<<31-1), def: "0", effect: AtOnce,
			help: "microseconds to wait for each key that is saved, for tests; below 0: none"},
		{name: "key-load-delay", value: integer(&c.KeyLoadDelayMicros, -1<<31, 1<<31-1), def: "0", effect: AtOnce,
			help: "microseconds to wait for each key that is loaded, for tests; below 0: none"},
		{name: "stop-writes-on-bgsave-error", value: boolean(&c.StopWrites), def: "yes", effect: AtOnce,
			help: "refuse writes, if there are save points, while the last BGSAVE has failed"},
		{name: "sanitize-dump-payload", value: inertEnum("no", "yes", "clients"), def: "no", effect: Inert},
	}
}

// checkAppendFilename and checkAppendDirname accept names without a path (Redis 7.2,
// config.c, isValidAOFfilename and isValidAOFdirname).
func checkAppendFilename(s string) error {
	switch {
	case s == "":
		return redisError("appendfilename can't be empty")
	case strings.ContainsAny(s, "/\\"):
		return redisError("appendfilename can't be a path, just a filename")
	}
	return nil
}

func checkAppendDirname(s string) error {
	switch {
	case s == "":
		return redisError("appenddirname can't be empty")
	case strings.ContainsAny(s, "/\\"):
		return redisError("appenddirname can't be a path, just a dirname")
	}
	return nil
}

// checkDBFileName accepts a name in dir (Redis 7.2, config.c, isValidDBfilename).
func checkDBFileName(s string) error {
	if strings.ContainsAny(s, "/\\") {
		return redisError("dbfilename can't be a path, just a filename")
	}
	return nil
}
