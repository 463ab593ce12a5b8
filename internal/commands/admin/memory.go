package admin

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// memorySpec is MEMORY.
func (d *Deps) memorySpec() command.Spec {
	const linear = "Depends on how much memory is allocated, could be slow"
	everywhere := []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}
	sub := func(name, summary, complexity string, run command.Handler) command.Spec {
		return command.Spec{Name: name, Arity: 2, Group: "server", Since: "4.0.0", Shards: command.ShardsNone,
			Summary: summary, Complexity: complexity, Tips: everywhere, Run: run}
	}
	help := sub("help", "Returns helpful text about the different subcommands.", "O(1)", memoryHelp)
	help.Flags, help.Tips = command.Loading|command.Stale, nil
	purge := sub("purge", "Asks the allocator to release memory.", linear, d.memoryPurge)
	purge.Flags = command.OffLoop
	purge.Tips = []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	return command.Spec{Name: "memory", Arity: -2, Group: "server", Since: "4.0.0",
		Summary: "A container for memory diagnostics commands.", Complexity: "Depends on subcommand.",
		Subs: []command.Spec{
			sub("doctor", "Outputs a memory problems report.", "O(1)", d.memoryDoctor),
			help,
			sub("malloc-stats", "Returns the allocator statistics.", linear, d.memoryMallocStats),
			purge,
			sub("stats", "Returns details about memory usage.", "O(1)", d.memoryStats),
			{Name: "usage", Arity: -3, Flags: command.ReadOnly, Cats: acl.Read, Group: "server", Since: "4.0.0",
				Keys:    []command.KeySpec{{Flags: command.KeyRO, Begin: 2, Step: 1}},
				Summary: "Estimates the memory usage of a key.", Complexity: "O(N) where N is the number of samples.",
				Run: memoryUsage},
		}}
}

// defaultSamples is how many elements of a collection MEMORY USAGE measures.
const defaultSamples = 5

// memoryUsage serves MEMORY USAGE key [SAMPLES count]: a count of 0 measures every
// element. Redis 7.2, object.c, memoryCommand.
func memoryUsage(c *command.Ctx) error {
	samples := int64(defaultSamples)
	for i := 3; i < len(c.Args); i += 2 {
		if !command.Is(c.Args[i], "samples") || i+1 == len(c.Args) {
			return resp.ErrSyntax
		}
		var err error
		if samples, err = c.Int(i + 1); err != nil {
			return err
		}
		if samples < 0 {
			return resp.ErrSyntax
		}
	}
	r, ok := c.DB.Peek(c.Slot(2), c.Args[2])
	if !ok {
		c.Out.Null()
		return nil
	}
	n := c.DB.Elements(c.Slot(2), r)
	if samples > 0 {
		n = int(min(samples, int64(n)))
	}
	if c.Slow(n, 0) {
		return command.ErrSlow
	}
	c.Out.Int(c.DB.MemoryUsage(c.Slot(2), r, samples))
	return nil
}

// memoryStats replies with a map of names to numbers, a database's being maps of their
// own. Redis 7.2, object.c, memoryCommand.
func (d *Deps) memoryStats(c *command.Ctx) error {
	m := d.memory()
	st := m.arenas
	var dbs []int
	keys := int64(0)
	for db := range d.Keyspace.Databases() {
		if n := d.Keyspace.Len(db); n > 0 {
			dbs = append(dbs, db)
			keys += n
		}
	}
	integers := func(pairs ...any) {
		for i := 0; i < len(pairs); i += 2 {
			c.Out.BulkString(pairs[i].(string))
			switch v := pairs[i+1].(type) {
			case int64:
				c.Out.Int(v)
			case float64:
				c.Out.Double(v)
			}
		}
	}
	c.Out.Map(27 + len(dbs))
	integers(
		"peak.allocated", m.PeakBytes,
		"total.allocated", m.used,
		"startup.allocated", m.StartupBytes,
		"replication.backlog", m.BacklogBytes,
		"clients.slaves", m.ReplicaBytes,
		"clients.normal", m.ClientBytes,
		"cluster.links", int64(0),
		"aof.buffer", int64(0),
		"lua.caches", int64(0),
		"functions.caches", int64(0),
	)
	for _, db := range dbs {
		main, expires := d.Keyspace.TableBytes(db)
		c.Out.BulkString("db." + strconv.Itoa(db))
		c.Out.Map(3)
		integers("overhead.hashtable.main", main, "overhead.hashtable.expires", expires, "overhead.hashtable.slot-to-keys", int64(0))
	}
	integers(
		"overhead.total", m.overhead,
		"keys.count", keys,
		"keys.bytes-per-key", (m.used-m.StartupBytes)/max(keys, 1)*min(keys, 1),
		"dataset.bytes", m.dataset,
		"dataset.percentage", 100*ratio(m.dataset, m.used-m.StartupBytes),
		"peak.percentage", 100*ratio(m.used, m.PeakBytes),
		"allocator.allocated", st.ArenaBytes,
		"allocator.active", m.active(),
		"allocator.resident", m.resident(),
		"allocator-fragmentation.ratio", ratio(m.active(), st.ArenaBytes),
		"allocator-fragmentation.bytes", m.active()-st.ArenaBytes,
		"allocator-rss.ratio", ratio(m.resident(), m.active()),
		"allocator-rss.bytes", m.resident()-m.active(),
		"rss-overhead.ratio", ratio(m.rss, m.resident()),
		"rss-overhead.bytes", m.rss-m.resident(),
		"fragmentation", ratio(m.rss, m.used),
		"fragmentation.bytes", m.rss-m.used,
	)
	return nil
}

