package admin

import (
	"context"
	"errors"

	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/resp"
)

// Replies of SAVE, BGSAVE and DEBUG RELOAD. Source: Redis 7.2, rdb.c and debug.c.
var (
	errPlain        = resp.NewError("ERR")
	errSaving       = resp.NewError("ERR Background save already in progress")
	errOtherChild   = resp.NewError("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.")
	errRewriting    = resp.NewError("ERR Background append only file rewriting already in progress")
	errLoadAOF      = resp.NewError("ERR Error trying to load the AOF files, check server logs.")
	errReloadOption = resp.NewError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
	errReload       = resp.NewError("ERR Error trying to load the RDB dump, check server logs.")
)

// LoadStatus is what is known of the loading of files, or of the data set of a primary.
type LoadStatus struct {
	Loading bool
	// Of the load under way: its beginning in Unix seconds, sizes in bytes (0: not known),
	// and the memory that the data say their writer had used.
	StartedAt               int64
	TotalBytes, LoadedBytes int64
	RDBUsedMem              int64
	// Of the last one that ended.
	Keys, ExpiredKeys int64
}

// ReloadMode is how DEBUG RELOAD was asked for.
type ReloadMode struct {
	NoSave  bool // the file is loaded as it is
	NoFlush bool // the data stay, too
	Merge   bool // a key of the file takes the place of one that is there
}

func (d *Deps) persistenceSpecs(top func(command.Spec) command.Spec) []command.Spec {
	const admin = command.Admin | command.NoScript | command.NoAsyncLoading
	return []command.Spec{
		top(command.Spec{Name: "save", Arity: 1, Flags: admin | command.NoMulti | command.OffLoop, Run: d.save, Since: "1.0.0",
			Summary: "Synchronously saves the database(s) to disk.", Complexity: "O(N) where N is the total number of keys in all databases"}),
		top(command.Spec{Name: "bgsave", Arity: -1, Flags: admin, Run: d.bgsave, Since: "1.0.0",
			Summary: "Asynchronously saves the database(s) to disk.", Complexity: "O(1)"}),
		top(command.Spec{Name: "bgrewriteaof", Arity: 1, Flags: admin, Run: d.bgrewriteaof, Since: "1.0.0",
			Summary: "Asynchronously rewrites the append-only file to disk.", Complexity: "O(1)"}),
		top(command.Spec{Name: "lastsave", Arity: 1, Flags: command.Loading | command.Stale | command.Fast, Cats: acl.Admin | acl.Dangerous, Run: d.lastsave, Since: "1.0.0",
			Tips:    []string{"nondeterministic_output"},
			Summary: "Returns the Unix timestamp of the last successful save to disk.", Complexity: "O(1)"}),
	}
}

// save is SAVE. Its client waits; the others go on, other than in Redis.
func (d *Deps) save(c *command.Ctx) error {
	switch err := d.Saves.Save(context.Background()); {
	case errors.Is(err, persist.ErrSaving):
		return errSaving
	case err != nil:
		return errPlain // the log says why
	}
	c.Out.OK()
	return nil
}

// bgsave is BGSAVE [SCHEDULE].
func (d *Deps) bgsave(c *command.Ctx) error {
	schedule := false
	if len(c.Args) > 1 {
		if len(c.Args) > 2 || !command.Is(c.Args[1], "schedule") {
			return resp.ErrSyntax
		}
		schedule = true
	}
	if c.InExec {
		if d.Saves.Status().InProgress {
			return errSaving
		}
		d.Saves.Schedule()
		c.Out.Simple("Background saving scheduled")
		return nil
	}
	started, err := d.Saves.Background(schedule)
	switch {
	case errors.Is(err, persist.ErrSaving):
		return errSaving
	case errors.Is(err, persist.ErrBusy):
		return errOtherChild
	case err != nil:
		return errPlain
	case started:
		c.Out.Simple("Background saving started")
	default:
		c.Out.Simple("Background saving scheduled")
	}
	return nil
}

func (d *Deps) lastsave(c *command.Ctx) error {
	c.Out.Int(d.Saves.LastSave())
	return nil
}

// bgrewriteaof is BGREWRITEAOF.
func (d *Deps) bgrewriteaof(c *command.Ctx) error {
	started, err := d.Rewrites.Background(c.InExec)
	switch {
	case err != nil:
		return errRewriting
	case started:
		c.Out.Simple("Background append only file rewriting started")
	default:
		c.Out.Simple("Background append only file rewriting scheduled")
	}
	return nil
}

// debugLoadAOF is DEBUG LOADAOF.
func (d *Deps) debugLoadAOF(c *command.Ctx) error {
	if d.ReloadAOF() != nil {
		return errLoadAOF
	}
	c.Out.OK()
	return nil
}

