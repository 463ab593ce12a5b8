package clusterctl

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// watchEvery is how often WatchMigrations looks.
const watchEvery = 100 * time.Millisecond

// WatchMigrations follows the moves that run in the cluster of seed until none does and
// returns all of the listing. It fails if one that ran has not succeeded.
func WatchMigrations(ctx context.Context, c *Conns, seed string, pr Progress) ([]Migration, error) {
	watched := map[string]bool{}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, err
	}
	for {
		if fresh, err := c.AnyState(ctx, append([]string{seed}, st.addrs()...)); err == nil {
			st = fresh // else the last one still says whom to ask
		}
		jobs, err := c.Migrations(ctx, st)
		if err != nil {
			return nil, err
		}
		running := slices.DeleteFunc(slices.Clone(jobs), func(m Migration) bool { return !m.Running() })
		for _, m := range running {
			watched[m.Name] = true
		}
		if len(watched) > 0 {
			done, total := watchedSlots(jobs, watched)
			pr.Moved(done, total, share(done, total, running), phases(running))
		}
		if len(running) == 0 {
			pr.Done()
			return jobs, failures(jobs, watched)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			pr.Done()
			return nil, fmt.Errorf("interrupted: %w (the moves go on in the cluster)", ctx.Err())
		}
	}
}

func watchedSlots(jobs []Migration, watched map[string]bool) (done, total int) {
	for i := range jobs {
		if n := jobs[i].Count(); watched[jobs[i].Name] {
			total += n
			if jobs[i].succeeded() {
				done += n
			}
		}
	}
	return done, total
}

func failures(jobs []Migration, watched map[string]bool) error {
	var bad []string
	for i := range jobs {
		if j := &jobs[i]; watched[j.Name] && !j.succeeded() {
			bad = append(bad, joinWords(shortID(j.Name)+" "+j.State, j.Message))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("%d of %d moves did not succeed: %s", len(bad), len(watched), strings.Join(bad, "; "))
	}
	return nil
}

// share returns how much of moving total slots is done: those that have arrived, and
// of the running jobs' slots as large a part as of their keys is copied.
func share(done, total int, running []Migration) float64 {
	sum := float64(done)
	for i := range running {
		if j := &running[i]; j.KeysTotal > 0 {
			sum += float64(j.Count()) * min(1, float64(j.KeysDone)/float64(j.KeysTotal))
		}
	}
	return min(1, sum/float64(max(1, total)))
}

// phases sums running jobs up: "3 moves, 500 of 2000 keys", or the phase of a single one.
func phases(running []Migration) string {
	switch len(running) {
	case 0:
		return "done"
	case 1:
		return running[0].Phase()
	}
	var done, total int64
	for i := range running {
		done, total = done+running[i].KeysDone, total+running[i].KeysTotal
	}
	text := strconv.Itoa(len(running)) + " moves"
	if total > 0 {
		text += fmt.Sprintf(", %d of %d keys", done, total)
	}
	return text
}
