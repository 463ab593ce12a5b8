package differ

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// question is what redis-server is asked for one request of ours, and how its answers
// are compared with our reply.
type question struct {
	ask   [][]string
	reply int // which of the answers is the reply to compare
	// item: the reply is the only item of EXEC's answer.
	item bool
	// holds, where set, replaces the comparison: chance had a part in our reply.
	holds func(answers []commandtest.Reply) error
}

// questionFor says what redis-server is asked once we have replied ours to words. Our
// side runs first, so that what it drew by chance or read off its clock can be told to
// redis-server.
func questionFor(words []string, blocking bool, ours commandtest.Reply) question {
	name := strings.ToLower(words[0])
	if blocking && !(name == "xread" && readsTop(words)) {
		q := question{ask: [][]string{{"MULTI"}, words, {"EXEC"}}, reply: 2, item: true}
		if name == "xreadgroup" && ours.Kind != '-' {
			return q.behind(createConsumers(words)...)
		}
		return q
	}
	if name == "xread" && readsTop(words) && ours.Kind != '-' {
		return nothing
	}
	if name == "xsetid" && strings.HasSuffix(ours.Text, "smaller than current max_deleted_entry_id") {
		// Redis 7.2 refuses this (redis#11444); 7.0 would go on with another last id.
		return nothing
	}
	same := question{ask: [][]string{words}}
	if ours.Kind == '-' && endless(words) {
		return nothing
	}
	if ours.Kind == '-' || ours.Null || len(words) < 2 {
		return same
	}
	switch name {
	case "spop":
		if members := texts(ours); len(members) > 0 {
			return popped(words, members)
		}
	case "srandmember", "hrandfield", "zrandmember":
		if len(texts(ours)) > 0 {
			return drawn(name, words, ours)
		}
	case "xadd":
		if i := idArg(words); words[i] == "*" {
			dated := slices.Clone(words)
			dated[i] = ours.Text
			return question{ask: [][]string{dated}}
		}
	case "xclaim", "xautoclaim":
		if len(words) > 3 {
			return same.behind([]string{"XGROUP", "CREATECONSUMER", words[1], words[2], words[3]})
		}
	}
	return same
}

// idArg returns which of the words of an XADD that was not refused is the id.
func idArg(words []string) int {
	for i := 2; ; i++ {
		switch strings.ToLower(words[i]) {
		case "nomkstream":
		case "limit":
			i++
		case "maxlen", "minid":
			if i++; words[i] == "~" || words[i] == "=" {
				i++
			}
		default:
			return i
		}
	}
}

// readsTop reports whether an XREAD has the id + of Redis 7.4.
func readsTop(words []string) bool {
	at := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, "streams") })
	return at >= 0 && slices.Contains(words[at+1+(len(words)-at-1)/2:], "+")
}

// behind puts requests whose answers do not matter before those of q.
func (q question) behind(before ...[]string) question {
	q.ask = append(before, q.ask...)
	q.reply += len(before)
	return q
}

// createConsumers makes the consumer of an XREADGROUP: since Redis 7.2 the command does
// so itself even where it finds nothing to read.
func createConsumers(words []string) (out [][]string) {
	at := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, "streams") })
	if at < 0 || len(words) < 4 {
		return nil
	}
	rest := words[at+1:]
	for _, key := range rest[:len(rest)/2] {
		out = append(out, []string{"XGROUP", "CREATECONSUMER", key, words[2], words[3]})
	}
	return out
}

func popped(words, members []string) question {
	want := 1
	if len(words) > 2 {
		want, _ = strconv.Atoi(words[2])
	}
	return question{
		ask: [][]string{{"SCARD", words[1]}, append([]string{"SREM", words[1]}, members...)},
		holds: func(a []commandtest.Reply) error {
			card, _ := strconv.Atoi(a[0].Text)
			if n := min(want, card); len(members) != n || a[1].Text != strconv.Itoa(n) {
				return fmt.Errorf("popped %q: redis removes %s of them and has %s, wanted %d", members, a[1].Text, a[0].Text, n)
			}
			return nil
		},
	}
}

// drawn checks random elements: each exists (with this value or score), and there are as
// many different ones as were asked for.
func drawn(name string, words []string, ours commandtest.Reply) question {
	card, look := map[string]string{"srandmember": "SCARD", "hrandfield": "HLEN", "zrandmember": "ZCARD"}[name],
		map[string]string{"srandmember": "SMISMEMBER", "hrandfield": "HMGET", "zrandmember": "ZMSCORE"}[name]
	elems, values := texts(ours), []string(nil)
	if len(words) > 3 {
		elems, values = split(ours)
	}
	return question{
		ask: [][]string{{card, words[1]}, append([]string{look, words[1]}, elems...)},
		holds: func(a []commandtest.Reply) error {
			have, _ := strconv.Atoi(a[0].Text)
			want := 1
			if len(words) > 2 {
				n, _ := strconv.Atoi(words[2])
				if want = -n; n > 0 {
					want = min(n, have)
					if distinct := len(slices.Compact(slices.Sorted(slices.Values(elems)))); distinct != len(elems) {
						return fmt.Errorf("elements drawn twice: %q", elems)
					}
				}
			}
			if len(elems) != want {
				return fmt.Errorf("%d elements drawn, want %d of %d", len(elems), want, have)
			}
			for i, item := range a[1].Items {
				switch {
				case item.Null || name == "srandmember" && item.Text != "1":
					return fmt.Errorf("redis has no element %q", elems[i])
				case values != nil && item.Text != values[i] && shortest(item.Text) != values[i]:
					return fmt.Errorf("%q has %q in redis, %q here", elems[i], item.Text, values[i])
				}
			}
			return nil
		},
	}
}

// split returns the elements of a reply and what stands behind each: flat in RESP2,
// pairs in RESP3.
func split(v commandtest.Reply) (elems, values []string) {
	if len(v.Items) > 0 && v.Items[0].Kind == '*' {
		for _, pair := range v.Items {
			elems, values = append(elems, pair.Items[0].Text), append(values, pair.Items[1].Text)
		}
		return elems, values
	}
	for i := 0; i+1 < len(v.Items); i += 2 {
		elems, values = append(elems, v.Items[i].Text), append(values, v.Items[i+1].Text)
	}
	return elems, values
}

// texts returns the items of a reply, or itself if it is none of many.
func texts(v commandtest.Reply) []string {
	switch v.Kind {
	case '*', '~':
		return v.Strings()
	case '$':
		return []string{v.Text}
	}
	return nil
}

// nothing is the question for what redis-server is not asked.
var nothing = question{ask: [][]string{{"PING"}}, holds: func([]commandtest.Reply) error { return nil }}

// endless reports whether a request asks for more random elements than any reply can hold:
// redis-server tries.
func endless(words []string) bool {
	if !slices.Contains([]string{"hrandfield", "srandmember", "zrandmember"}, strings.ToLower(words[0])) || len(words) < 3 {
		return false
	}
	n, err := strconv.ParseInt(words[2], 10, 64)
	return err == nil && n < -1000 && n != math.MinInt64 // which both refuse
}
