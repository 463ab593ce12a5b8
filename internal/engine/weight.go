package engine

// weighSamples is how many elements are looked at to tell how big a collection is.
const weighSamples = 5

// Weight returns about how much it takes to copy the value: its elements, counting packed
// values and strings as one, and bytes. REQUIRES: Exists.
func (v *Value) Weight() (elements, bytes int) {
	if !v.Rooted() {
		return 1, v.Record().Len()
	}
	ops := opsOf(v.Type())
	return ops.len(v.p.sh, v.RootRef()), int(ops.size(v.p.sh, v.RootRef(), weighSamples))
}
