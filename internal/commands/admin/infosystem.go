package admin

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redwingdb/redwing/internal/command"
)

func (d *Deps) infoServer(f *fields, c *command.Ctx) {
	now := time.UnixMilli(c.Now())
	up := int64(max(0, time.Since(d.Identity.StartedAt)).Seconds())
	mode := "standalone"
	if d.Config.ClusterEnabled.Get() {
		mode = "cluster"
	}
	hz := d.Config.Get("hz")[0].Value
	exe, err := os.Executable()
	if err != nil {
		exe = ""
	}
	f.add("redis_version", RedisVersion)
	f.add("redwing_version", d.Identity.Version)
	f.add("redis_git_sha1", "00000000")
	f.add("redis_git_dirty", 0)
	f.add("redis_build_id", "0")
	f.add("redis_mode", mode)
	f.add("os", osName())
	f.add("arch_bits", strconv.IntSize)
	f.add("monotonic_clock", "POSIX clock_gettime")
	f.add("multiplexing_api", "goroutine")
	f.add("atomicvar_api", "go")
	f.add("go_version", runtime.Version())
	f.add("process_id", os.Getpid())
	f.add("process_supervised", "no")
	f.add("run_id", d.Identity.RunID)
	f.add("tcp_port", d.Config.Port.Get())
	f.add("server_time_usec", now.UnixMicro())
	f.add("uptime_in_seconds", up)
	f.add("uptime_in_days", up/(24*3600))
	f.add("hz", hz)
	f.add("configured_hz", hz)
	f.add("lru_clock", now.Unix()&lruMask)
	f.add("executable", exe)
	f.add("config_file", d.Config.File())
	f.add("io_threads_active", 0)
	f.add("availability_zone", d.Config.AvailabilityZone.Get())
	d.infoListeners(f)
}

// lruMask is the width of Redis' clock of seconds for LRU.
const lruMask = 1<<24 - 1

func (d *Deps) infoListeners(f *fields) {
	var b strings.Builder
	b.WriteString("name=tcp")
	for _, addr := range d.Config.Bind.Get() {
		b.WriteString(",bind=" + addr)
	}
	if port := d.Config.Port.Get(); port != 0 {
		f.addf("listener0", "%s,port=%d", b.String(), port)
	}
	if path := d.Config.UnixSocket.Get(); path != "" {
		f.addf("listener1", "name=unix,bind=%s", path)
	}
}

func osName() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

func (d *Deps) infoMemory(f *fields, _ *command.Ctx) {
	m := readMemory()
	data := d.Keyspace.UsedMemory()
	used := data + m.heap
	rss := max(m.resident, 1)
	limit := d.Config.MaxMemoryBytes.Get()
	peak := max(m.peak, used)
	f.add("used_memory", used)
	f.add("used_memory_human", human(used))
	f.add("used_memory_rss", rss)
	f.add("used_memory_rss_human", human(rss))
	f.add("used_memory_peak", peak)
	f.add("used_memory_peak_human", human(peak))
	f.addf("used_memory_peak_perc", "%.2f%%", 100*float64(used)/float64(max(peak, 1)))
	f.add("used_memory_overhead", m.heap)
	f.add("used_memory_dataset", data)
	f.addf("used_memory_dataset_perc", "%.2f%%", 100*float64(data)/float64(max(used, 1)))
	f.add("total_system_memory", m.system)
	f.add("total_system_memory_human", human(m.system))
	f.add("maxmemory", limit)
	f.add("maxmemory_human", human(limit))
	f.add("maxmemory_policy", d.Config.Get("maxmemory-policy")[0].Value)
	f.addf("mem_fragmentation_ratio", "%.2f", float64(rss)/float64(max(used, 1)))
	f.add("mem_fragmentation_bytes", rss-used)
	f.add("mem_allocator", "arena")
	f.add("active_defrag_running", 0)
	f.add("lazyfree_pending_objects", 0)
}

// memory is what the system and the Go runtime say, in bytes.
type memory struct{ heap, resident, peak, system int64 }

func readMemory() (m memory) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() == metrics.KindUint64 {
		m.heap = int64(sample[0].Value.Uint64())
	}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if words := strings.Fields(string(text)); len(words) > 1 {
			pages, _ := strconv.ParseInt(words[1], 10, 64)
			m.resident = pages * int64(os.Getpagesize())
		}
	}
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) == nil {
		m.peak = usage.Maxrss * 1024
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.system = int64(info.Totalram) * int64(info.Unit)
	}
	return m
}

func (d *Deps) infoCPU(f *fields, _ *command.Ctx) {
	seconds := func(t unix.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	var self, children unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &self) != nil || unix.Getrusage(unix.RUSAGE_CHILDREN, &children) != nil {
		return
	}
	f.addf("used_cpu_sys", "%.6f", seconds(self.Stime))
	f.addf("used_cpu_user", "%.6f", seconds(self.Utime))
	f.addf("used_cpu_sys_children", "%.6f", seconds(children.Stime))
	f.addf("used_cpu_user_children", "%.6f", seconds(children.Utime))
}
