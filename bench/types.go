package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// figure is one row of the report on the types: both servers' value, their ratio, and the
// bar that ours has to stay under.
type figure struct {
	name         string
	ours, theirs float64
	ratio        float64
	unit         string
	bar          string
}

// table prints figures as they come.
type table struct{ out *tabwriter.Writer }

func newTable(title string) *table {
	fmt.Printf("\n%s\n", title)
	t := &table{tabwriter.NewWriter(os.Stdout, 2, 8, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintln(t.out, "\tredwing\tredis\tratio\tbar\t")
	return t
}

func (t *table) add(f figure) {
	ratio := "-"
	if f.ratio != 0 {
		ratio = fmt.Sprintf("%.2f", f.ratio)
	}
	theirs := "-"
	if f.theirs != 0 {
		theirs = fmt.Sprintf("%.3g %s", f.theirs, f.unit)
	}
	fmt.Fprintf(t.out, "%s\t%.3g %s\t%s\t%s\t%s\t\n", f.name, f.ours, f.unit, theirs, ratio, f.bar)
	_ = t.out.Flush() // a row a line: what is measured is seen though the rest takes long
}

// typeRow is one measurement of the suite.
type typeRow struct {
	name string
	run  func(ctx context.Context, o *options, t *table) error
}

// types measures what each type of value costs, beside redis-server.
func types(ctx context.Context, o *options) error {
	suites := []struct {
		title string
		rows  []typeRow
	}{
		{"resident bytes an element", memoryRows()},
		{"server CPU an operation, 50 clients, pipeline 16", cpuRows()},
		{"longest waits", stallRows()},
		{"saving and loading", saveRows()},
		{"replication", resyncRows()},
	}
	var errs []error
	for _, s := range suites {
		var t *table
		for _, row := range s.rows {
			if !strings.Contains(row.name, o.only) {
				continue
			}
			if t == nil {
				t = newTable(s.title)
			}
			if err := row.run(ctx, o, t); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				errs = append(errs, fmt.Errorf("%s: %w", row.name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// scaled is n, or a quarter of it in the quick mode.
func (o *options) scaled(n int) int {
	if o.quick {
		return max(1, n/4)
	}
	return n
}
