// Package slots is the arithmetic of the 16384 hash slots of the Redis cluster
// specification: which slot a key belongs to, ranges and sets of slots, and the
// planner that spreads slots over shards. It does no I/O, keeps no state, and is
// used by every layer above.
package slots

import "bytes"

// Count is the number of hash slots of a cluster, fixed by the protocol.
const Count = 16384

// Slot is a hash slot, 0 to Count-1.
type Slot uint16

// Of returns the slot of key: CRC16 of its hash tag modulo Count.
func Of(key []byte) Slot {
	return Slot(crc16(HashTag(key)) & (Count - 1))
}

// HashTag returns the part of key that is hashed: what stands between the first
// '{' and the first '}' after it, or the whole key where there is no such pair
// or nothing between (Redis cluster specification, "Hash tags").
func HashTag(key []byte) []byte {
	open := bytes.IndexByte(key, '{')
	if open < 0 {
		return key
	}
	end := bytes.IndexByte(key[open+1:], '}')
	if end <= 0 {
		return key
	}
	return key[open+1 : open+1+end]
}