// debugReload is DEBUG RELOAD [NOSAVE] [NOFLUSH] [MERGE].
func (d *Deps) debugReload(c *command.Ctx) error {
	var mode ReloadMode
	for _, arg := range c.Args[2:] {
		switch {
		case command.Is(arg, "nosave"):
			mode.NoSave = true
		case command.Is(arg, "noflush"):
			mode.NoFlush = true
		case command.Is(arg, "merge"):
			mode.Merge = true
		default:
			return errReloadOption
		}
	}
	if !mode.NoSave {
		if err := d.Saves.Save(context.Background()); errors.Is(err, persist.ErrSaving) {
			return errSaving
		} else if err != nil {
			return errPlain
		}
	}
	if err := d.Reload(mode); err != nil {
		return errReload
	}
	c.Out.OK()
	return nil
}

// infoPersistence is INFO persistence, in Redis' order. What tells of memory that a forked
// child copies is 0: nothing is forked.
func (d *Deps) infoPersistence(f *fields, c *command.Ctx) {
	var st persist.SaveStatus
	if d.Saves != nil {
		st = d.Saves.Status()
	}
	var load LoadStatus
	if d.LoadStatus != nil {
		load = d.LoadStatus()
	}
	status := "ok"
	if st.Failed {
		status = "err"
	}
	percent := 0.0
	if st.KeysTotal > 0 {
		percent = min(100, 100*float64(st.KeysDone)/float64(st.KeysTotal))
	}
	f.add("loading", asBit(d.Loading != nil && d.Loading()))
	f.add("async_loading", 0)
	f.add("current_cow_peak", 0)
	f.add("current_cow_size", 0)
	f.add("current_cow_size_age", 0)
	f.addf("current_fork_perc", "%.2f", percent)
	f.add("current_save_keys_processed", st.KeysDone)
	f.add("current_save_keys_total", st.KeysTotal)
	f.add("rdb_changes_since_last_save", st.Changes)
	f.add("rdb_bgsave_in_progress", asBit(st.InProgress))
	f.add("rdb_last_save_time", st.LastSave)
	f.add("rdb_last_bgsave_status", status)
	f.add("rdb_last_bgsave_time_sec", st.LastSeconds)
	f.add("rdb_current_bgsave_time_sec", st.NowSeconds)
	f.add("rdb_saves", st.Saves)
	f.add("rdb_last_cow_size", 0)
	f.add("rdb_last_load_keys_expired", load.ExpiredKeys)
	f.add("rdb_last_load_keys_loaded", load.Keys)
	d.infoAOF(f)
	if load.Loading {
		load.print(f, c.Now()/1000)
	}
}

// infoAOF appends what INFO tells of the append-only file.
func (d *Deps) infoAOF(f *fields) {
	st := persist.RewriteStatus{LastSeconds: -1, NowSeconds: -1}
	if d.Rewrites != nil {
		st = d.Rewrites.Status()
	}
	word := func(failed bool) string {
		if failed {
			return "err"
		}
		return "ok"
	}
	enabled := d.Config.AppendOnly.Get()
	f.add("aof_enabled", asBit(enabled))
	f.add("aof_rewrite_in_progress", asBit(st.Rewriting))
	f.add("aof_rewrite_scheduled", asBit(st.Scheduled))
	f.add("aof_last_rewrite_time_sec", st.LastSeconds)
	f.add("aof_current_rewrite_time_sec", st.NowSeconds)
	f.add("aof_last_bgrewrite_status", word(st.RewriteError))
	f.add("aof_rewrites", st.Begun)
	f.add("aof_rewrites_consecutive_failures", st.Failures)
	f.add("aof_last_write_status", word(st.Failure != nil))
	f.add("aof_last_cow_size", 0)
	f.add("module_fork_in_progress", 0)
	f.add("module_fork_last_cow_size", 0)
	if !enabled {
		return
	}
	f.add("aof_current_size", st.CurrentBytes)
	f.add("aof_base_size", st.BaseBytes)
	f.add("aof_pending_rewrite", asBit(st.Scheduled))
	f.add("aof_buffer_length", st.BufferBytes)
	f.add("aof_pending_bio_fsync", asBit(st.PendingFsync))
	f.add("aof_delayed_fsync", st.DelayedFsyncs)
}

// print appends the fields of a load under way.
func (l *LoadStatus) print(f *fields, now int64) {
	percent, eta, left := 0.0, int64(1), int64(1)
	switch {
	case l.TotalBytes > 0:
		percent = 100 * float64(l.LoadedBytes) / float64(l.TotalBytes)
		left = max(0, l.TotalBytes-l.LoadedBytes)
	case l.RDBUsedMem > 0: // a bad estimate, and the only one for a full sync
		percent = min(99.99, 100*float64(l.LoadedBytes)/float64(l.RDBUsedMem))
		left = max(1, l.RDBUsedMem-l.LoadedBytes)
	}
	if elapsed := now - l.StartedAt; elapsed > 0 {
		eta = elapsed * left / (l.LoadedBytes + 1)
	}
	f.add("loading_start_time", l.StartedAt)
	f.add("loading_total_bytes", l.TotalBytes)
	f.add("loading_rdb_used_mem", l.RDBUsedMem)
	f.add("loading_loaded_bytes", l.LoadedBytes)
	f.addf("loading_loaded_perc", "%.2f", percent)
	f.add("loading_eta_seconds", eta)
}
