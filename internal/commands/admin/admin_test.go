package admin

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

func slot(key string) slots.Slot { return slots.Of([]byte(key)) }

// fakeStats are counters of a server that does not exist.
type fakeStats struct {
	totals Totals
	specs  []*command.Spec
	resets int
}

func (f *fakeStats) Totals(command.Client) Totals { return f.totals }
func (f *fakeStats) ResetStats(command.Client)    { f.resets++ }
func (f *fakeStats) EachSpec(each func(*command.Spec, int64, int64)) {
	for i, s := range f.specs {
		each(s, int64(i+2), int64(i+2)*1500)
	}
}

type rig struct {
	*testing.T
	*commandtest.Runner
	deps *Deps
}

// newRig returns the commands of this package beside a few whose keys are asked for.
func newRig(t *testing.T, args ...string) *rig {
	t.Helper()
	cfg, err := config.Parse(nil, args)
	if err != nil {
		t.Fatal(err)
	}
	deps := Deps{
		Config:   cfg,
		Identity: Identity{Version: "0.1.0", RunID: strings.Repeat("a", 40), StartedAt: time.Now().Add(-90 * time.Second)},
		Done:     func() <-chan struct{} { return nil },

		SetActiveExpire: func(bool) {},
	}
	r := &rig{T: t, deps: &deps}
	// The handlers look at the dependencies when they run: some are set late.
	deps.Table = func() *command.Table { return r.Table }
	r.Runner = commandtest.NewRunner(t, 0, specsOf(&deps), keySpecs())
	deps.Keyspace = r.Keyspace
	return r
}

// keySpecs are commands with keys of every kind of key spec.
func keySpecs() []command.Spec {
	nop := func(c *command.Ctx) error { c.Out.OK(); return nil }
	return []command.Spec{
		{Name: "get", Arity: 2, Flags: command.ReadOnly | command.Fast, Cats: 0, Keys: command.Key(command.KeyRO | command.KeyAccess), Run: nop},
		{Name: "mset", Arity: -3, Flags: command.Write | command.DenyOOM, Keys: command.KeysTo(-1, 2, command.KeyOW|command.KeyUpdate), Run: nop},
		{Name: "lmpop", Arity: -4, Flags: command.Write, Run: nop, Keys: []command.KeySpec{{
			Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, UseCount: true, FirstAt: 1, Step: 1}}},
		{Name: "xread", Arity: -4, Flags: command.ReadOnly | command.Blocking, Run: nop, Keys: []command.KeySpec{{
			Flags: command.KeyRO | command.KeyAccess, Keyword: "STREAMS", Begin: 1, Last: -1, Step: 1, Limit: 2}}},
	}
}

func (r *rig) do(words ...string) commandtest.Reply {
	r.Helper()
	v, err := commandtest.Parse(r.Do(words...))
	if err != nil {
		r.Fatalf("%q: %v", words, err)
	}
	return v
}

func (r *rig) is(line, want string) {
	r.Helper()
	if got := string(r.Do(strings.Fields(line)...)); got != want {
		r.Errorf("%s\n got %q\nwant %q", line, got, want)
	}
}

