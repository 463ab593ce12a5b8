package node

import (
	"os"
	"testing"

	"github.com/redwingdb/redwing/internal/commands/admin"
)

// TestEnding steps through the picture; the words are those of step below.
func TestEnding(t *testing.T) {
	plain, now, force := admin.ShutdownMode{}, admin.ShutdownMode{Now: true}, admin.ShutdownMode{Force: true}
	for _, c := range []struct {
		about string
		mode  admin.ShutdownMode
		steps []string
		want  endState
	}{
		{"it waits", plain, []string{"begin", "lag 9"}, endWaiting},
		{"replicas have all", plain, []string{"begin", "lag 9", "ready 9"}, endLeaving},
		{"the time is over", plain, []string{"begin", "lag 10"}, endLeaving},
		{"NOW", now, []string{"begin", "lag 0"}, endLeaving},
		{"NOW does not hasten an end that waits", plain, []string{"begin", "begin now", "lag 9"}, endWaiting},
		{"saved", plain, []string{"begin", "ready 0", "saved"}, endOver},
		{"not saved", plain, []string{"begin", "ready 0", "failed"}, endServing},
		{"not saved, by force", force, []string{"begin", "ready 0", "failed"}, endOver},
		{"forced later", plain, []string{"begin", "ready 0", "force", "failed"}, endOver},
		{"aborted", plain, []string{"begin", "abort"}, endServing},
		{"nothing to abort", plain, []string{"abort"}, endServing},
		{"too late to abort", plain, []string{"begin", "ready 0", "abort"}, endLeaving},
		{"again after an abort", plain, []string{"begin", "abort", "begin", "lag 9"}, endWaiting},
		{"nothing to look for", plain, []string{"ready 0"}, endServing},
		{"SIGTERM twice", plain, []string{"term", "begin", "term", "lag 9"}, endWaiting},
		{"SIGINT behind SIGTERM", plain, []string{"term", "begin", "int"}, endOver},
		{"SIGINT twice, while it saves", plain, []string{"int", "begin", "ready 0", "int"}, endOver},
		{"SIGINT while a SHUTDOWN waits", plain, []string{"begin", "int", "lag 9"}, endWaiting},
		{"SIGINT behind one that was taken back", plain, []string{"term", "begin", "abort", "int", "begin", "lag 9"}, endWaiting},
	} {
		var e ending
		for _, s := range c.steps {
			switch s {
			case "begin":
				e.begin(0, c.mode, 10)
			case "begin now":
				e.begin(5, now, 10)
			case "lag 0":
				e.leave(0, false)
			case "lag 9":
				e.leave(9, false)
			case "lag 10":
				e.leave(10, false)
			case "ready 0":
				e.leave(0, true)
			case "ready 9":
				e.leave(9, true)
			case "saved":
				e.left(nil)
			case "failed":
				e.left(os.ErrPermission)
			case "force":
				e.force(false)
			case "abort":
				e.abort()
			case "term":
				e.signal(false)
			case "int":
				e.signal(true)
			default:
				t.Fatalf("step %q", s)
			}
		}
		if e.state != c.want {
			t.Errorf("%s: state %d, want %d", c.about, e.state, c.want)
		}
	}
}
