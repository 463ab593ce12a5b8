package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	c, err := Parse([]byte("# a comment\n\n  PORT 7001\r\nbind 127.0.0.1 -::1\nmaxmemory 64mb\n"+
		`requirepass "a \x41 \"b\" c"`+"\n"+"masterauth 'it\\'s'\n"+"slave-priority 7\n"+
		"client-output-buffer-limit replica 256mb 64mb 60\nclient-output-buffer-limit pubsub 1k 1kb 3\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port.Get() != 7001 || c.MaxMemoryBytes.Get() != 64<<20 || c.ReplicaPriority.Get() != 7 {
		t.Errorf("port %d, maxmemory %d, replica-priority %d", c.Port.Get(), c.MaxMemoryBytes.Get(), c.ReplicaPriority.Get())
	}
	if got := strings.Join(c.Bind.Get(), "|"); got != "127.0.0.1|-::1" {
		t.Errorf("bind %q", got)
	}
	if c.RequirePass.Get() != `a A "b" c` || c.MasterAuth.Get() != "it's" {
		t.Errorf("requirepass %q, masterauth %q", c.RequirePass.Get(), c.MasterAuth.Get())
	}
	want := OutputLimits{
		Replica: OutputLimit{256 << 20, 64 << 20, 60},
		PubSub:  OutputLimit{1000, 1024, 3},
	}
	if got := c.OutputLimits.Get(); got != want {
		t.Errorf("limits %+v", got)
	}
}

