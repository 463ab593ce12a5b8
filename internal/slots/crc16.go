package slots

// crcTables drives CRC16/XMODEM (polynomial 0x1021, initial value 0) eight bytes
// at a step: crcTables[k][b] is the CRC of byte b followed by k zero bytes.
var crcTables = makeCRCTables()

func makeCRCTables() (t [8][256]uint16) {
	const poly = 0x1021
	for b := range t[0] {
		crc := uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ poly
			} else {
				crc <<= 1
			}
		}
		t[0][b] = crc
	}
	for k := 1; k < 8; k++ {
		for b := range t[k] {
			prev := t[k-1][b]
			t[k][b] = prev<<8 ^ t[0][prev>>8]
		}
	}
	return t
}

func crc16(p []byte) uint16 {
	var crc uint16
	for len(p) >= 8 {
		crc = crcTables[7][p[0]^byte(crc>>8)] ^ crcTables[6][p[1]^byte(crc)] ^
			crcTables[5][p[2]] ^ crcTables[4][p[3]] ^
			crcTables[3][p[4]] ^ crcTables[2][p[5]] ^
			crcTables[1][p[6]] ^ crcTables[0][p[7]]
		p = p[8:]
	}
	for _, b := range p {
		crc = crc<<8 ^ crcTables[0][byte(crc>>8)^b]
	}
	return crc
}
