package replication

import "time"

// Settings may change while the server runs. The zero value of a field means its
// default.
type Settings struct {
	// AnnouncePort and AnnounceIP are what a primary is told about this node
	// (replica-announce-port, else port; replica-announce-ip).
	AnnouncePort int
	AnnounceIP   string
	// User and Password log in at the primary (masteruser, masterauth).
	User, Password string

	// PingPeriod is how often a primary pings its replicas. Default: 10 s.
	PingPeriod time.Duration
	// Timeout ends a link that is silent. Default: 60 s.
	Timeout time.Duration
	// BacklogBytes is how much of the stream is kept for replicas that come back.
	// Default: 1 MiB.
	BacklogBytes int64
	// BacklogTTL is how long it is kept without any replica; negative: for ever.
	// Default: 1 h.
	BacklogTTL time.Duration
	// A replica further behind than OutputHardBytes, or than OutputSoftBytes for
	// OutputSoftTime, is dropped. Default: 256 MiB, 64 MiB, 60 s; negative: no limit.
	OutputHardBytes, OutputSoftBytes int64
	OutputSoftTime                   time.Duration
	// SyncDelay is how long a full sync waits for other replicas to join, SyncReplicas how
	// many of them end that (repl-diskless-sync-delay and -max-replicas). Default: not at all;
	// any number.
	SyncDelay    time.Duration
	SyncReplicas int
	// MinReplicas and MinReplicasMaxLag are min-replicas-to-write and -max-lag.
	// Default: none, 10 s; with a negative lag none are asked for.
	MinReplicas       int
	MinReplicasMaxLag time.Duration
	// NoCompress sends the RDB of a full sync without compression.
	NoCompress bool
	// NoChecksum sends it without checksum.
	NoChecksum bool
	// Priority of this node as a candidate (replica-priority), for INFO; 0: never.
	Priority int
	// Unannounced is the reverse of replica-announced, for INFO.
	Unannounced bool
	// ServeWritable is the reverse of replica-read-only: what clients write to a replica is
	// not in its stream, and no reason to give the stream up.
	ServeWritable bool
}

// hardLimit is how far a replica may fall behind, 0: without limit. It is not below what
// is kept for replicas anyway (Redis 7.2, networking.c, checkClientOutputBufferLimits).
func (s Settings) hardLimit() int64 {
	if s.OutputHardBytes == 0 {
		return 0
	}
	return max(s.OutputHardBytes, s.BacklogBytes)
}

func (s Settings) withDefaults() Settings {
	set(&s.PingPeriod, 10*time.Second)
	set(&s.Timeout, 60*time.Second)
	set(&s.BacklogBytes, 1<<20)
	set(&s.BacklogTTL, time.Hour)
	set(&s.OutputHardBytes, 256<<20)
	set(&s.OutputSoftBytes, 64<<20)
	set(&s.OutputSoftTime, 60*time.Second)
	set(&s.MinReplicasMaxLag, 10*time.Second)
	s.OutputHardBytes = max(s.OutputHardBytes, 0)
	s.OutputSoftBytes = max(s.OutputSoftBytes, 0)
	return s
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