func TestInfo(t *testing.T) {
	r := newRig(t, "--cluster-enabled", "yes", "--port", "7001", "--unixsocket", "/tmp/s")
	stats := &fakeStats{totals: Totals{Commands: 7, Clients: 3, Blocked: 1, Hits: 5, Misses: 2, Errors: 1, RejectedCalls: 4}}
	stats.specs = []*command.Spec{r.Table.Lookup([]byte("get")), r.Table.Lookup([]byte("config")).Sub([]byte("get"))}
	r.deps.Stats = stats
	r.deps.Replication = func(dst []byte) []byte { return append(dst, "role:slave\r\n"...) }
	r.Keyspace.Lock(r.Keyspace.AllShards())
	db := r.Keyspace.Access(3, 1000, engine.ModePrimary)
	for i, key := range []string{"a", "b"} {
		if err := db.SetString(slot(key), []byte(key), []byte("v"), int64(i)*5000); err != nil {
			t.Fatal(err)
		}
	}
	r.Keyspace.Unlock(r.Keyspace.AllShards())

	text := r.do("INFO").Text
	for _, want := range []string{
		"# Server\r\nredis_version:7.2.4\r\nredwing_version:0.1.0\r\n", "redis_mode:cluster\r\n", "tcp_port:7001\r\n", "uptime_in_seconds:90\r\n",
		"listener0:name=tcp,bind=*,bind=-::*,port=7001\r\nlistener1:name=unix,bind=/tmp/s\r\n",
		"\r\n\r\n# Clients\r\nconnected_clients:3\r\n", "blocked_clients:1\r\n", "maxmemory_policy:noeviction\r\n",
		"total_commands_processed:7\r\n", "keyspace_hits:5\r\nkeyspace_misses:2\r\n", "total_error_replies:5\r\n",
		"# Replication\r\nrole:slave\r\n\r\n# CPU\r\n", "# Cluster\r\ncluster_enabled:1\r\n\r\n# Keyspace\r\ndb3:keys=2,expires=1,avg_ttl=0\r\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("INFO lacks %q:\n%s", want, text)
		}
	}
	titles := func(words ...string) string {
		var out []string
		for line := range strings.Lines(r.do(append([]string{"INFO"}, words...)...).Text) {
			if title, ok := strings.CutPrefix(line, "# "); ok {
				out = append(out, strings.TrimSpace(title))
			} else if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, ":") {
				t.Errorf("INFO %q: line %q", words, line)
			}
		}
		return strings.Join(out, " ")
	}
	const byDefault = "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace"
	for _, tc := range []struct {
		words []string
		want  string
	}{
		{nil, byDefault},
		{[]string{"default"}, byDefault},
		{[]string{"ALL"}, "Server Clients Memory Persistence Stats Replication CPU Commandstats Errorstats Latencystats Cluster Keyspace"},
		{[]string{"everything"}, "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace"},
		{[]string{"keyspace", "SERVER", "keyspace"}, "Server Keyspace"},
		{[]string{"nosuch"}, ""},
	} {
		if got := titles(tc.words...); got != tc.want {
			t.Errorf("INFO %q: %s, want %s", tc.words, got, tc.want)
		}
	}
	want := "# Commandstats\r\ncmdstat_config|get:calls=3,usec=4,usec_per_call=1.33\r\ncmdstat_get:calls=2,usec=3,usec_per_call=1.50\r\n"
	if got := r.do("INFO", "commandstats").Text; got != want {
		t.Errorf("got %q", got)
	}
	r.is("CONFIG RESETSTAT", "+OK\r\n")
	if stats.resets != 1 {
		t.Errorf("%d resets", stats.resets)
	}
}

