package differ

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command/commandtest"
)

// canon writes a reply in a form in which what the protocol leaves open is settled: the
// order of members and fields, times that have gone by.
func canon(words []string, v commandtest.Reply) string {
	if v.Kind == '-' {
		return "-" + v.Text
	}
	name := strings.ToLower(words[0])
	switch name {
	case "smembers", "sinter", "sunion", "sdiff", "keys", "hkeys", "hvals":
		return set(v, 1)
	case "hgetall":
		return set(v, 2)
	case "scan", "sscan", "hscan", "zscan":
		if len(v.Items) == 2 {
			if at := min(len(name)-len("scan"), 1) + 1; at < len(words) && words[at] != "0" {
				return "from a cursor of another server"
			}
			if v.Items[0].Text != "0" {
				return "a part"
			}
			width := 1
			if name[0] == 'h' || name[0] == 'z' {
				width = 2
			}
			return v.Items[0].Text + " " + set(v.Items[1], width)
		}
	case "sort", "sort_ro":
		if unsorted(words) && len(v.Items) > 0 {
			return fmt.Sprintf("%c%d", v.Kind, len(v.Items)) // of a set, and of equals: any order
		}
	case "xpending":
		if len(words) > 3 {
			for _, row := range v.Items {
				row.Items[2].Text = "idle"
			}
		}
	case "xinfo":
		return plain(timeless(v))
	}
	return plain(v)
}

// canonOf is canon of the bytes of a reply.
func canonOf(words []string, raw string) string {
	v, err := commandtest.Parse([]byte(raw))
	if err != nil {
		return raw
	}
	return canon(words, v)
}

// unsorted reports whether a SORT leaves the order open: BY a name without an asterisk, or
// BY text, of which elements may have the same.
func unsorted(words []string) bool {
	is := func(word string) int {
		return slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
	}
	i := is("by")
	return i > 0 && i+1 < len(words) && (is("alpha") > 0 || !strings.Contains(words[i+1], "*"))
}

// set writes groups of width items in a sorted order.
func set(v commandtest.Reply, width int) string {
	items := make([]string, 0, len(v.Items)/width)
	for i := 0; i+width <= len(v.Items); i += width {
		one := ""
		for _, item := range v.Items[i : i+width] {
			one += plain(item) + " "
		}
		items = append(items, one)
	}
	slices.Sort(items)
	return fmt.Sprintf("%c%d[%s]", v.Kind, len(v.Items), strings.Join(items, ""))
}

func plain(v commandtest.Reply) string {
	if v.Null {
		return fmt.Sprintf("%cnull", v.Kind)
	}
	switch v.Kind {
	case '*', '~', '%', '>':
		items := make([]string, len(v.Items))
		for i, item := range v.Items {
			items[i] = plain(item)
		}
		return fmt.Sprintf("%c%d[%s]", v.Kind, len(v.Items), strings.Join(items, " "))
	}
	return fmt.Sprintf("%c%q", v.Kind, v.Text)
}

// timeless takes the times and what Redis 7.2 added out of a reply of XINFO.
func timeless(v commandtest.Reply) commandtest.Reply {
	isMap := v.Kind == '%' || len(v.Items)%2 == 0 && len(v.Items) > 0 && v.Items[0].Kind == '$'
	if !isMap {
		for i, item := range v.Items {
			v.Items[i] = timeless(item)
		}
		return v
	}
	var kept []commandtest.Reply
	for i := 0; i+1 < len(v.Items); i += 2 {
		switch value := v.Items[i+1]; v.Items[i].Text {
		case "idle", "inactive", "seen-time", "active-time", "radix-tree-nodes":
		case "pel", "pending":
			for _, row := range value.Items {
				if n := len(row.Items); n >= 3 {
					row.Items[n-2].Text = "time" // id, [consumer], delivery time, count
				}
			}
			kept = append(kept, v.Items[i], value)
		case "entries", "first-entry", "last-entry":
			kept = append(kept, v.Items[i], value) // fields of entries may have any name
		default:
			kept = append(kept, v.Items[i], timeless(value))
		}
	}
	v.Items = kept
	return v
}

// shorten writes the doubles of a reply as Redis 7.2 does; changed tells whether any
// was written in another way.
func shorten(v commandtest.Reply) (_ commandtest.Reply, changed bool) {
	if v.Kind == '$' || v.Kind == ',' {
		s := shortest(v.Text)
		changed = s != v.Text
		v.Text = s
		return v, changed
	}
	items := make([]commandtest.Reply, len(v.Items))
	for i, item := range v.Items {
		var c bool
		items[i], c = shorten(item)
		changed = changed || c
	}
	if v.Items != nil {
		v.Items = items
	}
	return v, changed
}

// lastDigit reports whether two replies differ in nothing but the last bit or two of
// doubles that are no integers: distances that were stored.
func lastDigit(a, b commandtest.Reply) bool {
	return alike(a, b, func(a, b string) bool {
		x, err := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		return err == nil && err2 == nil && min(len(a), len(b)) >= 15 && x != math.Trunc(x) && math.Abs(x-y) <= math.Abs(x)*4.5e-16
	})
}

// signOfZero reports whether two replies differ in nothing but zeros that have a sign in
// the first.
func signOfZero(theirs, ours commandtest.Reply) bool {
	return alike(theirs, ours, func(theirs, ours string) bool { return theirs == "-0" && ours == "0" })
}

// alike reports whether two replies are equal but for texts in their places that same takes
// for the same.
func alike(a, b commandtest.Reply, same func(a, b string) bool) bool {
	if len(a.Items) != len(b.Items) || a.Kind != b.Kind {
		return false
	}
	for i := range a.Items {
		if !alike(a.Items[i], b.Items[i], same) {
			return false
		}
	}
	return a.Text == b.Text || same(a.Text, b.Text)
}

// shortest returns a double that is written with 17 digits, as Redis 7.0 does, in the
// shortest form that reads back, as Redis 7.2 does (fpconv); other texts as they are.
func shortest(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || g17(f) != text || !strings.Contains(text, "e") && len(text) < 10 {
		return text
	}
	if f == math.Trunc(f) && math.Abs(f) <= 1<<62 { // d2string takes these for integers
		return strconv.FormatInt(int64(f), 10)
	}
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	e, _ := strconv.Atoi(exp)
	k := e - len(digits) + 1 // f = digits * 10^k
	abs := max(e, -e)
	switch {
	case k >= 0 && abs < len(digits)+7:
		return sign + digits + strings.Repeat("0", k)
	case k < 0 && (k > -7 || abs < 4):
		if point := len(digits) + k; point > 0 {
			return sign + digits[:point] + "." + digits[point:]
		} else {
			return sign + "0." + strings.Repeat("0", -point) + digits
		}
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return fmt.Sprintf("%s%se%+d", sign, digits, e)
}

// g17 is C's %.17g.
func g17(f float64) string {
	s := strconv.FormatFloat(f, 'g', 17, 64)
	mantissa, exp, sci := strings.Cut(s, "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if !sci {
		return mantissa
	}
	return mantissa + "e" + exp
}
