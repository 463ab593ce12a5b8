package rdb

// Kind says how a value is written: the byte before its key (rdb.h, RDB_TYPE_*).
type Kind uint8

const (
	KindString     Kind = 0
	KindList       Kind = 1
	KindSet        Kind = 2
	KindZSet       Kind = 3 // scores as text
	KindHash       Kind = 4
	KindZSet2      Kind = 5 // scores as binary doubles
	kindModule     Kind = 6
	kindModule2    Kind = 7
	KindHashZipmap Kind = 9

	KindListZiplist   Kind = 10
	KindSetIntset     Kind = 11
	KindZSetZiplist   Kind = 12
	KindHashZiplist   Kind = 13
	KindListQuicklist Kind = 14 // nodes are ziplists
	KindStream        Kind = 15

	KindHashListpack   Kind = 16
	KindZSetListpack   Kind = 17
	KindListQuicklist2 Kind = 18 // nodes are listpacks or plain strings
	KindStream2        Kind = 19 // with the counters of redis 7.0
	KindSetListpack    Kind = 20
	KindStream3        Kind = 21 // with the active time of consumers (redis 7.2)

	// Hashes whose fields expire. Of the release candidates of redis 7.4 are the first
	// two, without the nearest expiry in front.
	KindHashTTLPre     Kind = 22
	KindHashTTLPackPre Kind = 23
	KindHashTTL        Kind = 24
	KindHashTTLPack    Kind = 25 // a listpack of field, value, expiry; nearest expiry first
)

// Version returns the lowest version of RDB, from 10 on, that has k.
func (k Kind) Version() int {
	switch {
	case k >= KindHashTTLPre:
		return 12
	case k >= KindSetListpack:
		return 11
	}
	return 10
}

// kindNames are the kinds that Redis has had, for errors.
var kindNames = [...]string{
	KindString: "string", KindList: "list", KindSet: "set", KindZSet: "sorted set",
	KindHash: "hash", KindZSet2: "sorted set (2)", kindModule: "module value",
	kindModule2: "module value (2)", KindHashZipmap: "hash (zipmap)",
	KindListZiplist: "list (ziplist)", KindSetIntset: "set (intset)",
	KindZSetZiplist: "sorted set (ziplist)", KindHashZiplist: "hash (ziplist)",
	KindListQuicklist: "list (quicklist)", KindStream: "stream",
	KindHashListpack: "hash (listpack)", KindZSetListpack: "sorted set (listpack)",
	KindListQuicklist2: "list (quicklist 2)", KindStream2: "stream (2)",
	KindSetListpack: "set (listpack)", KindStream3: "stream (3)",
	KindHashTTLPre:     "hash (field expiry, preview)",
	KindHashTTLPackPre: "hash (field expiry, listpack, preview)",
	KindHashTTL:        "hash (field expiry)", KindHashTTLPack: "hash (field expiry, listpack)",
}

// known reports whether k is the kind of any value.
func (k Kind) known() bool { return int(k) < len(kindNames) && kindNames[k] != "" }

// String names the type and, where it is not the plain one, the form.
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return "unknown"
}
