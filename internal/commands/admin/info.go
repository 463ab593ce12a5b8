package admin

import (
	"fmt"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
)

// infoSection is one section of INFO. Those not in the default set are shown by
// name, by "all" and by "everything".
type infoSection struct {
	title     string
	byDefault bool
	print     func(d *Deps, f *fields, c *command.Ctx)
}

// infoSections are in the order in which INFO prints them, whatever was asked first.
var infoSections = []infoSection{
	{"Server", true, (*Deps).infoServer},
	{"Clients", true, (*Deps).infoClients},
	{"Memory", true, (*Deps).infoMemory},
	{"Persistence", true, (*Deps).infoPersistence},
	{"Stats", true, (*Deps).infoStats},
	{"Replication", true, (*Deps).infoReplication},
	{"CPU", true, (*Deps).infoCPU},
	{"Modules", true, func(*Deps, *fields, *command.Ctx) {}},
	{"Commandstats", false, (*Deps).infoCommandStats},
	{"Errorstats", true, func(*Deps, *fields, *command.Ctx) {}},
	{"Latencystats", false, func(*Deps, *fields, *command.Ctx) {}},
	{"Cluster", true, (*Deps).infoCluster},
	{"Keyspace", true, (*Deps).infoKeyspace},
}

// fields collects the lines of INFO.
type fields struct{ text []byte }

func (f *fields) add(name string, value any) {
	f.text = fmt.Appendf(f.text, "%s:%v\r\n", name, value)
}

func (f *fields) addf(name, format string, args ...any) {
	f.text = append(append(f.text, name...), ':')
	f.text = append(fmt.Appendf(f.text, format, args...), '\r', '\n')
}

func (f *fields) section(title string) {
	if len(f.text) > 0 {
		f.text = append(f.text, '\r', '\n')
	}
	f.text = append(f.text, "# "+title+"\r\n"...)
}

func (d *Deps) info(c *command.Ctx) error {
	var f fields
	wanted := wantedSections(c.Args[1:])
	for i := range infoSections {
		if wanted[i] {
			f.section(infoSections[i].title)
			infoSections[i].print(d, &f, c)
		}
	}
	c.Out.Verbatim("txt", string(f.text))
	return nil
}

// wantedSections tells which of infoSections the arguments of INFO name.
func wantedSections(args [][]byte) []bool {
	wanted := make([]bool, len(infoSections))
	want := func(choose func(infoSection) bool) {
		for i, s := range infoSections {
			wanted[i] = wanted[i] || choose(s)
		}
	}
	if len(args) == 0 {
		want(func(s infoSection) bool { return s.byDefault })
	}
	for _, arg := range args {
		switch name := strings.ToLower(string(arg)); name {
		case "default":
			want(func(s infoSection) bool { return s.byDefault })
		case "all":
			want(func(s infoSection) bool { return s.title != "Modules" })
		case "everything":
			want(func(infoSection) bool { return true })
		default:
			want(func(s infoSection) bool { return strings.ToLower(s.title) == name })
		}
	}
	return wanted
}

// human prints a size as Redis does.
func human(n int64) string {
	const k = 1024
	switch v := float64(n); {
	case n < k:
		return fmt.Sprintf("%dB", n)
	case n < k*k:
		return fmt.Sprintf("%.2fK", v/k)
	case n < k*k*k:
		return fmt.Sprintf("%.2fM", v/(k*k))
	case n < k*k*k*k:
		return fmt.Sprintf("%.2fG", v/(k*k*k))
	default:
		return fmt.Sprintf("%.2fT", v/(k*k*k*k))
	}
}

func asBit(b bool) int {
	if b {
		return 1
	}
	return 0
}
