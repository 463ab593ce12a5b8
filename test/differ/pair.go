package differ

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/test/differ/generate"
)

// pair runs sequences of commands on a redis-server and on our handlers.
type pair struct {
	t     testing.TB
	redis *commandtest.Redis
	ours  session
	known *Known
	resp3 bool
}

// failure is the first difference of a sequence.
type failure struct {
	kind string // what differs, for shrinking: a command's name, the state of a type
	text string
}

// apart stands for a known difference behind which the data of both sides need not be
// equal any more: one of them has refused what the other has done.
var apart = &failure{kind: "apart"}

func newPair(t testing.TB, known *Known) *pair {
	return &pair{t: t, redis: commandtest.StartRedis(t, "--proto-max-bulk-len", maxBulk, "--enable-debug-command", "yes"), ours: boundedSession(t), known: known}
}

// maxBulk bounds the strings of both sides, or offsets would make them of half a gigabyte.
const maxBulk = "1048576"

func boundedSession(t testing.TB) session {
	s := newSession(t)
	s.Ctx.MaxBulkBytes, _ = strconv.ParseInt(maxBulk, 10, 64)
	return s
}

// use chooses the protocol of both sides.
func (p *pair) use(resp3 bool) {
	p.resp3 = resp3
	version := "2"
	if resp3 {
		version = "3"
	}
	p.redis.Ask("HELLO", version)
	p.ours.SetRESP3(resp3)
}

// has reports whether both sides have a command.
func (p *pair) has() func(name string) bool {
	theirs := map[string]bool{}
	for _, name := range p.redis.Ask("COMMAND", "LIST").Strings() {
		theirs[strings.ReplaceAll(name, "|", " ")] = true
	}
	return func(name string) bool { return theirs[name] && hasCommand(p.ours.Table, name) }
}

// hasCommand reports whether a table has "name" or "container subcommand"; a subcommand
// that no version of Redis has counts as there, for its error.
func hasCommand(t *command.Table, name string) bool {
	container, sub, isSub := strings.Cut(name, " ")
	s := t.Lookup([]byte(container))
	return s != nil && (!isSub || sub == "nosuch" || s.Sub([]byte(sub)) != nil)
}

// run runs seq on both sides, both empty at first, and compares every reply, then all
// the data.
func (p *pair) run(seq [][]string) *failure {
	p.redis.Ask("FLUSHALL")
	p.answer([]string{"flushall"})
	questions, replies := make([]question, len(seq)), make([]string, len(seq))
	for i, words := range seq {
		raw := p.answer(words)
		v, err := commandtest.Parse([]byte(raw))
		if err != nil {
			return &failure{strings.ToLower(words[0]), fmt.Sprintf("%q\n ours: %s", words, raw)}
		}
		questions[i], replies[i] = questionFor(words, p.ours.blocking(words), v), raw
	}
	answers := p.askAll(questions)
	for i, words := range seq {
		if f := p.compare(words, questions[i], answers[i], replies[i]); f == apart {
			return nil
		} else if f != nil {
			return f
		}
	}
	return p.compareState(seq)
}

// answer runs a request on our side; a panic becomes the text of the reply.
func (p *pair) answer(words []string) (reply string) {
	defer func() {
		if e := recover(); e != nil {
			reply = fmt.Sprintf("panic: %v\n%s", e, debug.Stack())
			p.ours = boundedSession(p.t) // its locks may be held
			p.ours.SetRESP3(p.resp3)
		}
	}()
	return p.ours.do(words...)
}

// askAll sends redis-server every question at once and returns the raw answers.
func (p *pair) askAll(questions []question) [][]string {
	var b []byte
	for _, q := range questions {
		for _, words := range q.ask {
			b = resp.AppendCommand(b, commandtest.Args(words...)...)
		}
	}
	sent := make(chan struct{})
	go func() { p.redis.Send(b); close(sent) }() // replies fill up while requests still go
	out := make([][]string, len(questions))
	for i, q := range questions {
		for _, words := range q.ask {
			raw, err := p.redis.Receive()
			if err != nil {
				p.t.Fatalf("redis-server, asked %q: %v", clipWords(words), err)
			}
			out[i] = append(out[i], string(raw))
		}
	}
	<-sent
	return out
}

func (p *pair) compare(words []string, q question, answers []string, ours string) *failure {
	differs := func(format string, args ...any) *failure {
		return &failure{strings.ToLower(words[0]), fmt.Sprintf("%q\n", clipWords(words)) + fmt.Sprintf(format, args...)}
	}
	if q.holds != nil {
		parsed := make([]commandtest.Reply, len(answers))
		for i, raw := range answers {
			parsed[i], _ = commandtest.Parse([]byte(raw)) // it came through a parser
		}
		if err := q.holds(parsed); err != nil {
			return differs("%v", err)
		}
		return nil
	}
	theirs := answers[q.reply]
	if strings.HasPrefix(ours, "-INVALIDOBJ") && strings.HasPrefix(theirs, "-INVALIDOBJ") {
		return apart // Redis keeps what it has added before it met the spoilt register
	}
	if strings.HasPrefix(words[0], "sort") && strings.HasPrefix(theirs, "-ERR One or more scores") && ours[0] != '-' {
		return apart // Redis takes the errno that an earlier number out of range has left for its own
	}
	if words[0] == "sort" && unsorted(words) && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, "store") }) {
		return apart // of equals any order may be stored
	}
	if q.item {
		if rest, ok := strings.CutPrefix(theirs, "*1\r\n"); ok {
			theirs = rest
		} else {
			theirs = answers[q.reply-1] // refused before EXEC
		}
	}
	if name, r, o := p.difference(words, theirs, ours); name != "" {
		if p.known.Check(name, r, o) != nil {
			return differs("redis: %q\n ours: %q", clip(theirs), clip(ours))
		}
		if (theirs[0] == '-') != (ours[0] == '-') {
			return apart
		}
	}
	return nil
}

