package differ

import (
	"runtime"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/test/differ/generate"
)

// laterCommands are requests of commands and options that the redis-server at hand does not
// know, each with # where a number stands.
var laterCommands = []string{
	"hexpire hash # fields 1 a", "hexpire hash 10 fields # a f", "hexpire hash # gt fields 1 a",
	"hpexpire hash # fields 1 a", "hpexpire hash 10 fields # a", "hexpireat hash # fields 1 a", "hexpireat hash 10 fields # a",
	"hpexpireat hash # nx fields 1 a", "hpexpireat hash 10 fields # a", "httl hash fields # a", "hpttl hash fields # a",
	"hexpiretime hash fields # a", "hpexpiretime hash fields # a", "hpersist hash fields # a",
	"hgetdel hash fields # a", "hgetex hash fields # a", "hgetex hash ex # fields 1 a", "hgetex hash px # fields 1 a",
	"hgetex hash exat # fields 1 a", "hgetex hash pxat # fields 1 a", "hsetex hash fields # a 1", "hsetex hash ex # fields 1 a 1",
	"hsetex hash px # fields 1 a 1", "hsetex hash exat # fnx fields 1 z 1", "hsetex hash pxat # fxx fields 1 a 1",
	"msetex # k v", "msetex 1 k v ex #", "msetex 1 k v px #", "msetex 1 k v exat #", "msetex 1 k v pxat # nx",
	"set string v ifeq #", "set string v ifdne #", "delifeq string #", "delex string ifeq #", "delex string ifdeq #",
	"xdelex stream ids # 1-1", "xdelex stream ids 1 #", "xackdel stream g ids # 1-1", "xackdel stream g ids 1 #",
	"xadd stream keepref maxlen # * a 1", "xtrim stream minid ~ # limit # delref", "bitop one d string # int", "bitop diff1 # string int",
	"geosearch geo fromlonlat 1 1 bypolygon # 1 1 2 2 3 1", "geosearch geo bypolygon 3 # 1 2 2 3 1", "geosearch geo bypolygon 3 1 # 2 2 3 # asc count #",
	"zrank sorted-set # withscore",
}

// TestNumbersOfLaterCommands tries every number of them with every extreme: wanted are a
// reply, no panic, no memory taken because a number said so, and keys that can be read.
func TestNumbersOfLaterCommands(t *testing.T) {
	p := newPair(t, nil)
	tried := 0
	for _, request := range laterCommands {
		words := strings.Fields(request)
		if p.ours.Table.Lookup([]byte(words[0])) == nil {
			t.Errorf("%s is not known", words[0])
			continue
		}
		for _, number := range generate.Extremes {
			p.ours.Keyspace.FlushAll()
			for _, s := range numberKeys {
				p.answer(s)
			}
			tried++
			filled := strings.Fields(strings.ReplaceAll(request, "#", "\x00"))
			for i := range filled {
				filled[i] = strings.ReplaceAll(filled[i], "\x00", number)
			}
			var before, after runtime.MemStats
			used := p.ours.Keyspace.UsedMemory()
			runtime.ReadMemStats(&before)
			raw := p.answer(filled)
			runtime.ReadMemStats(&after)
			if n := int64(after.TotalAlloc-before.TotalAlloc) + p.ours.Keyspace.UsedMemory() - used; n > allocBound {
				t.Errorf("%q took %d bytes of memory", filled, n)
			}
			if _, err := commandtest.Parse([]byte(raw)); err != nil && !strings.HasPrefix(raw, "blocked") {
				t.Errorf("%q: %q", filled, raw)
			}
			for _, s := range [][]string{{"hgetall", "hash"}, {"xrange", "stream", "-", "+"}, {"zrange", "geo", "0", "-1"}, {"get", "string"}} {
				if raw := p.answer(s); strings.HasPrefix(raw, "-") {
					t.Errorf("after %q %q answers %q", filled, s, raw)
				}
			}
		}
	}
	t.Logf("%d requests", tried)
}
