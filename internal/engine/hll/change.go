package hll

// Change is what has to be done to raise one register of a value, as PlanRaise found out.
type Change struct {
	kind   changeKind
	at     int // of the run that is replaced
	prev   int // of the run before it, 0: there is none
	old    int // its bytes
	with   [5]byte
	n      int // bytes of with
	index  int
	raised uint8
}

type changeKind uint8

const (
	changeNone changeKind = iota
	changeDense
	changeRun
	changePromote
)

// None reports whether the register is as high already.
func (c *Change) None() bool { return c.kind == changeNone }

// Promotes reports whether the sparse value must become dense first.
func (c *Change) Promotes() bool { return c.kind == changePromote }

// Delta returns by how many bytes the value grows before runs are joined.
func (c *Change) Delta() int { return c.n - c.old }

// PlanRaise finds out what it takes to raise a register of b to value. A sparse value
// that would grow beyond maxSparse bytes, or hold a register above 32, promotes. b, for
// which Is holds, is not changed.
func PlanRaise(b []byte, register int, value uint8, maxSparse int) (c Change, err error) {
	c.index, c.raised = register, value
	if Dense(b) {
		if denseGet(b, register) < value {
			c.kind = changeDense
		}
		return c, nil
	}
	if value > valueMax {
		c.kind = changePromote // a sparse value cannot hold as much
		return c, nil
	}
	first, at := 0, HeaderBytes
	var r run
	for {
		if at >= len(b) {
			return c, ErrCorrupt
		}
		ok := false
		if r, ok = readRun(b[at:]); !ok {
			return c, ErrCorrupt
		}
		if register < first+r.length {
			break
		}
		c.prev, first, at = at, first+r.length, at+r.bytes
	}
	if r.value >= value {
		return c, nil
	}
	c.kind, c.at, c.old = changeRun, at, r.bytes
	before, after := register-first, first+r.length-1-register
	if r.value == 0 {
		c.n = putZeros(c.with[:], before)
		c.n += putValues(c.with[c.n:], value, 1)
		c.n += putZeros(c.with[c.n:], after)
	} else {
		c.n = putValues(c.with[:], r.value, before)
		c.n += putValues(c.with[c.n:], value, 1)
		c.n += putValues(c.with[c.n:], r.value, after)
	}
	if c.Delta() > 0 && len(b)+c.Delta() > maxSparse {
		c.kind = changePromote
	}
	return c, nil
}

// Apply changes b, made longer by Delta if that is positive, and returns how long it is now: runs
// that have become alike are joined. It may not be called where Promotes is true. The
// cached cardinality is left alone.
func (c *Change) Apply(b []byte) int {
	switch c.kind {
	case changeDense:
		denseSet(b, c.index, c.raised)
		return len(b)
	case changeNone:
		return len(b)
	}
	tail := b[c.at+c.old : len(b)-max(0, c.Delta())]
	end := c.at + c.n + copy(b[c.at+c.n:], tail)
	copy(b[c.at:], c.with[:c.n])
	return joinRuns(b[:end], max(c.prev, HeaderBytes))
}

// joinRuns joins neighbours of one value among the first five runs from at on, which is
// as far as one change reaches, and returns the length that b has then.
func joinRuns(b []byte, at int) int {
	for looks := 5; at < len(b) && looks > 0; looks-- {
		r, ok := readRun(b[at:])
		if !ok {
			break
		}
		if next := at + 1; r.value > 0 && next < len(b) {
			s, _ := readRun(b[next:])
			if s.value == r.value && s.length+r.length <= valMax {
				putValues(b[at:], r.value, r.length+s.length)
				b = b[:next+copy(b[next:], b[next+1:])]
				continue
			}
		}
		at += r.bytes
	}
	return len(b)
}
