package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Bounds on what is read.
const (
	maxFileBytes = 16 << 20
	maxFiles     = 256 // a file, and the files that it includes
)

// Load reads the settings of a command line as redis-server has it, args being
// without the program's name: [FILE] [--directive value ...] [-]. With "-" more is
// read from stdin. An error is one line and names the file and the line.
func Load(args []string, stdin io.Reader) (*Config, error) {
	c := New()
	r := reader{config: c}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return nil, err
		}
		c.file = path
		if err := r.readFile(args[0]); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	if n := len(args); n > 0 && args[n-1] == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, maxFileBytes+1))
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		if err := r.readText("standard input", text); err != nil {
			return nil, err
		}
		args = args[:n-1]
	}
	return c, r.finish(args)
}

// Parse is Load with the text of the file at hand. It reads no file but those that
// the text includes, and CONFIG REWRITE has no file to write.
func Parse(file []byte, args []string) (*Config, error) {
	c := New()
	r := reader{config: c}
	if err := r.readText("configuration", file); err != nil {
		return nil, err
	}
	return c, r.finish(args)
}

// reader puts lines into a Config.
type reader struct {
	config *Config
	files  int
	seen   map[*directive]bool // directives that had a line
}

func (r *reader) finish(args []string) error {
	lines, err := commandLine(args)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if err := r.apply(line); err != nil {
			return fmt.Errorf("command line: %w", err)
		}
	}
	return r.config.check()
}

func (r *reader) readFile(path string) error {
	if r.files++; r.files > maxFiles {
		return fmt.Errorf("%s: more than %d files are included; do they include each other?", path, maxFiles)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	return r.readText(path, text)
}

func (r *reader) readText(name string, text []byte) error {
	if len(text) > maxFileBytes {
		return fmt.Errorf("%s: longer than %d bytes", name, maxFileBytes)
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if err := r.readLine(line); err != nil {
			var inner *includeError
			if errors.As(err, &inner) {
				return inner.err
			}
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return nil
}

// includeError is an error that already names its file and line.
type includeError struct{ err error }

func (e *includeError) Error() string { return e.err.Error() }

func (r *reader) readLine(line string) error {
	if line = strings.Trim(line, spaces); line == "" || line[0] == '#' {
		return nil
	}
	words, err := splitWords(line)
	if err != nil {
		return err
	}
	if len(words) == 2 && strings.EqualFold(words[0], "include") {
		return r.include(words[1])
	}
	return r.apply(words)
}

// include reads the files of a pattern; a name without wildcards must exist.
func (r *reader) include(pattern string) error {
	paths := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if paths, err = filepath.Glob(pattern); err != nil {
			return fmt.Errorf("include %s: %w", pattern, err)
		}
	}
	for _, path := range paths {
		if err := r.readFile(path); err != nil {
			return &includeError{err}
		}
	}
	return nil
}

// apply sets the directive words[0] to what follows it.
func (r *reader) apply(words []string) error {
	name := strings.ToLower(words[0])
	d := r.config.byName[name]
	if d == nil {
		if near := r.config.nearest(name); near != "" {
			return fmt.Errorf("unknown directive '%s'; did you mean '%s'?", words[0], near)
		}
		return fmt.Errorf("unknown directive '%s'", words[0])
	}
	if len(words) == 1 {
		return fmt.Errorf("%s: %w", name, errArgCount)
	}
	args := words[1:]
	if len(args) == 1 {
		args = wordsOf(d.value, args[0]) // --save "900 1" as CONFIG SET save "900 1"
	}
	set := d.value.set
	if a, ok := d.value.(adder); ok && r.seen[d] {
		set = a.add
	}
	if r.seen == nil {
		r.seen = map[*directive]bool{}
	}
	r.seen[d] = true
	if err := set(args); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// commandLine cuts arguments into lines. "--name" begins one, and the argument
// after it is a value whatever it looks like, except after --save, which may stand
// without one. Name and value may also be one argument ("--port 6380").
func commandLine(args []string) ([][]string, error) {
	var lines [][]string
	valueDue := false
	for i, arg := range args {
		option := strings.HasPrefix(arg, "--") && !valueDue
		if !option {
			if len(lines) == 0 {
				return nil, fmt.Errorf("command line: '%s' stands before any --directive", arg)
			}
			last := &lines[len(lines)-1]
			*last = append(*last, arg)
			valueDue = false
			continue
		}
		words, err := splitWords(arg[2:])
		if err != nil {
			return nil, fmt.Errorf("command line: '%s': %w", arg, err)
		}
		if len(words) == 0 {
			return nil, fmt.Errorf("command line: '%s' names no directive", arg)
		}
		valueDue = len(words) == 1
		if valueDue && strings.EqualFold(words[0], "save") && (i+1 == len(args) || strings.HasPrefix(args[i+1], "--")) {
			words = append(words, "")
			valueDue = false
		}
		lines = append(lines, words)
	}
	return lines, nil
}

// check names what does not go together.
func (c *Config) check() error {
	var wrong []string
	add := func(bad bool, text string) {
		if bad {
			wrong = append(wrong, text)
		}
	}
	clustered := c.ClusterEnabled.Get()
	if list := c.ReplicaOf.Get(); len(list) == 2 && list[0] == "no" && list[1] == "one" {
		c.SetReplicaOf("", "")
	}
	add(clustered && len(c.ReplicaOf.Get()) > 0, "replicaof is not allowed in cluster mode")
	add(clustered && c.Port.Get() == 0, "cluster mode needs a port")
	add(clustered && c.BusPort() > 65535, "port is too high for cluster mode: the bus port, port + 10000, would be above 65535 (see cluster-port)")
	add(c.Port.Get() == 0 && c.UnixSocket.Get() == "", "nothing to listen on: port is 0 and there is no unixsocket")
	if wrong != nil {
		return errors.New("configuration: " + strings.Join(wrong, "; "))
	}
	return nil
}
