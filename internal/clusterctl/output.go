package clusterctl

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// PrintJSON writes v indented, with a line break at the end.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func newTable(w io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.AppendHeader(header)
	return t
}

// PrintStatus writes one line on the cluster and a table of its members.
func PrintStatus(w io.Writer, s *Status) error {
	if _, err := fmt.Fprintf(w, "cluster %s, %d of 16384 slots covered, %d keys, epoch %s\n\n", s.State, s.Covered, s.Keys, s.Epoch); err != nil {
		return err
	}
	t := newTable(w, "id", "address", "role", "primary", "slots", "keys", "memory", "lag", "link", "in sync", "state")
	for _, n := range s.Nodes {
		t.AppendRow(table.Row{shortID(n.ID), n.Addr, n.Role, dash(n.Primary), n.Slots, n.Keys, bytesText(n.Memory), n.LagBytes, n.Link, n.InSync, n.State})
	}
	t.Render()
	return nil
}

// PrintNodes writes the members with their ids and slot ranges.
func PrintNodes(w io.Writer, st *State) {
	t := newTable(w, "id", "address", "role", "primary", "epoch", "slots", "ranges", "flags")
	for i := range st.Nodes {
		n := &st.Nodes[i]
		t.AppendRow(table.Row{n.ID, n.Addr, n.Role(), dash(shortID(n.Primary)), n.Epoch, n.Slots.Len(), abbreviate(n.Slots.String()), fmt.Sprint(n.Flags)})
	}
	t.Render()
}

// PrintReport writes the findings of a check.
func PrintReport(w io.Writer, r *Report) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%-7s  %s\n", f.Severity, joinWords(f.Node, f.Text)); err != nil {
			return err
		}
	}
	verdict := "healthy"
	if !r.Healthy() {
		verdict = "unhealthy"
	}
	_, err := fmt.Fprintf(w, "%s: %d nodes, %d shards, %d of 16384 slots covered\n", verdict, r.Nodes, r.Shards, r.Covered)
	return err
}

// PrintMigrations writes the slot moves, newest first.
func PrintMigrations(w io.Writer, jobs []Migration) {
	t := newTable(w, "job", "state", "source", "target", "slots", "ranges", "keys", "message")
	for _, j := range jobs {
		t.AppendRow(table.Row{shortID(j.Name), j.State, nodeText(j.Source, j.SourceAddr), nodeText(j.Target, j.TargetAddr), j.Count(), abbreviate(j.Slots), keysText(&j), j.Message})
	}
	t.Render()
}

// PrintManifest writes what a backup holds.
func PrintManifest(w io.Writer, m *Manifest) error {
	if _, err := fmt.Fprintf(w, "backup of cluster %s, %s, %d keys, %s\n\n", dash(m.Cluster), m.Created.Format(time.RFC3339), m.Keys(), bytesText(m.Bytes())); err != nil {
		return err
	}
	t := newTable(w, "shard", "file", "size", "keys", "slots", "from", "term", "offset")
	for i := range m.Shards {
		s := &m.Shards[i]
		t.AppendRow(table.Row{shortID(s.Shard), s.File, bytesText(s.Bytes), s.Keys, abbreviate(s.Slots), s.From, s.Term, s.Offset})
	}
	t.Render()
	return nil
}

// PrintRestore writes what came of a restoring.
func PrintRestore(w io.Writer, r *RestoreResult) error {
	text := fmt.Sprintf("restored: the backup has %d keys", r.Keys)
	if r.Kept > 0 {
		text += fmt.Sprintf(", %d of which the cluster had and kept", r.Kept)
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d of which were there already, the same", r.Skipped)
	}
	if r.Compared > 0 {
		text += fmt.Sprintf("; %d were read back and compared", r.Compared)
	}
	if _, err := fmt.Fprintf(w, "%s; the cluster has %d keys now\n", text, r.Total); err != nil {
		return err
	}
	return printNotes(w, r.Notes)
}

func printNotes(w io.Writer, notes []string) error {
	for _, n := range notes {
		if _, err := fmt.Fprintln(w, "note:", n); err != nil {
			return err
		}
	}
	return nil
}

// PrintImport writes what came of an import.
func PrintImport(w io.Writer, r *ImportResult) error {
	if _, err := fmt.Fprintf(w, "imported: the cluster has %d keys; %d copied, %d writes followed, %d keys read again; %d keys compared, %d repaired; cut over in %d ms\n\n",
		r.Total, r.Keys, r.Writes, r.Recopied, r.Compared, r.Repaired, r.PausedMS); err != nil {
		return err
	}
	if r.Resumed+r.Restarted > 0 {
		if _, err := fmt.Fprintf(w, "links to the source broke: %d went on where they broke, %d began anew\n\n", r.Resumed, r.Restarted); err != nil {
			return err
		}
	}
	t := newTable(w, "source", "keys", "offset")
	for _, s := range r.Sources {
		t.AppendRow(table.Row{s.Addr, s.Keys, s.Offset})
	}
	t.Render()
	return printNotes(w, r.Notes)
}

func nodeText(id, addr string) string {
	if addr == "" {
		return dash(shortID(id))
	}
	return addr
}

func keysText(j *Migration) string {
	if !j.Running() || j.KeysTotal == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", j.KeysDone, j.KeysTotal)
}

func joinWords(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// bytesText writes a size as people read it: 512B, 1.50K, 3.25M.
func bytesText(n int64) string {
	units := []string{"B", "K", "M", "G", "T"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%dB", n)
	}
	return fmt.Sprintf("%.2f%s", v, units[i])
}
