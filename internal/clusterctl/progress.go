package clusterctl

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Terminal shows the progress of a plan: a bar that is redrawn on a terminal, plain
// lines (at most one a second) elsewhere.
type Terminal struct {
	w   io.Writer
	tty bool

	mu       sync.Mutex // guards the rest
	drawn    bool       // the cursor stands behind a bar
	lastLine time.Time  // when the last plain line was written
	lastText string
	began    time.Time // the steps that Done will end
}

// NewTerminal returns a Progress that writes to w (standard error).
func NewTerminal(w io.Writer, tty bool) *Terminal { return &Terminal{w: w, tty: tty} }

// Step announces a step.
func (t *Terminal) Step(i, n int, s Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = time.Now()
	t.lastLine = time.Time{}
	t.printf("[%d/%d] %s\n", i+1, n, s)
}

// Moved draws the bar of a slot move.
func (t *Terminal) Moved(done, total int, share float64, phase string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tty {
		t.bar(share, fmt.Sprintf("%d/%d slots  %s", done, total, phase))
		return
	}
	t.line(fmt.Sprintf("%d of %d slots, %s", done, total, phase), done == total)
}

// Copied draws the bar of data being copied.
func (t *Terminal) Copied(share float64, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tty {
		t.bar(share, text)
		return
	}
	t.line(text, share >= 1)
}

// Say writes a line of its own.
func (t *Terminal) Say(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endBar()
	t.printf("      %s\n", text)
}

func (t *Terminal) endBar() {
	if t.drawn {
		t.printf("\n")
		t.drawn = false
	}
}

// Columns of a bar and of its line. A line that the terminal wraps could not be drawn over.
const (
	barMost  = 30
	barLeast = 10
	barLine  = 79
	barFrame = len("      [] ")
)

// bar draws a bar over the one before.
func (t *Terminal) bar(share float64, text string) {
	if most := barLine - barFrame - barLeast; len(text) > most {
		text = text[:most]
	}
	width := max(barLeast, min(barMost, barLine-barFrame-len(text)))
	full := max(0, min(width, int(float64(width)*share)))
	t.printf("\r\x1b[K      [%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", width-full), text)
	t.drawn = true
}

// line writes a line unless the last one is young and this is not the end.
func (t *Terminal) line(text string, end bool) {
	if time.Since(t.lastLine) < time.Second && !end || text == t.lastText {
		return
	}
	t.lastLine, t.lastText = time.Now(), text
	t.printf("      %s\n", text)
}

// Done ends the bar's line and says how long it took.
func (t *Terminal) Done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endBar()
	if took := time.Since(t.began); !t.began.IsZero() && took > time.Second {
		t.printf("      done in %.1fs\n", took.Seconds())
	}
}

// printf writes to a terminal: if that fails there is nobody to tell.
func (t *Terminal) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.w, format, args...)
}
