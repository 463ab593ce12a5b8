package config

func (c *Config) generalDirectives() []*directive {
	return []*directive{
		{name: "dir", value: directory(&c.Dir), def: ".", effect: AtStart,
			help: "directory of the node's own files; the process works in it"},
		{name: "databases", value: integer(&c.Databases, 1, 1<<16), def: "16", effect: AtStart,
			help: "numbered databases of a plain server; a node of a cluster has one"},
		{name: "loglevel", value: enum(&c.LogLevel, "debug", "verbose", "notice", "warning", "nothing"), def: "notice", effect: Applied,
			help: "least severe messages that are logged"},
		{name: "logfile", value: text(&c.LogFile, nil), def: "", effect: AtStart,
			help: "file of the log; none: standard output"},
		{name: "pidfile", value: text(&c.PidFile, nil), def: "", effect: AtStart,
			help: "file that holds the process id while the node runs"},
		{name: "shutdown-timeout", value: integer(&c.ShutdownTimeoutSeconds, 0, 1<<31-1), def: "10", effect: AtOnce,
			help: "seconds that a shutdown waits for replicas to catch up; 0: it waits for none, and in a cluster gives no shard up"},
		{name: "daemonize", value: onlyBool("no", "run it under a supervisor, or in the background by the shell"), def: "no", effect: Only},
		{name: "supervised", value: only(inertEnum("upstart", "systemd", "auto", "no"), "no", "the supervisor is not told about readiness yet"), def: "no", effect: Only},
		{name: "shutdown-on-sigint", value: ending(&c.OnSigint), def: "default", effect: AtOnce,
			help: "what SIGINT says to SHUTDOWN"},
		{name: "shutdown-on-sigterm", value: ending(&c.OnSigterm), def: "default", effect: AtOnce,
			help: "what SIGTERM says to SHUTDOWN"},
		{name: "syslog-enabled", value: onlyBool("no", "the log goes to logfile or standard output"), def: "no", effect: Only},
		{name: "syslog-ident", value: inertText(), def: "redis", effect: Inert},
		{name: "syslog-facility", value: inertText(), def: "local0", effect: Inert},
		{name: "always-show-logo", value: inertBool(), def: "no", effect: Inert},
		{name: "set-proc-title", value: inertBool(), def: "yes", effect: Inert},
		{name: "proc-title-template", value: inertText(), def: `"{title} {listen-addr} {server-mode}"`, effect: Inert},
		{name: "locale-collate", value: inertText(), def: "", effect: Inert},
		{name: "crash-log-enabled", value: inertBool(), def: "yes", effect: Inert},
		{name: "crash-memcheck-enabled", value: inertBool(), def: "yes", effect: Inert},
		{name: "use-exit-on-panic", value: inertBool(), def: "no", effect: Inert},
		{name: "disable-thp", value: inertBool(), def: "yes", effect: Inert},
		{name: "ignore-warnings", value: inertText(), def: "", effect: Inert},
		{name: "hz", value: inertInt(1, 500), def: "10", effect: Inert},
		{name: "dynamic-hz", value: inertBool(), def: "yes", effect: Inert},
		{name: "activerehashing", value: inertBool(), def: "yes", effect: Inert},
		{name: "io-threads", value: integer(&c.IOThreads, 1, 128), def: "1", effect: AtStart,
			help: "event loops that serve the connections without TLS; 1 leaves the number to the node: half the cores"},
		{name: "io-threads-do-reads", value: inertBool(), def: "no", effect: Inert},
		{name: "server_cpulist", alias: "server-cpulist", value: inertText(), effect: Inert},
		{name: "bio_cpulist", alias: "bio-cpulist", value: inertText(), effect: Inert},
		{name: "aof_rewrite_cpulist", alias: "aof-rewrite-cpulist", value: inertText(), effect: Inert},
		{name: "bgsave_cpulist", alias: "bgsave-cpulist", value: inertText(), effect: Inert},
		{name: "oom-score-adj", value: only(inertEnum("no", "yes", "relative", "absolute"), "no", "the kernel's score is left alone"), def: "no", effect: Only},
		{name: "oom-score-adj-values", value: inertWords(3), def: "0 200 800", effect: Inert},
		{name: "include", value: refuse("it stands in a file only"), effect: Refused,
			help: "in a file: reads other files, by pattern, in this place"},
		{name: "loadmodule", value: refuse("modules are C libraries"), effect: Refused},
	}
}

func (c *Config) securityDirectives() []*directive {
	return []*directive{
		{name: "requirepass", value: text(&c.RequirePass, nil), def: "", effect: Applied,
			help: "password of the default user; none: it needs none"},
		{name: "enable-debug-command", value: enum(&c.EnableDebug, "no", "yes", "local"), def: "no", effect: AtStart,
			help: "who may use DEBUG: nobody, everybody, or connections from this machine"},
		{name: "enable-module-command", value: inertEnum("no", "yes", "local"), def: "no", effect: Inert},
		{name: "enable-protected-configs", value: inertEnum("no", "yes", "local"), def: "no", effect: Inert},
		{name: "aclfile", value: onlyText("", "there is one user yet, the default one (requirepass)"), effect: Only},
		{name: "acl-pubsub-default", value: inertEnum("allchannels", "resetchannels"), def: "resetchannels", effect: Inert},
		{name: "acllog-max-len", value: inertInt(0, 1<<31-1), def: "128", effect: Inert},
		{name: "user", value: refuse("there is one user yet, the default one (requirepass)"), effect: Refused},
		{name: "rename-command", value: refuse("commands keep their names"), effect: Refused},
	}
}

func (c *Config) observabilityDirectives() []*directive {
	return []*directive{
		{name: "latency-tracking", value: inertBool(), def: "yes", effect: Inert},
		{name: "latency-tracking-info-percentiles", value: inertWords(maxWords), def: "50 99 99.9", effect: Inert},
		{name: "latency-monitor-threshold", value: inertInt(0, maxInt), def: "0", effect: Inert},
		{name: "slowlog-log-slower-than", value: inertInt(-1, maxInt), def: "10000", effect: Inert},
		{name: "slowlog-max-len", value: inertInt(0, maxInt), def: "128", effect: Inert},
		{name: "notify-keyspace-events", value: events(&c.NotifyEvents), effect: AtOnce,
			help: "events of keys that are published: on __keyspace@<db>__ (K) and __keyevent@<db>__ channels (E), of the classes that follow"},
		{name: "tracking-table-max-keys", value: inertInt(0, maxInt), def: "1000000", effect: Inert},
		{name: "busy-reply-threshold", alias: "lua-time-limit", value: inertInt(0, maxInt), def: "5000", effect: Inert},
	}
}
