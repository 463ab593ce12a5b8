package clusterctl

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

var printed = &Plan{
	Title: "move 3 slots to 10.0.0.2:7000",
	Notes: []string{"a note"},
	Steps: []Step{
		{Action: Meet, Node: "10.0.0.2:7000", Target: "10.0.0.1:7000"},
		{Action: MoveSlots, Node: "10.0.0.1:7000", NodeID: "aaaa", Target: "10.0.0.2:7000", TargetID: "bbbb", Slots: "0-1 7", Count: 3},
		{Action: Verify, Node: "10.0.0.1:7000", Nodes: 2},
	},
}

func TestPrintPlan(t *testing.T) {
	var b strings.Builder
	if err := printed.Print(&b, false); err != nil {
		t.Fatal(err)
	}
	const want = `move 3 slots to 10.0.0.2:7000
   1. 10.0.0.2:7000         joins the cluster of 10.0.0.1:7000
   2. 10.0.0.1:7000         gives 3 slots to 10.0.0.2:7000 (0-1 7)
   3. 10.0.0.1:7000         and the others agree and serve
  note: a note
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := (&Plan{Title: "x"}).Print(&b, false); err != nil || b.String() != "x\n  nothing to do\n" {
		t.Errorf("empty plan: %q, %v", b.String(), err)
	}
}

func TestPrintPlanJSON(t *testing.T) {
	var b strings.Builder
	if err := printed.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "title": "move 3 slots to 10.0.0.2:7000",
  "notes": [
    "a note"
  ],
  "steps": [
    {
      "action": "meet",
      "node": "10.0.0.2:7000",
      "target": "10.0.0.1:7000"
    },
    {
      "action": "move-slots",
      "node": "10.0.0.1:7000",
      "target": "10.0.0.2:7000",
      "node_id": "aaaa",
      "target_id": "bbbb",
      "slots": "0-1 7",
      "slot_count": 3
    },
    {
      "action": "verify",
      "node": "10.0.0.1:7000",
      "nodes": 2
    }
  ]
}
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestUnknownStep(t *testing.T) {
	p := &Plan{Steps: []Step{{Action: "explode", Node: "127.0.0.1:1"}}}
	wantErr(t, p.Apply(context.Background(), dial(t), &record{}), nil, "step 1 of 1", `unknown step "explode"`)
}

func TestTerminal(t *testing.T) {
	var b strings.Builder
	bar := NewTerminal(&b, true)
	bar.Step(0, 1, printed.Steps[1])
	bar.Moved(0, 4, 0, "copy")
	bar.Moved(0, 4, 0.5, "copy, 5 of 9 keys")
	bar.Moved(4, 4, 1, "done")
	bar.Done()
	for _, want := range []string{
		"[1/1] 10.0.0.1:7000         gives 3 slots to 10.0.0.2:7000 (0-1 7)\n",
		"\r\x1b[K      [" + strings.Repeat(".", 30) + "] 0/4 slots  copy",
		"[" + strings.Repeat("#", 15) + strings.Repeat(".", 15) + "] 0/4 slots  copy, 5 of 9 keys",
		"[" + strings.Repeat("#", 30) + "] 4/4 slots  done\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in %q", want, b.String())
		}
	}
	b.Reset()
	plain := NewTerminal(&b, false)
	plain.Step(0, 1, printed.Steps[1])
	for i := range 100 {
		plain.Moved(i, 100, 0, "copy")
	}
	plain.Moved(100, 100, 1, "done")
	plain.Done()
	if lines := strings.Count(b.String(), "\n"); lines > 5 || !strings.HasSuffix(b.String(), "100 of 100 slots, done\n") {
		t.Errorf("%d lines: %q", lines, b.String())
	}
}

func TestWaitFor(t *testing.T) {
	ctx := context.Background()
	tries := 0
	if err := waitFor(ctx, 5*time.Second, func() (bool, string, error) { tries++; return tries == 3, "", nil }); err != nil || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
	wantErr(t, waitFor(ctx, time.Millisecond, func() (bool, string, error) { return false, "the thing is missing", nil }), ErrTimeout, "the thing is missing")
	failed := fmt.Errorf("broken")
	wantErr(t, waitFor(ctx, time.Minute, func() (bool, string, error) { return false, "", failed }), failed)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, waitFor(gone, time.Minute, func() (bool, string, error) { return false, "", nil }), context.Canceled)
}