// memoryPurge gives free pages back to the system. It locks one shard at a time.
func (d *Deps) memoryPurge(c *command.Ctx) error {
	d.Keyspace.Purge()
	debug.FreeOSMemory()
	c.Out.OK()
	return nil
}

func (d *Deps) memoryMallocStats(c *command.Ctx) error {
	var b strings.Builder
	line := func(name string, used, active, idle, limit int64) {
		fmt.Fprintf(&b, "%-8s %15d %15d %15d %15d %6.2f\n", name, used, active, idle, limit, ratio(active, used))
	}
	st := d.Keyspace.Stats()
	fmt.Fprintf(&b, "%-8s %15s %15s %15s %15s %6s\n", "shard", "allocated", "active", "idle", "reserved", "ratio")
	d.Keyspace.EachArena(func(shard int, used, active, idle, limit int64) {
		line(strconv.Itoa(shard), used, active, idle, limit)
	})
	line("all", st.ArenaBytes, st.ActiveBytes, st.IdleBytes, st.LimitBytes)
	c.Out.Verbatim("txt", b.String())
	return nil
}

// Thresholds of MEMORY DOCTOR. Redis 7.2, object.c, getMemoryDoctorReport.
const (
	doctorLeast       = 5 << 20
	doctorPeak        = 1.5
	doctorFrag        = 1.4
	doctorFragBytes   = 10 << 20
	doctorClientBytes = 200 << 10
)

func (d *Deps) memoryDoctor(c *command.Ctx) error {
	m := d.memory()
	if m.used < doctorLeast {
		c.Out.Verbatim("txt", "There is too little data here for a diagnosis. Ask again when more than 5 MB are in use.\n")
		return nil
	}
	var b strings.Builder
	found := func(sick bool, format string, args ...any) {
		if sick {
			fmt.Fprintf(&b, " * "+format+"\n", args...)
		}
	}
	clients := int64(1)
	if d.Stats != nil {
		clients = max(1, d.Stats.Totals(c.Client).Clients)
	}
	st := m.arenas
	found(ratio(m.PeakBytes, m.used) > doctorPeak,
		"Peak memory: %s were in use once, %s are now. Pages that were given back are not resident any more; MEMORY PURGE gives back the rest.", human(m.PeakBytes), human(m.used))
	found(ratio(m.active(), st.ArenaBytes) > doctorFrag && m.active()-st.ArenaBytes > doctorFragBytes,
		"Fragmentation: blocks take up %.2f times their bytes in pages (%s lie free between them). CONFIG SET activedefrag yes moves them together.", ratio(m.active(), st.ArenaBytes), human(m.active()-st.ArenaBytes))
	found(ratio(m.resident(), m.active()) > doctorFrag && m.resident()-m.active() > doctorFragBytes,
		"Free pages: %s may be resident and hold nothing. They go back within a second, or at once with MEMORY PURGE.", human(m.resident()-m.active()))
	found(ratio(m.rss, m.used) > doctorFrag && m.rss-m.used > doctorFragBytes,
		"Resident memory: the process has %s, %.2f times what is in use; %s of it are Go heap.", human(m.rss), ratio(m.rss, m.used), human(m.heap))
	found(m.ClientBytes/clients > doctorClientBytes,
		"Client buffers: a connection holds %s on average. Look at CLIENT LIST for those that do not read their replies.", human(m.ClientBytes/clients))
	found(m.ReplicaBytes > doctorFragBytes,
		"Replica buffers: %s wait for replicas that are behind.", human(m.ReplicaBytes))
	if b.Len() == 0 {
		c.Out.Verbatim("txt", "No memory problem was found in this node.\n")
		return nil
	}
	c.Out.Verbatim("txt", "Memory problems were found:\n\n"+b.String())
	return nil
}

func memoryHelp(c *command.Ctx) error {
	c.ReplyHelp(
		"DOCTOR",
		"    Return memory problems reports.",
		"MALLOC-STATS",
		"    Return internal statistics report from the memory allocator.",
		"PURGE",
		"    Attempt to purge dirty pages for reclamation by the allocator.",
		"STATS",
		"    Return information about the memory usage of the server.",
		"USAGE <key> [SAMPLES <count>]",
		"    Return memory in bytes used by <key> and its value. Nested values are",
		"    sampled up to <count> times (default: 5, 0 means sample all).",
	)
	return nil
}
