package command

import (
	"fmt"
	"strings"
	"testing"
)

func TestAppendKeys(t *testing.T) {
	for _, c := range []struct {
		spec    KeySpec
		request string
		want    string
	}{
		{Key(KeyRO)[0], "get k", "[1] true"},
		{KeysTo(-1, 1, KeyRM)[0], "del a b c", "[1 2 3] true"},
		{KeysTo(-1, 2, KeyOW)[0], "mset a 1 b 2", "[1 3] true"},
		{KeysTo(-1, 2, KeyOW)[0], "mset a 1 b", "[1 3] true"}, // for the command to refuse
		{KeysTo(-2, 1, KeyRM)[0], "blpop a b 0", "[1 2] true"},
		{KeySpec{Begin: 3, Step: 1}, "x 1 2", "[] false"},
		{KeySpec{Begin: 2, UseCount: true, FirstAt: 1, Step: 1}, "eval s 2 a b c", "[3 4] true"},
		{KeySpec{Begin: 2, UseCount: true, FirstAt: 1, Step: 1}, "eval s 0 a", "[] true"},
		{KeySpec{Begin: 2, UseCount: true, FirstAt: 1, Step: 1}, "eval s 3 a b", "[] false"},
		{KeySpec{Begin: 2, UseCount: true, FirstAt: 1, Step: 1}, "eval s -1 a b", "[] false"},
		{KeySpec{Begin: 2, UseCount: true, FirstAt: 1, Step: 1}, "eval s 99999999999999999999 a", "[] false"},
		{KeySpec{Begin: 2, UseCount: true, FirstAt: 1, Step: 1}, "eval s", "[] false"},
		{KeySpec{Begin: 1, Keyword: "streams", Last: -1, Step: 1, Limit: 2}, "xread count 2 STREAMS a b 0 0", "[4 5] true"},
		{KeySpec{Begin: 1, Keyword: "streams", Last: -1, Step: 1, Limit: 2}, "xread count 2", "[] true"},
		{KeySpec{Begin: -2, Keyword: "keys", Last: -1, Step: 1}, "migrate h p x 0 1 keys a b", "[7 8] true"},
		{KeySpec{Begin: 1, Keyword: "store", Step: 1}, "x k store", "[] false"},
		{KeySpec{Unknown: true}, "sort a", "[] true"},
	} {
		keys, ok := c.spec.AppendKeys(nil, args(strings.Split(c.request, " ")...))
		at := []int{}
		for _, k := range keys {
			at = append(at, k.Arg)
		}
		if got := fmt.Sprint(at, ok); got != c.want {
			t.Errorf("%s: %s, want %s", c.request, got, c.want)
		}
	}
}

// No request makes keys lie outside of it.
func FuzzAppendKeys(f *testing.F) {
	f.Add("eval s 2 a b", 2, 0, 1, 0, true, "")
	f.Add("xread streams a 0", 1, -1, 1, 2, false, "streams")
	f.Add("x y keys", -1, -1, 3, 0, false, "KEYS")
	f.Fuzz(func(t *testing.T, request string, begin, last, step, limit int, count bool, keyword string) {
		if begin == 0 || begin < 0 && keyword == "" || begin > 100 || last > 100 || step < 1 || step > 100 || limit < 0 {
			return // the table's check refuses such specs
		}
		k := KeySpec{Begin: begin, Last: last, Step: step, Limit: limit, UseCount: count, FirstAt: 1, Keyword: keyword}
		a := args(strings.Split(request, " ")...)
		keys, _ := k.AppendKeys(nil, a)
		for _, key := range keys {
			if key.Arg < 1 || key.Arg >= len(a) {
				t.Fatalf("%+v of %q: argument %d", k, request, key.Arg)
			}
		}
	})
}