func TestCommandLine(t *testing.T) {
	path := write(t, t.TempDir(), "redis.conf", "port 1\ntimeout 3\n")
	c, err := Load([]string{path, "--port", "7002", "--save", "--loglevel", "warning",
		"--timeout 9", "--requirepass", "--x y", "--bind", "127.0.0.1", "::1", "--client-output-buffer-limit", "normal 1mb 0 0", "--save", "-"},
		strings.NewReader("port 5\nhz 50\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Port.Get() != 7002 || c.TimeoutSeconds.Get() != 9 || c.LogLevel.Get() != "warning" || c.RequirePass.Get() != "--x y" {
		t.Errorf("port %d timeout %d loglevel %q requirepass %q", c.Port.Get(), c.TimeoutSeconds.Get(), c.LogLevel.Get(), c.RequirePass.Get())
	}
	if got := c.OutputLimits.Get().Normal.HardBytes; got != 1<<20 {
		t.Errorf("a value of several words in one argument: %d bytes", got)
	}
	if len(c.Bind.Get()) != 2 || c.File() != path || c.Get("hz")[0].Value != "50" {
		t.Errorf("bind %q file %q hz %q", c.Bind.Get(), c.File(), c.Get("hz"))
	}
}

func TestIncludes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.conf", "port 7003\n")
	write(t, dir, "b.conf", "timeout 4\nprot 1\n")
	self := write(t, dir, "self.conf", "include "+filepath.Join(dir, "self.conf")+"\n")

	c, err := Parse([]byte("include "+dir+"/a*.conf\ninclude "+dir+"/nothing*.conf\n"), nil)
	if err != nil || c.Port.Get() != 7003 {
		t.Fatal(c.Port.Get(), err)
	}
	_, err = Parse([]byte("hz 10\ninclude "+dir+"/b.conf\n"), nil)
	if want := dir + "/b.conf:2: unknown directive 'prot'; did you mean 'port'?"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err = Parse([]byte("include "+self), nil); err == nil || !strings.Contains(err.Error(), "include each other") {
		t.Errorf("endless inclusion: %v", err)
	}
	if _, err = Parse([]byte("include "+dir+"/absent.conf"), nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("absent file: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		file string
		args []string
		want string
	}{
		{"port\n", nil, "configuration:1: port: wrong number of arguments"},
		{"hz 10\nport 99999\n", nil, "configuration:2: port: argument must be between 0 and 65535 inclusive"},
		{"maxmemory 1tb\n", nil, "configuration:1: maxmemory: argument must be a memory value"},
		{"maxmemory 99999999999gb\n", nil, "configuration:1: maxmemory: argument must be a memory value"},
		{"requirepass \"a\n", nil, "configuration:1: unbalanced quotes"},
		{"requirepass \"a\"b\n", nil, "configuration:1: unbalanced quotes"},
		{"aof-use-rdb-preamble no\n", nil, "configuration:1: aof-use-rdb-preamble: only 'yes' is supported: a base is an RDB file"},
		{"save 900\n", nil, "configuration:1: save: Invalid save parameters"},
		{"dbfilename a/b\n", nil, "configuration:1: dbfilename: dbfilename can't be a path, just a filename"},
		{"rename-command CONFIG x\n", nil, "configuration:1: rename-command: not supported: commands keep their names"},
		{"", []string{"--clusterenabled", "yes"}, "command line: unknown directive 'clusterenabled'; did you mean 'cluster-enabled'?"},
		{"", []string{"--zzzzzzzzzzz", "yes"}, "command line: unknown directive 'zzzzzzzzzzz'"},
		{"", []string{"x"}, "command line: 'x' stands before any --directive"},
		{"", []string{"--"}, "command line: '--' names no directive"},
		{"", []string{"--port"}, "command line: port: wrong number of arguments"},
		{"", []string{"--port", "0"}, "configuration: nothing to listen on: port is 0 and there is no unixsocket"},
		{"cluster-enabled yes\nreplicaof a 1\nport 60000\n", nil, "configuration: replicaof is not allowed in cluster mode; port is too high for cluster mode: the bus port, port + 10000, would be above 65535 (see cluster-port)"},
	} {
		_, err := Parse([]byte(tc.file), tc.args)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%q %q:\n got %v\nwant %s", tc.file, tc.args, err, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("port 1\nbind 127.0.0.1 \"::1\"\n", "--hz")
	f.Add("client-output-buffer-limit normal 0 0 0 pubsub 32mb 8mb 60\nsave \"\"\n", "--save")
	f.Add("requirepass 'a\\'b' \nmasterauth \"\\x00\\n\"\nreplicaof no one\n", "--port 5")
	f.Fuzz(func(t *testing.T, file, arg string) {
		if strings.Contains(strings.ToLower(file), "include") {
			return // it would read files of this machine
		}
		c, err := Parse([]byte(file), []string{arg})
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("empty error")
			}
			return
		}
		again, err := Parse([]byte(c.rewrittenLocked(file)), nil)
		if err != nil {
			t.Fatalf("rewritten file is refused: %v\n%s", err, c.rewrittenLocked(file))
		}
		for i, p := range c.Get("*") {
			if q := again.Get("*")[i]; p != q {
				t.Fatalf("%v became %v\n%s", p, q, c.rewrittenLocked(file))
			}
		}
	})
}

// The first line of save takes the place of the default, each other one adds to it.
func TestSavePoints(t *testing.T) {
	for _, tc := range []struct {
		file string
		args []string
		want string
	}{
		{"", nil, "3600 1 300 100 60 10000"},
		{"save 900 1\n", nil, "900 1"},
		{"save 900 1\nsave 5 0 7 9\n", nil, "900 1 5 0 7 9"},
		{"save 900 1\nsave \"\"\nsave 7 9\n", nil, "7 9"},
		{"save 900 1\n", []string{"--save", "5", "0"}, "900 1 5 0"},
		{"", []string{"--save", "900 1", "--save", "5 0"}, "900 1 5 0"},
		{"save 900 1\n", []string{"--save", ""}, ""},
	} {
		c, err := Parse([]byte(tc.file), tc.args)
		if err != nil {
			t.Errorf("%q %q: %v", tc.file, tc.args, err)
			continue
		}
		if got := c.Get("save")[0].Value; got != tc.want {
			t.Errorf("%q %q: %q, want %q", tc.file, tc.args, got, tc.want)
		}
	}
}
