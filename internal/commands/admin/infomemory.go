package admin

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

// MemoryCounts are bytes that the engine does not know of, and what moving blocks takes.
type MemoryCounts struct {
	PeakBytes    int64 // the most that was ever counted
	StartupBytes int64 // counted at the start
	BacklogBytes int64 // of the backlog, held against maxmemory
	ReplicaBytes int64 // of the stream, kept for replicas beyond the backlog
	ClientBytes  int64 // buffers of clients

	DefragPercent   int64 // of a core that active defragmentation takes, 0: it does not run
	DefragMillis    int64 // how long it has run in all
	DefragNowMillis int64 // since it last began; 0: it does not run
}

// memory is where the bytes of the process are. Used is what is held against maxmemory;
// the Go heap outside client buffers, and pages that hold nothing, are only reported.
//
//	used = startup + backlog + clients + tables + dataset
type memory struct {
	MemoryCounts
	used     int64
	overhead int64 // of used, what is no key or value
	dataset  int64 // of used, keys and values
	heap     int64 // objects of the Go heap
	rss      int64 // resident
	system   int64 // RAM of the machine
	arenas   engine.Stats
}

func (d *Deps) memory() memory {
	var m memory
	if d.Memory != nil {
		m.MemoryCounts = d.Memory()
	}
	m.arenas = d.Keyspace.Stats()
	m.used = d.Keyspace.CountedBytes()
	m.PeakBytes = max(m.PeakBytes, m.used)
	m.overhead = min(m.used, m.StartupBytes+m.BacklogBytes+m.ClientBytes+m.arenas.HeaderBytes)
	m.dataset = m.used - m.overhead
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() == metrics.KindUint64 {
		m.heap = int64(sample[0].Value.Uint64())
	}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if words := strings.Fields(string(text)); len(words) > 1 {
			pages, _ := strconv.ParseInt(words[1], 10, 64)
			m.rss = pages * int64(os.Getpagesize())
		}
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.system = int64(info.Totalram) * int64(info.Unit)
	}
	return m
}

// active returns the bytes of the arenas' pages that hold blocks, resident those of all
// that may be resident.
func (m *memory) active() int64   { return m.arenas.ActiveBytes }
func (m *memory) resident() int64 { return m.arenas.ActiveBytes + m.arenas.IdleBytes }

func ratio(a, b int64) float64 { return float64(a) / float64(max(b, 1)) }

func (d *Deps) infoMemory(f *fields, _ *command.Ctx) {
	m := d.memory()
	st := m.arenas
	set := d.Keyspace.Eviction()
	sized := func(name string, n int64) {
		f.add(name, n)
		f.add(name+"_human", human(n))
	}
	sized("used_memory", m.used)
	sized("used_memory_rss", m.rss)
	sized("used_memory_peak", m.PeakBytes)
	f.addf("used_memory_peak_perc", "%.2f%%", 100*ratio(m.used, m.PeakBytes))
	f.add("used_memory_overhead", m.overhead)
	f.add("used_memory_startup", m.StartupBytes)
	f.add("used_memory_dataset", m.dataset)
	f.addf("used_memory_dataset_perc", "%.2f%%", 100*ratio(m.dataset, m.used-m.StartupBytes))
	f.add("used_memory_go_heap", m.heap)
	f.add("allocator_allocated", st.ArenaBytes)
	f.add("allocator_active", m.active())
	f.add("allocator_resident", m.resident())
	sized("total_system_memory", m.system)
	sized("maxmemory", set.LimitBytes)
	f.add("maxmemory_policy", set.Policy)
	f.addf("allocator_frag_ratio", "%.2f", ratio(m.active(), st.ArenaBytes))
	f.add("allocator_frag_bytes", m.active()-st.ArenaBytes)
	f.addf("allocator_rss_ratio", "%.2f", ratio(m.resident(), m.active()))
	f.add("allocator_rss_bytes", m.resident()-m.active())
	f.addf("rss_overhead_ratio", "%.2f", ratio(m.rss, m.resident()))
	f.add("rss_overhead_bytes", m.rss-m.resident())
	f.addf("mem_fragmentation_ratio", "%.2f", ratio(m.rss, m.used))
	f.add("mem_fragmentation_bytes", m.rss-m.used)
	f.add("mem_not_counted_for_evict", m.ReplicaBytes)
	f.add("mem_replication_backlog", m.BacklogBytes)
	f.add("mem_total_replication_buffers", m.BacklogBytes+m.ReplicaBytes)
	f.add("mem_clients_slaves", m.ReplicaBytes)
	f.add("mem_clients_normal", m.ClientBytes)
	f.add("mem_cluster_links", 0)
	f.add("mem_aof_buffer", 0)
	f.add("mem_allocator", "arena")
	f.add("active_defrag_running", m.DefragPercent)
	f.add("lazyfree_pending_objects", st.PendingObjects)
	f.add("lazyfreed_objects", st.FreedObjects)
}
