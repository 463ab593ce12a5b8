package admin

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// lookup finds "name" or "container|sub", in any letter case.
func (d *Deps) lookup(name []byte) *command.Spec {
	name, sub, isSub := bytes.Cut(name, []byte{'|'})
	s := d.Table().Lookup(name)
	if s != nil && isSub {
		s = s.Sub(sub)
	}
	return s
}

// commandAll is COMMAND without a subcommand.
func (d *Deps) commandAll(c *command.Ctx) error {
	all := d.Table().All()
	c.Out.Array(len(all))
	for _, s := range all {
		writeSpec(c.Out, s)
	}
	return nil
}

func (d *Deps) commandCount(c *command.Ctx) error {
	c.Out.Int(int64(len(d.Table().All())))
	return nil
}

func (d *Deps) commandInfo(c *command.Ctx) error {
	if len(c.Args) == 2 {
		return d.commandAll(c)
	}
	c.Out.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if s := d.lookup(name); s != nil {
			writeSpec(c.Out, s)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

// writeSpec writes the ten elements that COMMAND tells of a command (Redis 7.2,
// server.c, addReplyCommandInfo).
func writeSpec(w *resp.Writer, s *command.Spec) {
	first, last, step := s.LegacyRange()
	w.Array(10)
	w.BulkString(s.FullName())
	w.Int(int64(s.Arity))
	writeStatuses(w, s.Flags.Names(), "")
	w.Int(int64(first))
	w.Int(int64(last))
	w.Int(int64(step))
	writeStatuses(w, s.Cats.Names(), "@")
	w.Set(len(s.Tips))
	for _, tip := range s.Tips {
		w.BulkString(tip)
	}
	w.Set(len(s.Keys))
	for i := range s.Keys {
		writeKeySpec(w, &s.Keys[i])
	}
	subs := s.SubSpecs()
	w.Set(len(subs))
	for _, sub := range subs {
		writeSpec(w, sub)
	}
}

func writeStatuses(w *resp.Writer, words []string, prefix string) {
	w.Set(len(words))
	for _, word := range words {
		w.Simple(prefix + word)
	}
}

func writeKeySpec(w *resp.Writer, k *command.KeySpec) {
	parts := 3
	if k.Notes != "" {
		parts++
	}
	w.Map(parts)
	if k.Notes != "" {
		w.BulkString("notes")
		w.BulkString(k.Notes)
	}
	w.BulkString("flags")
	writeStatuses(w, k.Flags.Names(), "")
	w.BulkString("begin_search")
	switch {
	case k.Unknown:
		writeRule(w, "unknown")
	case k.Keyword != "":
		writeRule(w, "keyword", "keyword", k.Keyword, "startfrom", k.Begin)
	default:
		writeRule(w, "index", "index", k.Begin)
	}
	w.BulkString("find_keys")
	switch {
	case k.Unknown:
		writeRule(w, "unknown")
	case k.UseCount:
		writeRule(w, "keynum", "keynumidx", k.CountAt, "firstkey", k.FirstAt, "keystep", k.Step)
	default:
		writeRule(w, "range", "lastkey", k.Last, "keystep", k.Step, "limit", k.Limit)
	}
}

// writeRule writes {type: kind, spec: {pairs}}; the values are strings or ints.
func writeRule(w *resp.Writer, kind string, pairs ...any) {
	w.Map(2)
	w.BulkString("type")
	w.BulkString(kind)
	w.BulkString("spec")
	w.Map(len(pairs) / 2)
	for _, p := range pairs {
		switch p := p.(type) {
		case string:
			w.BulkString(p)
		case int:
			w.Int(int64(p))
		}
	}
}

func (d *Deps) commandDocs(c *command.Ctx) error {
	var found []*command.Spec
	if len(c.Args) == 2 {
		found = d.Table().All()
	}
	for _, name := range c.Args[2:] {
		if s := d.lookup(name); s != nil {
			found = append(found, s)
		}
	}
	c.Out.Map(len(found))
	for _, s := range found {
		c.Out.BulkString(s.FullName())
		writeDocs(c.Out, s)
	}
	return nil
}

// writeDocs writes what the table knows for people; arguments are not described.
func writeDocs(w *resp.Writer, s *command.Spec) {
	texts := []struct{ name, text string }{
		{"summary", s.Summary}, {"since", s.Since}, {"group", s.Group}, {"complexity", s.Complexity},
	}
	n := 0
	for _, t := range texts {
		n += asBit(t.text != "")
	}
	subs := s.SubSpecs()
	w.Map(n + asBit(len(subs) > 0))
	for _, t := range texts {
		if t.text != "" {
			w.BulkString(t.name)
			w.BulkString(t.text)
		}
	}
	if len(subs) > 0 {
		w.BulkString("subcommands")
		w.Map(len(subs))
		for _, sub := range subs {
			w.BulkString(sub.FullName())
			writeDocs(w, sub)
		}
	}
}
