package migration

import (
	"strings"
	"testing"
	"time"
)

// faults disturbs a world for its first seconds.
func (w *world) faults() {
	for range w.rnd.IntN(3) {
		w.after(w.rnd.Int64N(3000*ms), func() {
			shard := w.rnd.IntN(2)
			n := w.nodes[w.log.primary[shard]]
			other := w.nodes[n.id^1]
			if other.dead || other.pausedTo > w.now {
				return
			}
			if w.rnd.IntN(2) == 0 {
				n.dead = true
				w.note("node %d dies", n.id)
			} else {
				n.pausedTo = w.now + w.rnd.Int64N(4000*ms)
				w.note("node %d pauses", n.id)
			}
			w.after(w.rnd.Int64N(1500*ms), func() {
				if w.log.primary[shard] == n.id {
					w.promote(shard)
				}
			})
		})
	}
	for _, n := range w.nodes {
		if w.rnd.IntN(4) == 0 {
			w.after(w.rnd.Int64N(3000*ms), func() { n.pausedTo = max(n.pausedTo, w.now+w.rnd.Int64N(300*ms)) })
		}
	}
	if w.rnd.IntN(5) == 0 {
		w.after(w.rnd.Int64N(2000*ms), func() {
			w.propose("cancel", func() bool {
				if w.log.outcome != JobOpen {
					return true
				}
				w.log.outcome = JobAborted
				return false
			}, func(bool) {})
		})
	}
}

// runWorld plays a seed and returns what went wrong.
func runWorld(seed uint64, bug string) *world {
	w := newWorld(seed, bug)
	w.faults()
	// Faults come for three seconds and last for four; then the job must end.
	for end := 8000 * ms; w.fail == "" && end <= 60_000*ms; end += 2000 * ms {
		w.run(end)
		if w.log.outcome != JobOpen && w.now > w.endedAt+4000*ms {
			break
		}
	}
	if w.fail != "" {
		return w
	}
	if w.log.outcome == JobOpen {
		w.failf("the job has not ended")
	}
	serving := 0
	for _, n := range w.nodes {
		if _, writes := w.serves(n); writes {
			serving++
		}
		if len(n.stage) > 0 && !n.dead {
			w.failf("node %d still holds %d stages", n.id, len(n.stage))
		}
	}
	if serving != 1 {
		w.failf("%d nodes serve writes at the end", serving)
	}
	return w
}

func TestJobsUnderFaults(t *testing.T) {
	seeds := uint64(2000)
	if testing.Short() {
		seeds = 300
	}
	ended := map[Outcome]int{}
	for seed := range seeds {
		w := runWorld(seed, "")
		if w.fail != "" {
			t.Fatalf("seed %d: %s\n%s", seed, w.fail, strings.Join(w.trace, "\n"))
		}
		ended[w.log.outcome]++
	}
	t.Logf("%d seeds: %d committed, %d cancelled", seeds, ended[JobCommitted], ended[JobAborted])
	if ended[JobCommitted] < int(seeds)/2 || ended[JobAborted] == 0 {
		t.Errorf("the faults leave no choice: %v", ended)
	}
}

// The model must be able to find what it is there for.
func TestPlantedBugsAreFound(t *testing.T) {
	for _, bug := range []string{
		"release after Ready on a timer",
		"readers are not held",
		"the fence overtakes the last effects",
		"the stage goes with the connection",
		"replicas do not confirm",
		"the log takes stale attempts",
	} {
		t.Run(bug, func(t *testing.T) {
			for seed := range uint64(3000) {
				if w := runWorld(seed, bug); w.fail != "" {
					t.Logf("seed %d: %s", seed, w.fail)
					return
				}
			}
			t.Fatal("3000 seeds and nothing was seen")
		})
	}
}

func TestTagText(t *testing.T) {
	for _, tag := range []Tag{{"a", 1, 2, 3}, {"x/y", 1 << 63, 0, ^uint64(0)}} {
		got, ok := ParseTag(tag.String())
		if !ok || got != tag {
			t.Errorf("%v came back as %v, %v", tag, got, ok)
		}
	}
	for _, text := range []string{"", "/1.2.3", "a/1.2", "a/1.2.3.4", "a/1.2.x", "a1.2.3", "a/-1.2.3"} {
		if tag, ok := ParseTag(text); ok {
			t.Errorf("%q was read as %v", text, tag)
		}
	}
}

// Nothing but the applied log leads out of Ready.
func TestReadyHoldsUntilTheLogSpeaks(t *testing.T) {
	times := DefaultTimes(time.Second)
	tag := Tag{"job", 1, 5, 6}
	j := NewSourceJob(times)
	now := int64(0)
	do := func(kind SourceEventKind, want ...SourceActionKind) {
		t.Helper()
		var got []SourceActionKind
		for _, a := range j.Step(now, SourceEvent{Kind: kind, Try: j.Try(), Facts: Facts{Outcome: JobOpen, Tag: tag, Mine: true}}) {
			got = append(got, a.Kind)
		}
		if len(got) != len(want) {
			t.Fatalf("event %d in %v: actions %v, want %v", kind, j.State(), got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("event %d: actions %v, want %v", kind, got, want)
			}
		}
	}
	do(SourceSaw, SourceDoDial)
	do(SourceAccepted, SourceDoCopy)
	do(SourceCopied)
	do(SourceClose, SourceDoHold)
	now += times.Hold
	do(SourceTick, SourceDoRelease) // a hold before Ready is given up
	do(SourceClose)                 // and not tried at once
	now += times.Pause
	do(SourceClose, SourceDoHold)
	do(SourceSealed) // out of order
	do(SourceFenced, SourceDoSeal)
	do(SourceSealed, SourceDoReady)
	now += times.Silence / 2
	do(SourceTick)
	do(SourceLost, SourceDoAbort) // asks, and goes on holding
	do(SourceLost)
	do(SourceTick)
	now += times.Propose
	do(SourceTick, SourceDoAbort)
	do(SourceSaw) // the log shows nothing new
	now += 1000 * times.Silence
	do(SourceTick, SourceDoAbort)
	tag.Attempt++
	do(SourceSaw, SourceDoRelease, SourceDoClose, SourceDoDial)
}