// difference compares two replies to words. name is empty if they are as good as equal;
// else it is the case under which known.tsv may list the difference.
func (p *pair) difference(words []string, theirs, ours string) (name, r, o string) {
	if theirs == ours {
		return "", "", ""
	}
	tv, _ := commandtest.Parse([]byte(theirs)) // both came through a parser
	ov, _ := commandtest.Parse([]byte(ours))
	command := strings.ToLower(words[0])
	if command == "object" && tv.Kind == '$' && ov.Kind == '$' && !tv.Null && !ov.Null {
		return "sequence encoding " + ov.Text + " for " + tv.Text, tv.Text, ov.Text
	}
	if tv.Kind == '-' && ov.Kind != '-' {
		return "sequence reply of " + command + " where redis has an error", "-" + tv.Text, "a reply"
	}
	if ov.Kind == '-' {
		if tv.Kind == '-' {
			theirs, ours = "-"+tv.Text, "-"+ov.Text
		}
		return "sequence error of " + command + ": " + ov.Text, strings.TrimSuffix(theirs, "\r\n"), strings.TrimSuffix(ours, "\r\n")
	}
	if strings.HasSuffix(command, "scan") && midway(tv, ov) || canon(words, tv) == canon(words, ov) || nearTimes(command, tv.Text, ov.Text) {
		return "", "", ""
	}
	short, changed := shorten(tv)
	if changed && canon(words, short) == canon(words, ov) {
		return "sequence doubles", "17 digits", "shortest"
	}
	if signOfZero(short, ov) {
		return "sequence stored zero", "-0", "0"
	}
	if lastDigit(tv, ov) {
		return "sequence last digit", "C library", "ours"
	}
	return "sequence reply of " + command, theirs, ours
}

// midway reports whether one of two replies of SCAN and its like is not the last step: how far
// a step goes is each server's own affair, and a set that is a listpack here, as of Redis
// 7.2, is told in one.
func midway(theirs, ours commandtest.Reply) bool {
	return len(theirs.Items) == 2 && len(ours.Items) == 2 && (theirs.Items[0].Text != "0" || ours.Items[0].Text != "0")
}

// nearTimes reports whether two replies are times that a relative expiry has set on two
// clocks.
func nearTimes(command, theirs, ours string) bool {
	const apartMillis = 10_000
	t, err1 := strconv.ParseInt(theirs, 10, 64)
	o, err2 := strconv.ParseInt(ours, 10, 64)
	if err1 != nil || err2 != nil || t < 0 || o < 0 {
		return false
	}
	switch command {
	case "pexpiretime", "pttl":
		return max(t-o, o-t) < apartMillis
	case "expiretime", "ttl":
		return max(t-o, o-t) < apartMillis/1000
	}
	return false
}

// compareState compares all that is left: types, encodings, times, contents.
func (p *pair) compareState(seq [][]string) *failure {
	for _, key := range generate.Keys {
		typ, err := commandtest.Parse([]byte(p.answer([]string{"type", key})))
		if err != nil {
			return &failure{"type", err.Error()}
		}
		requests := [][]string{{"type", key}, {"object", "encoding", key}, {"pexpiretime", key}, {"debug", "digest-value", key}}
		switch typ.Text {
		case "string":
			requests = append(requests, []string{"get", key})
		case "list":
			requests = append(requests, []string{"lrange", key, "0", "-1"})
		case "set":
			requests = append(requests, []string{"smembers", key})
		case "hash":
			requests = append(requests, []string{"hgetall", key})
		case "zset":
			requests = append(requests, []string{"zrange", key, "0", "-1", "withscores"})
		case "stream":
			requests = append(requests, []string{"xrange", key, "-", "+"}, []string{"xinfo", "stream", key, "full", "count", "0"})
		}
		questions, replies := make([]question, len(requests)), make([]string, len(requests))
		for i, words := range requests {
			questions[i], replies[i] = question{ask: [][]string{words}}, p.answer(words)
		}
		answers := p.askAll(questions)
		if typ.Text == "zset" && answers[4][0] != replies[4] {
			answers[3][0] = replies[3] // scores have another form in the digests of Redis 7.0
		}
		for i, a := range answers {
			if f := p.compare(requests[i], questions[i], a, replies[i]); f != nil {
				return &failure{"state of " + typ.Text + " " + f.kind, "in the end " + f.text}
			}
		}
		if typ.Text == "hash" && strings.Contains(replies[1], "listpack") {
			// The fields of a listpack have an order.
			if a := p.askAll(questions[4:])[0][0]; a != replies[4] {
				return &failure{"state of hash order", fmt.Sprintf("in the end order of %s\nredis: %q\n ours: %q", key, clip(a), clip(replies[4]))}
			}
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 1500 {
		return s[:700] + " ... " + s[len(s)-700:]
	}
	return s
}

func clipWords(words []string) []string {
	if len(words) > 40 {
		return append(append([]string{}, words[:20]...), fmt.Sprintf("... %d words", len(words)))
	}
	return words
}
