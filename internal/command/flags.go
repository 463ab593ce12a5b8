package command

// Flags say how a command behaves; the names and their order are those of COMMAND.
type Flags uint64

const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Module
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	MayReplicate
	NoMulti
	NoAsyncLoading
	AllowBusy
	MovableKeys // derived by NewTable from the key specs
	NoMandatoryKeys

	// What follows is ours alone and never shown by COMMAND.

	// Protected commands need enable-debug-command.
	Protected
	// OffLoop handlers may block on other nodes or disks: they hold no shard and
	// the driver runs them where nobody else waits.
	OffLoop
	// OnlyPlain commands are refused in cluster mode.
	OnlyPlain
	// OnlyCluster commands are refused without cluster mode.
	OnlyCluster
	// NoEffect marks a write whose handler stages every effect itself.
	NoEffect
	// Immediate commands are run within MULTI instead of being queued.
	Immediate
	// RunsQueue is EXEC's: its gates, route and locks are those of the commands that
	// its connection has queued.
	RunsQueue
	// Subscribed commands may be sent by a RESP2 client that has subscribed.
	Subscribed
)

// shown are the flags that COMMAND lists, by bit.
var shown = [...]string{
	"write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript",
	"blocking", "loading", "stale", "skip_monitor", "skip_slowlog", "asking",
	"fast", "no_auth", "may_replicate", "no_multi", "no_async_loading",
	"allow_busy", "movablekeys", "no_mandatory_keys",
}

// Names returns the flags that COMMAND shows, in Redis' spelling and order.
func (f Flags) Names() []string {
	var out []string
	for i, name := range shown {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}
