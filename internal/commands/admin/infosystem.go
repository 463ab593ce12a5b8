package admin

import (
	"os"
	"runtime"
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
	if d.ShutdownWaits != nil {
		if millis, waiting := d.ShutdownWaits(); waiting {
			f.add("shutdown_in_milliseconds", millis)
		}
	}
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
