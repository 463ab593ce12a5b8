package clusterctl

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/redwingdb/redwing/internal/disk"
)

func TestManifestsThatAreRefused(t *testing.T) {
	for text, damaged := range map[string]bool{
		`{"format":1,"shards":[{"file":"a.rdb","slots":"0-10"},{"file":"b.rdb","slots":"11-16383"}]}`: false,
		`{"format":1,"shards":[{"file":"a.rdb","slots":"0-10"},{"file":"b.rdb","slots":"10"}]}`:       true,
		`{"format":1,"shards":[{"file":"../a.rdb","slots":"0-10"}]}`:                                  true,
		`{"format":1,"shards":[{"file":"..","slots":"0-10"}]}`:                                        true,
		`{"format":1,"shards":[{"file":"","slots":"0-10"}]}`:                                          true,
		`{"format":1,"shards":[{"file":"a","slots":"0-99999"}]}`:                                      true,
		`{"format":1,"shards":[]}`: true,
		`{"format":1`:              true,
		``:                         true,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadManifest(disk.OS{}, dir)
		if damaged != errors.Is(err, ErrDamaged) || !damaged && err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	dir := t.TempDir()
	wantErr(t, readErr(dir), ErrDamaged, "never finished")
	if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(`{"format":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	wantErr(t, readErr(dir), nil, "is of format 2, this clusterctl reads 1")
	wantErr(t, readErr(filepath.Join(dir, "nowhere")), os.ErrNotExist)
}

func readErr(dir string) error {
	_, err := ReadManifest(disk.OS{}, dir)
	return err
}

func TestKeyspaceLine(t *testing.T) {
	for line, want := range map[string][3]int64{
		"db0:keys=5,expires=2,avg_ttl=10": {0, 5, 2}, "db12:keys=1,expires=0,avg_ttl=0,subexpiry=0": {12, 1, 0},
	} {
		db, keys, expires, ok := keyspaceLine(line)
		if got := [3]int64{int64(db), keys, expires}; !ok || got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
	for _, line := range []string{"", "db0", "dbx:keys=1", "used_memory:1", "# Keyspace"} {
		if _, _, _, ok := keyspaceLine(line); ok {
			t.Errorf("%q was taken for a database", line)
		}
	}
}

func TestImportOptions(t *testing.T) {
	good := ImportOptions{From: "10.0.0.1:6379", Pause: DefaultPause, Samples: DefaultSamples, DB: -1}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	bad := ImportOptions{From: "nowhere", Merge: true, Flush: true, Samples: -1}
	wantErr(t, bad.Validate(), ErrUsage, "--from", "--merge and --flush", "--pause", "--samples")
}
