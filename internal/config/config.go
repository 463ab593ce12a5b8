package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Config is the settings of one node. The fields are read without a lock, at any
// time; docs/configuration.md explains each directive. Units stand in the names.
type Config struct {
	Bind                List
	Port                Int
	ProtectedMode       Bool
	UnixSocket          Text
	UnixSocketPerm      Int // a file mode; 0: leave it
	TimeoutSeconds      Int
	TCPKeepaliveSeconds Int
	MaxClients          Int
	IOThreads           Int
	OutputLimits        Limits
	QueryBufferBytes    Int
	MaxBulkBytes        Int

	Dir                    Text
	Databases              Int
	LogLevel               Text // debug, verbose, notice, warning, nothing
	LogFile                Text
	PidFile                Text
	ShutdownTimeoutSeconds Int
	OnSigint, OnSigterm    Ending

	RequirePass Text
	EnableDebug Text // no, yes, local

	ClusterEnabled           Bool
	ClusterNodeTimeoutMillis Int
	ClusterPort              Int
	ClusterDir               Text
	BusSecret                Text
	InsecureBus              Bool
	AvailabilityZone         Text
	ClusterSeeds             List // host:port as clients use them
	MoveRateBytes            Int  // a second
	AnnounceIP               Text
	AnnouncePort             Int
	AnnounceBusPort          Int
	AnnounceHostname         Text
	EndpointType             Text // ip, hostname, unknown-endpoint
	ReplicaValidityFactor    Int
	ReplicaNoFailover        Bool
	RequireFullCoverage      Bool
	AllowReadsWhenDown       Bool
	AllowPubSubShardWhenDown Bool
	SlotStats                Bool
	// NotifyEvents are the letters of notify-keyspace-events as they were given.
	NotifyEvents Text

	ReplicaOf             List // host and port, or nothing
	MasterAuth            Text
	MasterUser            Text
	ServeStaleData        Bool
	ReplicaReadOnly       Bool
	ReplicaAnnounced      Bool
	ReplicaPriority       Int
	ReplicaAnnounceIP     Text
	ReplicaAnnouncePort   Int
	ReplBacklogBytes      Int
	ReplBacklogTTLSeconds Int
	SyncDelaySeconds      Int
	SyncMaxReplicas       Int
	ReplTimeoutSeconds    Int
	ReplPingSeconds       Int
	MinReplicas           Int
	MinReplicasLagSeconds Int

	MaxMemoryBytes     Int
	MaxMemoryPolicy    Text // Redis' names
	MaxMemorySamples   Int
	EvictionTenacity   Int
	ActiveExpireEffort Int
	LFULogFactor       Int
	LFUDecayMinutes    Int
	LazyEviction       Bool
	LazyExpire         Bool
	LazyUserFlush      Bool
	ActiveDefrag       Bool
	DefragIgnoreBytes  Int
	DefragLowerPercent Int
	DefragUpperPercent Int
	DefragCycleMin     Int // percent of a core
	DefragCycleMax     Int
	DefragScanFields   Int

	Save               SavePoints
	StopWrites         Bool // stop-writes-on-bgsave-error
	DBFileName         Text
	RDBVersion         Text // auto, or a number
	RDBCompression     Bool
	RDBChecksum        Bool
	RDBIncrementalSync Bool
	RDBKeyDelayMicros  Int // waited for each key that is saved
	KeyLoadDelayMicros Int // waited for each key that is loaded

	AppendOnly         Bool
	AppendFilename     Text
	AppendDirname      Text
	AppendFsync        Text // always, everysec, no
	NoFsyncOnRewrite   Bool
	AOFRewritePercent  Int
	AOFRewriteMinBytes Int
	AOFLoadTruncated   Bool
	AOFTimestamps      Bool
	AOFIncrementalSync Bool
	AOFKeepHistory     Bool // aof-disable-auto-gc

	HashMaxListpackEntries    Int
	HashMaxListpackValueBytes Int
	ListMaxListpackSize       Int // elements, or -1 to -5 for 4 to 64 KiB
	SetMaxIntsetEntries       Int
	SetMaxListpackEntries     Int
	SetMaxListpackValueBytes  Int
	ZSetMaxListpackEntries    Int
	ZSetMaxListpackValueBytes Int
	HLLSparseMaxBytes         Int
	StreamNodeMaxBytes        Int
	StreamNodeMaxEntries      Int

	file string // absolute path of the file it was read from, "" without one

	table  []*directive
	byName map[string]*directive // names and aliases

	mu     sync.Mutex // held where values are read or changed together: a change is seen whole
	fileMu sync.Mutex // held while the file is rewritten; taken before mu
}