func TestRates(t *testing.T) {
	var r Rates
	if ops, _, _ := r.perSecond(); ops != 0 {
		t.Errorf("%v without a sample", ops)
	}
	for i := range int64(100) {
		r.Sample(i*int64(100*time.Millisecond), Totals{Commands: i * 10, NetInBytes: i * 1000, NetOutBytes: i * 2000})
	}
	ops, in, out := r.perSecond()
	if ops != 100 || in != 10_000 || out != 20_000 {
		t.Errorf("%v ops, %v in, %v out", ops, in, out)
	}
	r.Sample(int64(11*time.Second), Totals{}) // after a reset
	if ops, _, _ := r.perSecond(); ops != 0 {
		t.Errorf("%v after a reset", ops)
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(file, []byte("port 7001\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	cfg, err := config.Load([]string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.is("CONFIG GET port timeout", "*4\r\n$4\r\nport\r\n$4\r\n6379\r\n$7\r\ntimeout\r\n$1\r\n0\r\n")
	r.is("CONFIG REWRITE", "-ERR The server is running without a config file\r\n")
	r.is("CONFIG SET timeout 5 hz", "-ERR syntax error\r\n")
	r.deps.Config = cfg
	r.is("CONFIG SET timeout 5 maxmemory 1gb", "+OK\r\n")
	r.is("CONFIG REWRITE", "+OK\r\n")
	if text, _ := os.ReadFile(file); string(text) != "port 7001\n# Generated by CONFIG REWRITE\ntimeout 5\nmaxmemory 1gb\n" {
		t.Errorf("%s", text)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := r.do("CONFIG", "REWRITE"); got.Kind != '-' || !strings.HasPrefix(got.Text, "ERR Rewriting config file: ") {
		t.Error(got.Text)
	}
	r.Ctx.Out.RESP3 = true
	r.is("CONFIG GET port nosuch", "%1\r\n$4\r\nport\r\n$4\r\n7001\r\n")
}

func TestDebug(t *testing.T) {
	r := newRig(t)
	r.Now = 1_700_000_000_000
	r.Keyspace.Lock(r.Keyspace.AllShards())
	db := r.Keyspace.Access(0, r.Now, engine.ModePrimary)
	values := map[string]string{"foo": "bar", "n": "12", "m": "-70000", "big": "12345678901", "long": strings.Repeat("x", 60)}
	for key, v := range values {
		if err := db.SetString(slot(key), []byte(key), []byte(v), 0); err != nil {
			t.Fatal(err)
		}
	}
	r.Keyspace.Unlock(r.Keyspace.AllShards())
	lru := fmt.Sprintf(" lru:%d lru_seconds_idle:0\r\n", r.Now/1000&lruMask)
	r.is("DEBUG OBJECT foo", "+Value at:0x0 refcount:1 encoding:embstr serializedlength:4"+lru)
	r.is("debug object n", "+Value at:0x0 refcount:1 encoding:int serializedlength:2"+lru)
	r.is("debug object m", "+Value at:0x0 refcount:1 encoding:int serializedlength:5"+lru)
	r.is("debug object big", "+Value at:0x0 refcount:1 encoding:int serializedlength:12"+lru)
	r.is("debug object long", "+Value at:0x0 refcount:1 encoding:raw serializedlength:8"+lru)
	r.is("debug object nosuch", "-ERR no such key\r\n")
	r.is("debug stringmatch-len a*b axyzb", ":1\r\n")
	r.is("debug stringmatch-len a*b axyz", ":0\r\n")
	r.is("debug digest x", "-ERR unknown subcommand or wrong number of arguments for 'digest'. Try DEBUG HELP.\r\n")
	r.is("debug set-active-expire 0", "+OK\r\n")
	r.is("debug foo", "-ERR unknown subcommand or wrong number of arguments for 'foo'. Try DEBUG HELP.\r\n")
	r.is("debug sleep", "-ERR unknown subcommand or wrong number of arguments for 'sleep'. Try DEBUG HELP.\r\n")
	r.is("debug", "-ERR wrong number of arguments for 'debug' command\r\n")
	r.is("debug sleep a", "+OK\r\n")
	r.is("debug sleep -5", "+OK\r\n")
}

// DEBUG SLEEP keeps every command on keys out, until it ends or the node does.
func TestDebugSleepStalls(t *testing.T) {
	r := newRig(t)
	done := make(chan struct{})
	r.deps.Done = func() <-chan struct{} { return done }
	slept := make(chan string)
	go func() { slept <- string(r.Do("DEBUG", "SLEEP", "1000")) }()
	all := r.Keyspace.AllShards()
	wake := make(chan struct{}, 64)
	for { // until the sleeper owns the shards
		if !r.Keyspace.TryLock(all, &engine.Waiter{Wake: func() { wake <- struct{}{} }}) {
			break
		}
		r.Keyspace.Unlock(all)
	}
	select {
	case <-wake:
		t.Error("woken while the node sleeps")
	case reply := <-slept:
		t.Errorf("slept only until %q", reply)
	default:
	}
	close(done)
	if got := <-slept; got != "+OK\r\n" {
		t.Errorf("%q", got)
	}
	<-wake
}

func TestShutdown(t *testing.T) {
	r := newRig(t)
	for _, line := range []string{"shutdown foo", "shutdown abort now", "shutdown now save nosave", "shutdown save nosave"} {
		r.is(line, "-ERR syntax error\r\n")
	}
	r.is("shutdown abort", "-ERR No shutdown in progress.\r\n")
	r.is("shutdown", "-ERR Errors trying to SHUTDOWN. Check logs.\r\n")
	var modes []ShutdownMode
	var fail error
	r.deps.Shutdown = func(m ShutdownMode) error { modes = append(modes, m); return fail }
	r.deps.AbortShutdown = func() bool { return true }
	r.is("shutdown", "")
	r.is("shutdown nosave now", "")
	r.is("shutdown save", "")
	r.is("SHUTDOWN SAVE FORCE", "")
	r.is("shutdown abort abort", "+OK\r\n") // as redis-server has it
	if want := []ShutdownMode{{}, {Now: true, NoSave: true}, {Save: true}, {Force: true, Save: true}}; !slices.Equal(modes, want) {
		t.Errorf("shut down with %+v", modes)
	}
	fail = errors.New("replicas lag")
	r.is("shutdown", "-ERR Errors trying to SHUTDOWN. Check logs.\r\n")
}

func TestTime(t *testing.T) {
	r := newRig(t)
	got := r.do("TIME").Strings()
	if len(got) != 2 || len(got[0]) != 10 || len(got[1]) > 6 {
		t.Errorf("TIME: %q", got)
	}
}

// What redis-server says of the same requests is the reference.
func TestAgainstRedis(t *testing.T) {
	redis := commandtest.StartRedis(t)
	r := newRig(t)

	known := map[string]string{
		// Since 7.2 commands without arguments may be asked for: EVAL with no keys.
		"command|getkeys arity":         "-4 -3",
		"command|getkeysandflags arity": "-4 -3",
	}
	table, err := command.NewTable(specsOf(r.deps))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, diff := range commandtest.TableDiff(table, redis) {
		got[diff.Command+" "+diff.Field] = diff.Redis + " " + diff.Ours
	}
	if !maps.Equal(got, known) {
		t.Errorf("the table differs from redis-server's in %v, expected %v", got, known)
	}

	redis.Do("CONFIG", "SET", "save", "3600 1 300 100 60 10000") // the default
	for _, line := range []string{
		"COMMAND INFO config|get nosuch time CONFIG|HELP config|nosuch time|x",
		"COMMAND INFO debug shutdown command|help",
		"COMMAND DOCS nosuch",
		"COMMAND GETKEYS get a", "COMMAND GETKEYS mset a 1 b 2", "COMMAND GETKEYS lmpop 2 a b left", "COMMAND GETKEYS xread streams a b 0 0",
		"COMMAND GETKEYS foo bar", "COMMAND GETKEYS time x", "COMMAND GETKEYS config get a", "COMMAND GETKEYS config foo", "COMMAND GETKEYS get a b",
		"COMMAND GETKEYS mset a", "COMMAND GETKEYS lmpop x a b", "COMMAND GETKEYS lmpop 9 a b",
		"COMMAND GETKEYSANDFLAGS mset a 1 b 2", "COMMAND GETKEYSANDFLAGS xread streams a 0",
		"COMMAND foo", "COMMAND COUNT x", "COMMAND LIST foo", "COMMAND LIST FILTERBY foo bar", "COMMAND LIST FILTERBY ACLCAT foo",
		"COMMAND LIST FILTERBY MODULE x", "COMMAND LIST FILTERBY PATTERN nosuch*", "COMMAND HELP", "CONFIG HELP",
		"CONFIG foo", "CONFIG GET", "CONFIG SET a", "CONFIG SET a b c", "CONFIG SET foo bar", "CONFIG SET port 99999999 hz 1",
		"CONFIG SET hz abc", "CONFIG SET maxclients 0", "CONFIG SET databases 5", "CONFIG SET appendonly maybe", "CONFIG REWRITE",
		"CONFIG GET databases", "CONFIG GET DATABASES nosuch", "CONFIG GET save", "CONFIG GET client-output-buffer-limit",
		"TIME x", "SHUTDOWN foo", "SHUTDOWN ABORT", "SHUTDOWN ABORT ABORT", "SHUTDOWN NOW ABORT", "SHUTDOWN SAVE NOSAVE FORCE", "INFO nosuch",
	} {
		words := strings.Fields(line)
		theirs, ours := string(redis.Do(words...)), string(r.Do(words...))
		if strings.HasPrefix(line, "CONFIG SET port") {
			// Ours is fixed at start and says so.
			theirs = "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config\r\n"
		}
		if theirs != ours {
			t.Errorf("%s\nredis %q\n ours %q", line, theirs, ours)
		}
	}

	list := func(words ...string) []string {
		theirs := redis.Ask(words...).Strings()
		var out []string
		for _, name := range theirs { // those that this rig has
			if r.deps.lookup([]byte(name)) != nil {
				out = append(out, name)
			}
		}
		slices.Sort(out)
		return out
	}
	for _, words := range [][]string{
		{"COMMAND", "LIST"},
		{"COMMAND", "LIST", "FILTERBY", "PATTERN", "CO*"},
		{"COMMAND", "LIST", "FILTERBY", "ACLCAT", "connection"},
	} {
		ours := r.do(words...).Strings()
		slices.Sort(ours)
		if theirs := list(words...); !slices.Equal(ours, theirs) {
			t.Errorf("%q\nredis %q\n ours %q", words, theirs, ours)
		}
	}
	for _, name := range []string{"get", "mset", "lmpop", "xread"} {
		theirs, ours := redis.Ask("COMMAND", "INFO", name), r.do("COMMAND", "INFO", name)
		if a, b := fmt.Sprint(theirs.Items[0].Items[8]), fmt.Sprint(ours.Items[0].Items[8]); a != b {
			t.Errorf("key specs of %s\nredis %s\n ours %s", name, a, b)
		}
	}
}

func TestCommandDocs(t *testing.T) {
	r := newRig(t)
	r.Ctx.Out.RESP3 = true
	if got := string(r.Do("COMMAND", "DOCS", "time")); got != "%1\r\n$4\r\ntime\r\n%4\r\n$7\r\nsummary\r\n$24\r\nReturns the server time.\r\n"+
		"$5\r\nsince\r\n$5\r\n2.6.0\r\n$5\r\ngroup\r\n$6\r\nserver\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n" {
		t.Errorf("%q", got)
	}
	r.Ctx.Out.RESP3 = false
	docs := r.do("COMMAND", "DOCS", "config").Pairs()["config"].Pairs()
	if subs := docs["subcommands"].Pairs(); len(subs) != 5 || subs["config|get"].Pairs()["since"].Text != "2.0.0" {
		t.Errorf("%+v", docs)
	}
	if n := len(r.do("COMMAND").Items); fmt.Sprint(n) != r.do("COMMAND", "COUNT").Text || n != len(r.do("COMMAND", "INFO").Items) || n != len(r.do("COMMAND", "DOCS").Items)/2 {
		t.Errorf("%d commands", n)
	}
}

// Every directive of redis-server is known here, under all of its names and with its
// default, but for those below.
func TestDirectivesAgainstRedis(t *testing.T) {
	redis := commandtest.StartRedis(t)
	r := newRig(t)
	theirs, ours := redis.Ask("CONFIG", "GET", "*").Pairs(), r.do("CONFIG", "GET", "*").Pairs()
	same := func(names ...string) map[string]string {
		out := make(map[string]string)
		for _, name := range names {
			out[name] = theirs[name].Text // what the test has set
		}
		return out
	}
	known := same("port", "unixsocket", "dir", "save")
	maps.Copy(known, map[string]string{
		"cluster-node-timeout":     "15000", // failover is to be fast
		"repl-diskless-sync-delay": "5",     // without a fork there is little to share
	})
	for name, value := range theirs {
		mine, ok := ours[name]
		switch want, differs := known[name]; {
		case !ok:
			t.Errorf("%s (%q) is not known", name, value.Text)
		case differs && (value.Text != want || value.Text == mine.Text):
			t.Errorf("%s: redis %q, ours %q, expected a difference", name, value.Text, mine.Text)
		case !differs && value.Text != mine.Text:
			t.Errorf("%s: redis %q, ours %q", name, value.Text, mine.Text)
		}
	}
}
