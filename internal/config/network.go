package config

import "strconv"

func (c *Config) networkDirectives() []*directive {
	return []*directive{
		{name: "bind", value: words(&c.Bind, 16, nil), def: "* -::*", effect: AtStart,
			help: "addresses to listen on; `-` before one: its absence is no error, `*` all of IPv4, `::*` all of IPv6"},
		{name: "port", value: integer(&c.Port, 0, 65535), def: "6379", effect: AtStart,
			help: "TCP port of clients; 0: none"},
		{name: "tcp-backlog", value: inertInt(0, 1<<31-1), def: "511", effect: Inert,
			help: "the system's bound (net.core.somaxconn) holds"},
		{name: "protected-mode", value: boolean(&c.ProtectedMode), def: "yes", effect: AtOnce,
			help: "without a password, refuse connections that do not come from this machine"},
		{name: "unixsocket", value: text(&c.UnixSocket, nil), def: "", effect: AtStart,
			help: "path of a unix socket to listen on"},
		{name: "unixsocketperm", value: octal(&c.UnixSocketPerm, 0, 0o777), def: "0", effect: AtStart,
			help: "mode of that socket; 0: as the umask says"},
		{name: "timeout", value: integer(&c.TimeoutSeconds, 0, 1<<31-1), def: "0", effect: AtOnce,
			help: "seconds after which an idle client is disconnected; 0: never"},
		{name: "tcp-keepalive", value: integer(&c.TCPKeepaliveSeconds, 0, 1<<31-1), def: "300", effect: AtOnce,
			help: "seconds between probes of idle connections; 0: none"},
		{name: "maxclients", value: integer(&c.MaxClients, 1, 1<<32-1), def: "10000", effect: AtOnce,
			help: "connections of clients at a time"},
		{name: "client-output-buffer-limit", value: limits(&c.OutputLimits),
			def: "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", effect: AtOnce,
			help: "output that may wait for a client before it is disconnected"},
		{name: "client-query-buffer-limit", value: size(&c.QueryBufferBytes, 1<<20, maxInt), def: "1gb", effect: AtOnce,
			help: "input of one request that is buffered"},
		{name: "proto-max-bulk-len", value: size(&c.MaxBulkBytes, 1<<20, maxInt), def: "512mb", effect: AtOnce,
			help: "length of one argument, and of a string value"},
		{name: "maxmemory-clients", value: only(size(new(Int), 0, maxInt), "0", "clients are not evicted yet"), def: "0", effect: Only},
		{name: "bind-source-addr", value: onlyText("", "outgoing connections choose their address by route"), effect: Only},
		{name: "socket-mark-id", value: onlyInt("0", "sockets are not marked"), def: "0", effect: Only},
		{name: "tls-port", value: onlyInt("0", "TLS is not available yet"), def: "0", effect: Only},
		{name: "tls-replication", value: onlyBool("no", "TLS is not available yet"), def: "no", effect: Only},
		{name: "tls-cluster", value: onlyBool("no", "TLS is not available yet"), def: "no", effect: Only},
		{name: "tls-cert-file", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-key-file", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-key-file-pass", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-client-cert-file", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-client-key-file", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-client-key-file-pass", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-ca-cert-file", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-ca-cert-dir", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-dh-params-file", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-protocols", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-ciphers", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-ciphersuites", value: onlyText("", "TLS is not available yet"), effect: Only},
		{name: "tls-auth-clients", value: inertEnum("no", "yes", "optional"), def: "yes", effect: Inert},
		{name: "tls-prefer-server-ciphers", value: inertBool(), def: "no", effect: Inert},
		{name: "tls-session-caching", value: inertBool(), def: "yes", effect: Inert},
		{name: "tls-session-cache-size", value: inertInt(0, 1<<31-1), def: "20480", effect: Inert},
		{name: "tls-session-cache-timeout", value: inertInt(0, 1<<31-1), def: "300", effect: Inert},
	}
}

// checkHostPort accepts "", or two words: a host and a port.
func checkHostPort(list []string) error {
	if len(list) == 0 {
		return nil
	}
	if len(list) != 2 {
		return errArgCount
	}
	if list[0] == "no" && list[1] == "one" {
		return nil
	}
	if port, err := strconv.Atoi(list[1]); err != nil || port < 0 || port > 65535 {
		return redisError("Invalid master port")
	}
	return nil
}
