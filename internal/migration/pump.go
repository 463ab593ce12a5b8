package migration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// Bounds of one connection's stream.
const (
	// frameBytes is when a Data frame is full; one request may pass it.
	frameBytes = 64 << 10
	// putBytes is when the records of one PUT are enough: the target's shard is locked
	// for as long as it takes to set them.
	putBytes = 16 << 10
	// windowBytes is how much may be on its way, not yet applied by the target.
	windowBytes = 8 << 20
	// readerBytes is how many bytes of effects may wait to be sent, and of what writers hand
	// over to the snapshot in a file; then the attempt has failed. Back-pressure begins far
	// below (credit).
	readerBytes = 256 << 20
)

// pumpCommand is what the machine wants of the pump, in the order it comes.
type pumpCommand struct {
	kind  pumpKind
	hold  uint64
	until int64 // clock.Mono: not after
}

type pumpKind uint8

const (
	pumpDrain pumpKind = iota // wait writers off the shards, send all, then the fence
	pumpSeal                  // wait every command off the shards, and replies to their confirmation
	pumpReady                 // send Ready, after which nothing follows
)

// pumpState is what the pump goroutine owns.
type pumpState struct {
	t      *sourceTry
	link   *link
	stage  []byte // the target's name for what it puts aside
	reader *effects.SlotReader
	out    resp.Writer // the frame being filled, its header's room first
	rec    resp.Writer // the records of the PUT being filled
	recs   int
	slot   slots.Slot // of rec
	cutter cutter
	digits []byte
	block  effects.Block
	parser resp.Parser
	paced  copyPace
	drain  uint64 // the hold whose fence follows when everything is sent; 0: none
}

