package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
)

// restoreRun carries a Restore out:
//
//	mark the cluster --> [what an interrupted one has left: compare, refuse what is foreign]
//	      --> write what is missing --> compare numbers and some keys --> take the mark off
//
// Into a cluster that has keys of its own (--merge) nothing is compared.
type restoreRun struct {
	r       *Restore
	c       *Conns
	pr      Progress
	target  *transfer.Target
	mark    marking
	loaders []*loader

	keys     atomic.Int64 // passed, of the step that is under way
	kept     atomic.Int64
	skipped  atomic.Int64
	held     atomic.Int64 // keys of the backup that the cluster had, as the comparing found
	lasting  atomic.Int64 // keys of the backup that do not go by themselves
	compared atomic.Int64
}

func newRestoreRun(r *Restore, c *Conns, pr Progress) *restoreRun {
	x := &restoreRun{r: r, c: c, pr: pr}
	for i := range r.manifest.Shards {
		l := &loader{run: x, file: r.manifest.Shards[i].File, begun: map[string]bool{}}
		if r.left != nil {
			for key := range r.left.begun {
				l.begun[key] = true
			}
		}
		x.loaders = append(x.loaders, l)
	}
	return x
}

func (x *restoreRun) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x.target = transfer.NewTarget(ctx, x.c.targetOptions(x.r.seed))
	defer x.target.Close()
	x.mark = marking{x.target.Sender(func([][]byte, error) {}, nil), x.r.id, x.r.o.mode()}
	if x.r.continues() {
		if err := x.compare(ctx); err != nil {
			return err
		}
	} else if err := x.mark.begin(); err != nil {
		return interrupted(ctx, err)
	}
	if err := x.all(ctx, "written", (*loader).load); err != nil {
		return err
	}
	if !x.r.o.Merge {
		if err := x.all(ctx, "verified", (*loader).verify); err != nil {
			return err
		}
		if err := x.numbers(ctx); err != nil {
			return err
		}
	}
	if err := x.mark.end(); err != nil {
		return interrupted(ctx, err)
	}
	total, err := x.count(ctx)
	if err != nil {
		return err
	}
	x.r.Result = &RestoreResult{
		Keys: x.r.manifest.Keys(), Kept: x.kept.Load(), Skipped: x.skipped.Load(), Compared: x.compared.Load(), Total: total,
	}
	for _, addr := range x.target.Confirm() {
		x.r.Result.Notes = append(x.r.Result.Notes, noFollower(addr))
	}
	return nil
}

// compare holds what the cluster has against the backup; twice where there are keys too many:
// what the interrupted restore had sent may still have been on its way.
func (x *restoreRun) compare(ctx context.Context) (err error) {
	for range 2 {
		x.held.Store(0)
		x.skipped.Store(0)
		if err := x.all(ctx, "compared", (*loader).compare); err != nil {
			return err
		}
		if err = x.nothingForeign(ctx); !errors.Is(err, errForeign) {
			return err
		}
	}
	return err
}

// all does something with every file, several at a time.
func (x *restoreRun) all(ctx context.Context, what string, do func(l *loader, ctx context.Context) error) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	all := x.r.manifest.Keys()
	x.keys.Store(0)
	show := watchProgress(x.pr, func() (float64, string) {
		n := x.keys.Load()
		text := fmt.Sprintf("%d of %d keys %s", n, all, what)
		if s := x.skipped.Load(); s > 0 {
			text += fmt.Sprintf(", %d were there already", s)
		}
		return share64(n, all), text
	})
	errs := make([]error, len(x.loaders))
	each(len(errs), func(i int) {
		if errs[i] = do(x.loaders[i], within); errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", x.loaders[i].file, errs[i])
			cancel()
		}
	})
	show()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return interrupted(context.Background(), err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w (run the same command again: it goes on)", interrupted(ctx, err))
	}
	return nil
}

// errForeign is returned for a cluster that has been written to by others.
var errForeign = errors.New("the cluster has been written to by others since this restore began")

func foreign(format string, args ...any) error {
	return fmt.Errorf("%w: %s (to go on all the same, --merge keeps what the cluster has, --merge --replace prefers the backup)", errForeign, fmt.Sprintf(format, args...))
}

// count returns the number of keys of the cluster, but for the mark.
func (x *restoreRun) count(ctx context.Context) (int64, error) {
	st, err := x.c.AnyState(ctx, []string{x.r.seed})
	if err != nil {
		return 0, err
	}
	n, err := x.c.countKeys(ctx, st)
	if err != nil {
		return 0, err
	}
	marked, err := x.mark.sender.Exists([]byte(restoreKey))
	if marked {
		n--
	}
	return n, err
}

// goneWithin is how long keys that have expired may still be counted by servers.
const goneWithin = 5 * time.Second

// nothingForeign refuses keys that the backup does not have.
func (x *restoreRun) nothingForeign(ctx context.Context) error {
	var have, held int64
	err := waitFor(ctx, goneWithin, func() (bool, string, error) {
		n, err := x.count(ctx)
		have, held = n, x.held.Load()
		return have <= held, "more keys", err
	})
	if errors.Is(err, ErrTimeout) {
		return foreign("it has %d keys, only %d of them are of the backup", have, held)
	}
	return err
}

// numbers compares how many keys there are.
func (x *restoreRun) numbers(ctx context.Context) error {
	var have int64
	most := x.r.manifest.Keys()
	err := waitFor(ctx, goneWithin, func() (bool, string, error) {
		n, err := x.count(ctx)
		have = n
		return have <= most, "more keys", err
	})
	switch {
	case errors.Is(err, ErrTimeout):
		return foreign("it has %d keys, the backup %d", have, most)
	case err != nil:
		return err
	case have < x.lasting.Load():
		return foreign("it has %d keys, the backup %d that do not expire", have, x.lasting.Load())
	}
	return nil
}
