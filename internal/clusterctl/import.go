package clusterctl

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
	"github.com/redwingdb/redwing/internal/slots"
)

// ImportOptions say what is brought in and how.
type ImportOptions struct {
	From           string // host:port of a server, or of any member of a cluster
	User, Password string // there
	TLS            TLSOptions
	DB             int // of a server with several databases; negative: the only one that has keys
	// Merge writes into a cluster that has keys: those of the source replace keys of the
	// same name. Flush empties the cluster first.
	Merge, Flush bool
	// NoPause says that nobody writes to the source any more. Pause is for how long at a
	// time writers are held there otherwise; it is renewed while the cut-over lasts.
	NoPause bool
	Pause   time.Duration
	Samples int    // keys whose content is compared; 0: none
	TempDir string // for what of the stream does not fit into memory; "": the system's
	// Confirm is asked before the cut-over, when the copy has caught up. nil: nobody is.
	Confirm func(ctx context.Context, question string) error
}

// markerKey is in the cluster while an import is under way: what was copied so far is
// nobody's data yet.
const markerKey = "redwing-import"

// DefaultPause and DefaultSamples are the defaults of ImportOptions.
const (
	DefaultPause   = 30 * time.Second
	DefaultSamples = 200
)

// Validate names every bad field.
func (o *ImportOptions) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %w", ErrUsage, fmt.Errorf(format, args...)))
	}
	if _, _, err := splitAddr(o.From); err != nil {
		bad("--from: %w", err)
	}
	if err := o.TLS.validate(); err != nil {
		bad("%w", err)
	}
	if o.Merge && o.Flush {
		bad("--merge and --flush exclude each other")
	}
	if o.Pause < time.Second {
		bad("--pause %v: at least 1s", o.Pause)
	}
	if o.Samples < 0 {
		bad("--samples %d is negative", o.Samples)
	}
	return errors.Join(errs...)
}

// Import is the plan of an import, and what came of it.
type Import struct {
	Plan
	Result *ImportResult `json:"result,omitempty"`

	o       ImportOptions
	tls     *tls.Config // to the sources; nil: none
	seed    string
	sources *sources
	db      int
	before  int64 // keys of the cluster that stay
}

// marker is what stands in markerKey.
func (p *Import) marker() string {
	return fmt.Sprintf("from %s database %d", p.o.From, p.db)
}

// ImportResult sums an import up.
type ImportResult struct {
	Keys      int64          `json:"keys"`            // copied as the sources had them at the beginning
	Recopied  int64          `json:"keys_recopied"`   // read again since the stream alone did not tell what became of them
	Writes    int64          `json:"writes"`          // requests of the streams that were followed
	Expired   int64          `json:"keys_expired"`    // at the source, while both sides were compared
	Resumed   int64          `json:"links_resumed"`   // broken links that went on where they broke
	Restarted int64          `json:"links_restarted"` // those after which all of a source was copied anew
	PausedMS  int64          `json:"paused_ms"`       // from holding the writers to the end
	Sources   []ImportSource `json:"sources"`
	Compared  int            `json:"keys_compared"`
	Repaired  int            `json:"keys_repaired"` // they differed at first
	Total     int64          `json:"cluster_keys"`  // of the cluster afterwards
	Notes     []string       `json:"notes,omitempty"`
}

// ImportSource is a server that was read.
type ImportSource struct {
	Addr   string `json:"addr"`
	Keys   int64  `json:"keys"` // in the end
	Offset int64  `json:"offset"`
}

// Print writes the plan for people, or with its result as JSON.
func (p *Import) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		return PrintJSON(w, p)
	}
	return p.Plan.Print(w, false)
}

