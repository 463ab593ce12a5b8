package aof

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// Annotations: lines that Redis passes over. docs/format/aof.md has the picture.
//
//	#RW:aof 1                                      this file was begun by Redwing
//	#RW:mark rw1:<cluster>:<shard>:<term>:<run>    whose stream follows
//	#RW:crc <pos> <synced> <offset> <crc64>        a check
//	#TS:<unix seconds>                             aof-timestamp-enabled, as in Redis
const (
	headLine   = "#RW:aof 1\r\n"
	markPrefix = "#RW:mark "
	sumPrefix  = "#RW:crc "
	tsPrefix   = "#TS:"
	sumDigits  = 16
	// maxAnnotation is the longest line that Redis reads.
	maxAnnotation = 1024
)

// check is a #RW:crc line. Its checksum is that of all bytes of the file before it and of
// the line up to the checksum.
type check struct {
	pos    int64 // of the line in its file
	synced int64 // up to here the file was known to be on disk when the line was made
	offset int64 // of the effect log, behind what stands before the line
}

// appendCheck appends the line of c to dst; sum is the checksum of what stands before it.
func appendCheck(dst []byte, c check, sum uint64) []byte {
	start := len(dst)
	dst = append(dst, sumPrefix...)
	dst = append(strconv.AppendInt(dst, c.pos, 10), ' ')
	dst = append(strconv.AppendInt(dst, c.synced, 10), ' ')
	dst = append(strconv.AppendInt(dst, c.offset, 10), ' ')
	sum = rdb.CRC64(sum, dst[start:])
	var hex [sumDigits]byte
	for i := range hex {
		hex[i] = "0123456789abcdef"[sum>>(4*(sumDigits-1-i))&15]
	}
	return append(append(dst, hex[:]...), '\r', '\n')
}

// parseCheck reads a #RW:crc line without its line end. head is how many of its bytes the
// checksum covers.
func parseCheck(line []byte) (c check, head int, sum uint64, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(sumPrefix))
	if !ok {
		return c, 0, 0, false
	}
	words := bytes.Split(rest, []byte{' '})
	if len(words) != 4 || len(words[3]) != sumDigits {
		return c, 0, 0, false
	}
	for i, dst := range []*int64{&c.pos, &c.synced, &c.offset} {
		n, err := strconv.ParseInt(string(words[i]), 10, 64)
		if err != nil || n < 0 || len(words[i]) > 1 && words[i][0] == '0' {
			return c, 0, 0, false
		}
		*dst = n
	}
	for _, d := range words[3] {
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d >= 'a' && d <= 'f':
			d -= 'a' - 10
		default:
			return c, 0, 0, false
		}
		sum = sum<<4 | uint64(d)
	}
	return c, len(line) - sumDigits, sum, true
}

// appendTimestamp appends a #TS: line.
func appendTimestamp(dst []byte, unix int64) []byte {
	return fmt.Appendf(dst, "%s%d\r\n", tsPrefix, unix)
}
