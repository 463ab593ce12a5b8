package effects

// segmentBytes is the size of one segment. Bytes of an entry may lie in two segments.
const segmentBytes = 1 << 20

// spareSegments is how many unused segments are kept mapped for the next ones.
const spareSegments = 4

// segment is a piece of the stream: bytes base to base+n.
//
//	base                 base+n        base+1 MiB
//	|  published, immutable |  free space   |  --next-->
//
// All fields but the published bytes are guarded by the log's mutex.
type segment struct {
	buf   []byte
	base  int64
	n     int
	next  *segment
	marks []mark // entries that begin here, kept only while someone reads entries

	mapped bool // buf is a mapping, not heap

	refs     int  // readers that may look at buf
	holds    int  // readers that still need this segment and all after it
	unlinked bool // no longer in the list: freed once refs is 0
}

func (s *segment) end() int64 { return s.base + int64(s.n) }

// mark says where an entry lies and what it is.
type mark struct {
	at    uint32 // from the start of the segment
	n     uint32 // length in bytes; it may run on into the next segments
	slot  uint16
	db    uint16
	flags markFlags
}

type markFlags uint8

const (
	markLast    markFlags = 1 << iota // last entry of its block
	markKeyless                       // belongs to every slot
)
