package clusterctl

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Terminal shows the progress of a plan: a bar that is redrawn on a terminal, plain
// lines (at most one a second) elsewhere.
type Terminal struct {
	w        io.Writer
	tty      bool
	drawn    bool      // the cursor stands behind a bar
	lastLine time.Time // when the last plain line was written
	began    time.Time // the steps that Done will end
}

// NewTerminal returns a Progress that writes to w (standard error).
func NewTerminal(w io.Writer, tty bool) *Terminal { return &Terminal{w: w, tty: tty} }

// Step announces a step.
func (t *Terminal) Step(i, n int, s Step) {
	t.began = time.Now()
	t.lastLine = time.Time{}
	t.printf("[%d/%d] %s\n", i+1, n, s)
}

// Moved draws the bar of a slot move.
func (t *Terminal) Moved(done, total int, share float64, phase string) {
	const width = 30
	if !t.tty {
		if time.Since(t.lastLine) < time.Second && done < total {
			return
		}
		t.lastLine = time.Now()
		t.printf("      %d of %d slots, %s\n", done, total, phase)
		return
	}
	full := min(width, int(width*share))
	t.printf("\r\x1b[K      [%s%s] %d/%d slots  %s", strings.Repeat("#", full), strings.Repeat(".", width-full), done, total, phase)
	t.drawn = true
}

// Done ends the bar's line and says how long it took.
func (t *Terminal) Done() {
	if t.drawn {
		t.printf("\n")
		t.drawn = false
	}
	if took := time.Since(t.began); !t.began.IsZero() && took > time.Second {
		t.printf("      done in %.1fs\n", took.Seconds())
	}
}

// printf writes to a terminal: if that fails there is nobody to tell.
func (t *Terminal) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.w, format, args...)
}
