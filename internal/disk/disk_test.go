package disk_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/redwingdb/redwing/internal/disk"
)

func TestReplaceKeepsTheOldFileOnAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write := func(text string, fail error) error {
		return disk.Replace(disk.OS{}, path, "f.tmp", 0o600, func(f disk.File) error {
			_, err := io.WriteString(f, text)
			return errors.Join(err, fail)
		})
	}
	if err := write("old", nil); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := write("new", broken); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	check := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Fatalf("%q (%v), want %q", got, err, want)
		}
		names, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(names) != 1 {
			t.Fatalf("%v (%v): a temporary file is left", names, err)
		}
	}
	check("old")
	if err := write("new", nil); err != nil {
		t.Fatal(err)
	}
	check("new")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v (%v)", info.Mode(), err)
	}
}