// PlanImport makes the plan that copies a live server, or a cluster, into the cluster of
// seed, follows what is written there meanwhile, and cuts over.
func PlanImport(ctx context.Context, c *Conns, seed string, o ImportOptions) (*Import, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p := &Import{Plan: Plan{Title: "import " + o.From + " into the cluster of " + seed}, o: o, seed: seed}
	var err error
	if p.tls, err = o.TLS.config(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if p.sources, err = findSources(ctx, p.from(o.From, c)); err != nil {
		return nil, err
	}
	if p.db, err = p.sources.pick(o.DB); err != nil {
		return nil, err
	}
	p.Notes = append(p.Notes, p.sources.notes...)
	if p.sources.keys() == 0 {
		p.Notes = append(p.Notes, "the source has no keys: is it the right one?")
	}
	for i := range p.sources.list {
		s := &p.sources.list[i]
		if !o.NoPause && !s.atLeast(6, 2) {
			return nil, fmt.Errorf("%w: %s (redis %d.%d) cannot hold its writers alone: stop them and say --no-pause", ErrUsage, s.Addr, s.Version[0], s.Version[1])
		}
	}
	if err := p.planTarget(ctx, c); err != nil {
		return nil, err
	}
	for i := range p.sources.list {
		s := &p.sources.list[i]
		p.Steps = append(p.Steps, Step{Action: Copy, Node: s.Addr, Target: seed, Slots: s.Slots.String(), Count: s.Slots.Len(), Keys: s.Keys, Bytes: s.Memory})
	}
	p.Steps = append(p.Steps, Step{Action: CutOver, Node: o.From, Target: seed})
	if o.NoPause {
		p.Notes = append(p.Notes, "writers of the source are not held: they must have been stopped when the copy has caught up")
	} else {
		p.Notes = append(p.Notes, fmt.Sprintf("in the end writers of the source are held, up to %v longer than the cut-over takes: let clients go to the cluster then", o.Pause))
	}
	return p, nil
}

// planTarget looks at the cluster.
func (p *Import) planTarget(ctx context.Context, c *Conns) error {
	st, err := c.State(ctx, p.seed)
	if err != nil {
		return err
	}
	if covered := st.Covered(); covered.Len() != slots.Count {
		return fmt.Errorf("%d of %d slots of the cluster have no owner", slots.Count-covered.Len(), slots.Count)
	}
	for i := range p.sources.list {
		if _, err := st.Find(p.sources.list[i].Addr); err == nil {
			return fmt.Errorf("%w: %s is a member of the cluster itself", ErrUsage, p.sources.list[i].Addr)
		}
	}
	if err := p.planKeys(ctx, c, st); err != nil {
		return err
	}
	for _, n := range st.Primaries() {
		if len(n.Open) > 0 {
			return fmt.Errorf("%s: slots are half-open there (%v): finish that move first", n.Addr, n.Open)
		}
	}
	return nil
}

// planKeys decides what becomes of the keys that the cluster has.
func (p *Import) planKeys(ctx context.Context, c *Conns, st *State) error {
	held, err := c.keysHeld(ctx, st)
	if err != nil {
		return err
	}
	var keys int64
	for _, n := range held {
		keys += n
	}
	marker, err := c.marker(ctx, st)
	if err != nil {
		return err
	}
	left, err := c.restoreMark(ctx, st)
	if err != nil {
		return err
	}
	switch {
	case keys == 0:
		return nil
	case p.o.Merge && (marker == "" || marker == p.marker()):
		p.before = keys
		p.Notes = append(p.Notes, fmt.Sprintf("the cluster has %d keys: those that the source has too are replaced, the others stay", keys))
		return nil
	case marker == p.marker():
		p.Notes = append(p.Notes, fmt.Sprintf("an import from there was not finished: what it has left, %d keys, is deleted, and it begins anew", keys))
	case p.o.Flush:
	case marker != "":
		return fmt.Errorf("the cluster has what an import has left that was not finished (%s): finish that one, or empty the cluster with --flush", marker)
	case left != nil:
		return errors.New("a restore into the cluster was interrupted: run that one again, or empty the cluster with --flush")
	default:
		return fmt.Errorf("the cluster has %d keys: --flush empties it first, --merge writes over keys of the same name", keys)
	}
	// The one that has the marker comes last: an emptying that is interrupted shows as one.
	var last []Step
	for _, n := range st.Primaries() {
		step := Step{Action: Flush, Node: n.Addr, NodeID: n.ID, Keys: held[n.ID]}
		switch {
		case n.Slots.Has(slots.Of([]byte(markerKey))):
			last = append(last, step)
		case !n.Slots.Empty():
			p.Steps = append(p.Steps, step)
		}
	}
	p.Steps = append(p.Steps, last...)
	return nil
}

// marker reads what an import that is not finished has left in markerKey; "": nothing.
func (c *Conns) marker(ctx context.Context, st *State) (string, error) {
	slot := slots.Of([]byte(markerKey))
	for _, n := range st.Primaries() {
		if n.Slots.Has(slot) {
			text, err := c.Text(ctx, n.Addr, "GET", markerKey)
			if errors.Is(err, redis.Nil) {
				return "", nil
			}
			return text, err
		}
	}
	return "", nil
}

// countKeys returns the number of keys on all primaries.
func (c *Conns) countKeys(ctx context.Context, st *State) (sum int64, err error) {
	held, err := c.keysHeld(ctx, st)
	for _, n := range held {
		sum += n
	}
	return sum, err
}

// keysHeld returns the number of keys of each primary, by its id.
func (c *Conns) keysHeld(ctx context.Context, st *State) (map[string]int64, error) {
	out := map[string]int64{}
	for _, n := range st.Primaries() {
		r, err := c.Do(ctx, n.Addr, "DBSIZE")
		if err != nil {
			return nil, err
		}
		out[n.ID], _ = r.(int64)
	}
	return out, nil
}

// from returns how to connect to a source.
func (p *Import) from(addr string, c *Conns) transfer.Endpoint {
	return transfer.Endpoint{Addr: dialAddr(addr), User: p.o.User, Password: p.o.Password, TLS: p.tls, Timeout: c.o.Timeout}
}

// Apply imports. Interrupted before its end, it has changed nothing at the source but
// held its writers for a while.
func (p *Import) Apply(ctx context.Context, c *Conns, pr Progress) error {
	r := &importRun{p: p, c: c, pr: pr}
	err := r.run(ctx)
	pr.Done()
	if err != nil {
		return fmt.Errorf("%w (the cluster may have a part of the keys: the same command begins anew)", interrupted(ctx, err))
	}
	return nil
}
