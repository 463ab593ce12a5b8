package listpack

// Seal closes what was built in place: entries appended, by AppendEntry and its kin,
// behind the last entry of a listpack (lp[:End(lp)]), without its end byte. It appends
// that, for which there must be room, and counts added entries more. Many entries are so
// added at the price of one header.
func Seal(lp []byte, added int) []byte {
	lp = append(lp, end)
	setHeader(lp, len(lp), added)
	return lp
}