// New returns the settings that hold where nothing is said.
func New() *Config {
	c := &Config{byName: make(map[string]*directive)}
	for _, s := range c.sections() {
		for _, d := range s.directives {
			d.section = s.title
			c.table = append(c.table, d)
			c.byName[d.name] = d
			if d.alias != "" {
				c.byName[d.alias] = d
			}
			if d.effect == Refused {
				continue
			}
			if err := d.setDefault(); err != nil {
				panic(fmt.Sprintf("config: default of %s: %v", d.name, err)) // a mistake in the table; every test meets it
			}
		}
	}
	return c
}

type section struct {
	title      string
	directives []*directive
}

func (c *Config) sections() []section {
	return []section{
		{"Network", c.networkDirectives()},
		{"General", c.generalDirectives()},
		{"Security", c.securityDirectives()},
		{"Cluster", c.clusterDirectives()},
		{"Replication", c.replicationDirectives()},
		{"Memory", c.memoryDirectives()},
		{"Persistence", c.persistenceDirectives()},
		{"Observability", c.observabilityDirectives()},
	}
}

func (d *directive) defaultArgs() ([]string, error) {
	if !takesSeveral(d.value) && !strings.HasPrefix(d.def, `"`) {
		return []string{d.def}, nil
	}
	args, err := splitWords(d.def)
	if len(args) == 0 {
		args = []string{""}
	}
	return args, err
}

func (d *directive) setDefault() error {
	args, err := d.defaultArgs()
	if err != nil {
		return err
	}
	return d.value.set(args)
}

// File returns the absolute path of the file that was read, "" if there was none.
func (c *Config) File() string { return c.file }

// OnChange registers what must happen when CONFIG SET has changed the directive
// name: on an error the change is taken back and the client sees its text. One
// function a directive; it must not block, nor call Get, Set or Rewrite. It panics if there is no
// such directive, or none that needs it. To be called before the node serves.
func (c *Config) OnChange(name string, apply func() error) {
	d := c.byName[name]
	if d == nil || d.onSet != nil || d.effect != AtOnce && d.effect != Applied {
		panic("config: OnChange of " + name)
	}
	d.onSet = apply
}

// SetReplicaOf records what REPLICAOF has changed ("" for no primary), so that
// CONFIG GET shows it and CONFIG REWRITE keeps it.
func (c *Config) SetReplicaOf(host, port string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	if host != "" {
		list = []string{host, port}
	}
	c.ReplicaOf.v.Store(&list)
}

// BusOffset is the distance of the bus port from the port of clients, where nothing
// else is said (Redis cluster specification).
const BusOffset = 10000

// BusSeeds returns the bus addresses of cluster-seeds.
func (c *Config) BusSeeds() []string {
	var out []string
	for _, addr := range c.ClusterSeeds.Get() {
		if host, text, err := net.SplitHostPort(addr); err == nil {
			if port, err := strconv.Atoi(text); err == nil { // checkSeeds has seen to it
				out = append(out, net.JoinHostPort(host, strconv.Itoa(port+BusOffset)))
			}
		}
	}
	return out
}

// BusPort returns the port of the cluster bus: cluster-port, or port + 10000.
func (c *Config) BusPort() int {
	if p := c.ClusterPort.Get(); p != 0 {
		return int(p)
	}
	return int(c.Port.Get()) + BusOffset
}

// nearest returns the directive whose name is most like name, "" if none is like it.
func (c *Config) nearest(name string) string {
	best, bestDistance := "", 1+min(3, len(name)/2)
	for _, d := range c.table {
		for _, candidate := range []string{d.name, d.alias} {
			if n := distance(name, candidate, bestDistance); candidate != "" && n < bestDistance {
				best, bestDistance = candidate, n
			}
		}
	}
	return best
}

// distance returns the number of insertions, deletions, replacements and swaps of
// neighbours that make b of a; bound or more if the lengths alone differ by that.
func distance(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		earlier := before
		before, row = row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(before[j]+1, row[j-1]+1)
			if a[i-1] == b[j-1] {
				row[j] = min(row[j], before[j-1])
			} else {
				row[j] = min(row[j], before[j-1]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], earlier[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// names returns every name and alias that CONFIG GET knows, sorted.
func (c *Config) names() []string {
	var out []string
	for name, d := range c.byName {
		if d.effect != Refused {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
