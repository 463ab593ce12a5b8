package rdb

// capture keeps the bytes of a value as they are read.
type capture struct {
	on    bool
	limit int // 0: none
	buf   []byte
}

func (c *capture) take(b []byte) {
	if c.limit > 0 && len(c.buf)+len(b) > c.limit {
		c.on, c.buf = false, c.buf[:0]
		return
	}
	c.buf = append(c.buf, b...)
}

// Captured reports whether the value that Payload is reading is still within its limit: a
// sink that takes elements may give them on once it is not.
func (r *Reader) Captured() bool { return r.capture.on }

// Payload is Value that also returns the value in the form in which DUMP gives it, appended
// to dst; ok is false where that took more than limit bytes (0: none). sink has taken the
// value either way. It makes nothing anew: the bytes are those that were read.
func (r *Reader) Payload(dst []byte, limit int, sink Sink) (payload []byte, ok bool, err error) {
	r.capture = capture{on: true, limit: limit, buf: r.capture.buf[:0]}
	kind := r.Key.Kind
	err = r.Value(sink)
	ok = r.capture.on
	r.capture.on = false
	if err != nil || !ok {
		return dst, false, err
	}
	w := NewPayload(dst, kind, false)
	w.Append(r.capture.buf)
	if cap(r.capture.buf) > 1<<20 {
		r.capture.buf = nil // of one large value
	}
	return w.Payload(kind.Version()), true, nil
}
