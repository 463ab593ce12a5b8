package rdb

// Key is a key and what stands in front of its value.
type Key struct {
	DB       int
	Key      []byte
	Kind     Kind
	ExpireAt int64 // Unix milliseconds, 0: none
	Idle     int64 // seconds since the last access, -1: not given
	Freq     int   // LFU counter, 0 to 255, -1: not given
}
