package hostile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/test/realnode"
)

// TestKillDuringBGSave kills the process while it writes its file, at any moment: it comes
// back with a data set that was saved, the last one or the one being saved, whole.
func TestKillDuringBGSave(t *testing.T) {
	t.Parallel()
	const keys = 20_000
	p := startPlain(t, "--save", "", "--appendonly", "no")
	tries := 8
	if testing.Short() {
		tries = 3
	}
	saved := 0 // the generation in the file
	for generation := 1; generation <= tries; generation++ {
		c := p.dial()
		// Every key gets the generation, so that a mixture would be seen.
		for first := 0; first < keys; first += 1000 {
			words := []string{"MSET"}
			for i := first; i < first+1000; i++ {
				words = append(words, fmt.Sprint("k", i), fmt.Sprint(generation))
			}
			if got := c.do(words...); got != "+OK" {
				t.Fatal(got)
			}
		}
		if generation == 1 {
			if got := c.do("SAVE"); got != "+OK" {
				t.Fatal(got)
			}
			saved = 1
		}
		// The save takes about a second; the kill comes anywhere in it.
		if got := c.do("CONFIG", "SET", "rdb-key-save-delay", "50"); got != "+OK" {
			t.Fatal(got)
		}
		if got := c.do("BGSAVE"); got != "+Background saving started" {
			t.Fatal(got)
		}
		until := rand.IntN(keys * 11 / 10)
		realnode.Eventually(t, time.Minute, func() error {
			running, err := p.Field("rdb_bgsave_in_progress", "INFO", "persistence")
			if err != nil || running == "0" {
				return err
			}
			text, err := p.Field("current_save_keys_processed", "INFO", "persistence")
			if err != nil {
				return err
			}
			if done, err := strconv.Atoi(text); err != nil || done < until {
				return fmt.Errorf("%s of %d keys (%v)", text, until, err)
			}
			return nil
		})
		p.Kill()
		p.Start()
		p.AwaitLoaded()
		c = p.dial()
		if got := c.do("DBSIZE"); got != fmt.Sprintf(":%d", keys) {
			t.Fatalf("killed at %d keys: %s keys are there", until, got)
		}
		found := map[string]int{}
		for i := range keys {
			if i%97 == 0 {
				found[c.do("GET", fmt.Sprint("k", i))]++
			}
		}
		if len(found) != 1 || found[fmt.Sprint("$", saved)]+found[fmt.Sprint("$", generation)] == 0 {
			t.Fatalf("killed at %d keys: values %v, saved were %d and perhaps %d", until, found, saved, generation)
		}
		for value := range found {
			if _, err := fmt.Sscanf(value, "$%d", &saved); err != nil {
				t.Fatal(err)
			}
		}
		left, err := filepath.Glob(filepath.Join(p.Dir, "temp-*"))
		if err != nil || len(left) != 0 {
			t.Fatalf("left behind: %v (%v)", left, err)
		}
	}
}

// TestDamagedFileIsRefused: the node ends with one line that names the file and the byte.
func TestDamagedFileIsRefused(t *testing.T) {
	t.Parallel()
	p := startPlain(t, "--save", "3600 1")
	c := p.dial()
	for i := range 100 {
		c.do("SET", fmt.Sprint("k", i), strings.Repeat("v", 100))
	}
	c.do("SAVE")
	p.Kill()
	path := filepath.Join(p.Dir, "dump.rdb")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0x10
	write(t, path, string(b))
	refused(t, []string{"--port", fmt.Sprint(p.Port), "--bind", "127.0.0.1", "--dir", p.Dir, "--logfile", filepath.Join(p.Dir, "refused.log")},
		path, "rdb at byte ")
	if after, err := os.ReadFile(path); err != nil || string(after) != string(b) {
		t.Errorf("the damaged file was changed (%v)", err)
	}
}