// pump sends the snapshot and then the effects, and carries out the last steps.
func (t *sourceTry) pump() error {
	p := &pumpState{t: t, link: t.link.Load(), stage: t.stage, parser: resp.Parser{MaxBulk: -1}, cutter: newCutter(t.s.m.o.Keyspace)}
	p.startFrame()
	if err := p.copy(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer p.reader.Close()
	t.credit.copied.Store(true)
	t.post(SourceCopied, 0)
	return p.follow()
}

// copy cuts the snapshot, from which instant on effects are kept, and sends it.
func (p *pumpState) copy() error {
	o := &p.t.s.m.o
	set := p.t.s.move.slots
	spill, err := disk.Unlinked(o.Dir())
	if err != nil {
		return err
	}
	defer spill.Close()
	snap, err := o.Keyspace.Snapshot(engine.SnapshotOptions{
		Slots: &set,
		DB:    0,
		Spill: spill, SpillBytes: readerBytes,
		AtCut: func() { p.reader = o.Log.NewSlotReader(&set, readerBytes) },
	})
	if err != nil {
		return err
	}
	defer snap.Close()
	p.t.credit.reader.Store(p.reader)
	err = p.walk(snap)
	if err != nil {
		p.reader.Close()
	}
	return err
}

func (p *pumpState) walk(snap *engine.Snapshot) error {
	var batch engine.Batch
	p.paced = copyPace{on: true, began: clock.Mono(), sent: p.t.credit.sent.Load()}
	defer func() { p.paced.on = false }()
	for {
		if err := p.t.ctx.Err(); err != nil {
			return err
		}
		err := snap.Next(&batch)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := batch.Each(p.put); err != nil {
			return err
		}
	}
	p.endPut()
	return p.flush()
}

// put adds an entry's records to the present PUT.
func (p *pumpState) put(e engine.Entry) error {
	err := p.cutter.each(&e, func(meta, value []byte) error { return p.record(&e, meta, value) })
	if err == nil {
		p.t.s.progress.keysDone.Add(1)
	}
	return err
}

func (p *pumpState) record(e *engine.Entry, meta, value []byte) error {
	if p.recs > 0 && (e.Slot != p.slot || len(p.rec.Buf)+len(value) > putBytes) {
		p.endPut()
		if len(p.out.Buf) >= frameBytes {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	p.slot = e.Slot
	p.recs++
	p.rec.Bulk(e.Key)
	p.rec.Bulk(meta)
	p.rec.Bulk(value)
	return nil
}

// endPut moves the records into the frame.
func (p *pumpState) endPut() {
	if p.recs == 0 {
		return
	}
	p.head(4+3*p.recs, wordPut, p.slot)
	p.out.Buf = append(p.out.Buf, p.rec.Buf...)
	p.recs = 0
	if p.rec.Buf = p.rec.Buf[:0]; cap(p.rec.Buf) > 1<<20 {
		p.rec.Buf = nil
	}
}

// head begins a request of n words of the group RW.STAGE on a slot.
func (p *pumpState) head(n int, word []byte, slot slots.Slot) {
	p.out.Array(n)
	p.out.Bulk(wordStage)
	p.out.Bulk(word)
	p.out.Bulk(p.stage)
	p.digits = strconv.AppendUint(p.digits[:0], uint64(slot), 10)
	p.out.Bulk(p.digits)
}

func (p *pumpState) startFrame() {
	if cap(p.out.Buf) > 1<<20 {
		p.out.Buf = nil
	}
	p.out.Buf = append(p.out.Buf[:0], make([]byte, frameHeaderLen)...)
}

// flush sends the frame, once there is room in the window.
func (p *pumpState) flush() error {
	n := int64(len(p.out.Buf) - frameHeaderLen)
	if n == 0 {
		return nil
	}
	if n > maxFrameBytes {
		return fmt.Errorf("%d bytes in one frame: %w", n, errFrame)
	}
	for p.t.credit.sent.Load()-p.t.credit.acked.Load() > windowBytes {
		select {
		case <-p.t.room:
		case <-p.t.ctx.Done():
			return p.t.ctx.Err()
		}
	}
	sealFrame(p.out.Buf, frameData)
	p.t.credit.sent.Add(n)
	p.t.s.progress.bytes.Add(n)
	err := p.link.sendSealed(p.out.Buf)
	p.startFrame()
	if err != nil || !p.paced.on {
		return err
	}
	return p.throttle()
}

// copyPace is since when the snapshot is sent, and what had been sent before.
type copyPace struct {
	on          bool
	began, sent int64
}

// throttle waits until what was sent of the snapshot fits the rate limit.
func (p *pumpState) throttle() error {
	rate := p.t.s.m.o.RateBytes()
	if rate <= 0 {
		return nil
	}
	early := time.Duration(float64(p.t.credit.sent.Load()-p.paced.sent)/float64(rate)*float64(time.Second)) - time.Duration(clock.Mono()-p.paced.began)
	if early < time.Millisecond {
		return nil
	}
	return pause(p.t.ctx, min(early, time.Second))
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follow sends effects as they come and carries out commands.
func (p *pumpState) follow() error {
	for {
		if len(p.t.cmds) > 0 {
			if last, err := p.obey(<-p.t.cmds); last || err != nil {
				return err
			}
		}
		if _, err := p.reader.TryNext(&p.block); err != nil {
			return fmt.Errorf("effects: %w", err)
		}
		if !p.block.Empty() {
			if err := p.effects(); err != nil {
				return err
			}
			if len(p.out.Buf) >= frameBytes {
				if err := p.flush(); err != nil {
					return err
				}
			}
			continue
		}
		if err := p.flush(); err != nil {
			return err
		}
		if p.drain != 0 {
			if err := p.link.sendCount(frameFence, p.drain); err != nil {
				return err
			}
			p.drain = 0
		}
		select {
		case <-p.reader.Wake():
		case c := <-p.t.cmds:
			if last, err := p.obey(c); last || err != nil {
				return err
			}
		case <-p.t.ctx.Done():
			return nil
		}
	}
}

// obey carries out a command; last is set when the pump's work is done.
func (p *pumpState) obey(c pumpCommand) (last bool, err error) {
	switch c.kind {
	case pumpDrain:
		if p.barrier(c.until) {
			p.drain = c.hold
		}
	case pumpSeal:
		if p.barrier(c.until) && p.settled(c.until) {
			p.t.post(SourceSealed, c.hold)
		}
	case pumpReady:
		return true, p.link.sendCount(frameReady, uint64(p.t.credit.sent.Load()))
	}
	return false, nil
}

// settled waits until no reply about the slots is withheld any more: from Ready on the
// target may own them. It gives up at until.
func (p *pumpState) settled(until int64) bool {
	ctx, cancel := context.WithTimeout(p.t.ctx, max(0, time.Duration(until-clock.Mono())))
	defer cancel()
	return p.t.s.m.o.Settled(ctx) == nil
}

// barrier locks and unlocks every data shard of the slots, so that no command is still
// running that found them free. It gives up at until: a shard may have a long command
// as its owner.
func (p *pumpState) barrier(until int64) bool {
	ks := p.t.s.m.o.Keyspace
	free := make(chan struct{}, 1)
	w := &engine.Waiter{Wake: func() {
		select {
		case free <- struct{}{}:
		default:
		}
	}}
	timer := time.NewTimer(max(0, time.Duration(until-clock.Mono())))
	defer timer.Stop()
	mask := shardMask(ks, &p.t.s.move.slots)
	for i := range ks.NumShards() {
		one := engine.ShardMask(1) << i
		if mask&one == 0 {
			continue
		}
		for !ks.TryLock(one, w) {
			select {
			case <-free:
			case <-timer.C:
				return false
			case <-p.t.ctx.Done():
				return false
			}
		}
		ks.Unlock(one)
	}
	return clock.Mono() < until
}

// effects adds a block of effects to the frame: one RUN for each run of entries of one
// slot. That slots of one transaction come in several is not seen by anyone, since all
// of them are attached by one entry of the log.
func (p *pumpState) effects() error {
	entries := p.block.Entries
	for i := 0; i < len(entries); {
		e := &entries[i]
		if e.Keyless {
			if err := p.keyless(p.block.Buf[e.Start:e.End]); err != nil {
				return err
			}
			i++
			continue
		}
		j := i + 1
		for j < len(entries) && !entries[j].Keyless && entries[j].Slot == e.Slot {
			j++
		}
		p.head(5, wordRun, e.Slot)
		p.out.Bulk(p.block.Buf[e.Start:entries[j-1].End])
		i = j
	}
	return nil
}

// keyless adds a request that belongs to no slot: what empties the keyspace empties the
// stage, and what changes no data is left out.
func (p *pumpState) keyless(request []byte) error {
	args, n, bad := p.parser.Next(request)
	if bad != nil || n != len(request) || len(args) == 0 {
		p.parser = resp.Parser{MaxBulk: -1}
		return fmt.Errorf("effect without a slot: %w", errFrame)
	}
	switch name := strings.ToLower(string(args[0])); name {
	case "flushall", "flushdb":
		p.out.Array(3)
		p.out.Bulk(wordStage)
		p.out.Bulk(wordFlush)
		p.out.Bulk(p.stage)
	case "publish", "spublish":
	default:
		return fmt.Errorf("%s touches every slot and cannot follow a slot move", name)
	}
	return nil
}

// pace lets writers run ahead by the credit, and says when a hold is worth trying.
func (t *sourceTry) pace() error {
	holds := t.s.m.o.Holds
	holds.setPace(t.party(), &t.s.move.slots, t.credit.spent)
	defer holds.setPace(t.party(), nil, nil)
	for {
		near := t.credit.reckon(clock.Mono())
		t.s.progress.lag.Store(t.credit.lag())
		if near {
			t.post(SourceClose, 0)
		}
		t.letOn()
		if err := pause(t.ctx, creditStep); err != nil {
			return nil
		}
	}
}

// letOn wakes writers that wait for credit, where there is some.
func (t *sourceTry) letOn() {
	if !t.credit.spent() {
		t.s.m.o.Holds.wakePaced(t.party())
	}
}

func (t *sourceTry) party() string { return fmt.Sprintf("pace %s %d", t.s.move.job, t.n) }
