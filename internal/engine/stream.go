package engine

import (
	"errors"
	"math"

	"github.com/redwingdb/redwing/internal/engine/arena"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/slots"
)

// Stream is a key that holds a stream, or will. A stream is always rooted, and stays when
// its last entry goes.
//
//	absent --Make--> stream --Remove--> absent
type Stream struct {
	Value
	s stream.Stream
}

// Open opens the stream at key and reports whether it is there; ErrWrongType if the key
// holds something else.
func (x *Stream) Open(a *Access, s slots.Slot, key []byte) (found bool, err error) {
	if found, err = x.open(a, s, key, TypeStream); found {
		x.bind()
	}
	return found, err
}

func (x *Stream) bind() { x.s = stream.Stream{A: x.Arena(), Root: (*stream.Root)(x.Root())} }

// Make makes an empty stream. REQUIRES: not Exists.
func (x *Stream) Make() error {
	ref, p, err := x.NewRoot(stream.RootBytes)
	if err != nil {
		return err
	}
	(*stream.Root)(p).Init()
	if err := x.Plant(TypeStream, EncStream, ref); err != nil {
		x.Arena().Free(ref)
		return err
	}
	x.bind()
	return nil
}

// View returns the stream for reading. REQUIRES: Exists.
func (x *Stream) View() stream.Stream { return x.s }

// Edit returns the stream for changing; what its methods return for want of space goes
// through StoreError. A group that View has given is to be regained (stream.Regain) before
// it is changed. REQUIRES: Exists.
func (x *Stream) Edit() stream.Stream {
	x.Changing()
	x.s.Pasts = nil
	if pinned := x.p.sh.pinnedLocked(x.Root()); pinned != nil {
		x.s.Pasts = &pinned.pasts
	}
	return x.s
}

// StreamLimits returns when a node of a stream is full.
func (x *Stream) StreamLimits() stream.Limits {
	l := x.Limits()
	return stream.Limits{NodeBytes: int64(l.StreamNodeBytes), NodeEntries: int64(l.StreamNodeEntries)}
}

// StoreError returns ErrNoSpace for what the packages below the engine say of an
// exhausted arena, and any other error as it is.
func StoreError(err error) error {
	if errors.Is(err, arena.ErrNoSpace) {
		return ErrNoSpace
	}
	return err
}

// streamRoots implements rootOps.
type streamRoots struct{}

func (streamRoots) at(sh *shard, root arena.Ref) stream.Stream {
	return stream.Stream{A: sh.arena, Root: (*stream.Root)(sh.arena.At(root))}
}

func (x streamRoots) free(sh *shard, root arena.Ref, _ uint64, n int) (next uint64, done bool) {
	if done = x.at(sh, root).Free(n); done {
		sh.arena.Free(root)
	}
	return 0, done
}

func (x streamRoots) copy(_ *Keyspace, from *shard, root arena.Ref, to *shard) (arena.Ref, error) {
	ref, err := to.arena.Alloc(stream.RootBytes)
	if err != nil {
		return 0, ErrNoSpace
	}
	clear(to.arena.Bytes(ref, stream.RootBytes))
	twin := x.at(to, ref)
	twin.Init()
	if err := x.at(from, root).CopyTo(twin); err != nil {
		to.buryRootLocked(deadRoot{typ: TypeStream, root: ref})
		return 0, StoreError(err)
	}
	return ref, nil
}

func (x streamRoots) size(sh *shard, root arena.Ref, samples int) int64 {
	return sh.arena.Size(root) + x.at(sh, root).Bytes(samples)
}

func (x streamRoots) len(sh *shard, root arena.Ref) int { return x.at(sh, root).Len() }

// parts implements rootOps.
func (x streamRoots) parts(sh *shard, root arena.Ref, p *piece) {
	all := streamPast{sh: sh, past: stream.LookBack(x.at(sh, root))}
	for done := false; !done; {
		done, _ = all.step(p, &stride{bytes: math.MaxInt, chains: math.MaxInt}) // nothing is kept: it never fails
	}
}

func (x streamRoots) brief(sh *shard, root arena.Ref) bool {
	s := x.at(sh, root)
	if s.Nodes() > briefElements/8 || s.Groups() > 0 {
		return false
	}
	bytes := 0
	s.EachNode(func(_ stream.ID, lp []byte) bool {
		bytes += len(lp)
		return bytes <= briefBytes
	})
	return bytes <= briefBytes
}

func (x streamRoots) pin(of *pinnedRoot, pin *rootPin) pinnedPast {
	past := stream.LookBack(x.at(of.sh, of.root))
	of.pasts.Add(past, pin.grew, pin.keeps)
	return &streamPast{sh: of.sh, pin: pin, past: past}
}
