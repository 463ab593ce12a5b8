package disk

import (
	"errors"
	"os"
)

// Unlinked returns a new file in dir ("": the system's folder for temporary files) that
// has no name: it goes when it is closed, or with the process. It is for what need not
// survive a crash.
func Unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".redwing-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
