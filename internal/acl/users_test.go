package acl

import "testing"

func TestDefaultUser(t *testing.T) {
	var u Users
	auth := func(user, password string) bool { return u.Authenticate([]byte(user), []byte(password)) }
	if u.NeedsPassword() || !auth("default", "") || !auth("default", "any") || auth("other", "any") {
		t.Error("without a password: the default user alone, with whatever it says")
	}
	u.SetDefaultPassword("secret")
	if !u.NeedsPassword() || !auth("default", "secret") {
		t.Error("the password is not taken")
	}
	for _, wrong := range []string{"", "secre", "secret ", "Secret", "secret\x00"} {
		if auth("default", wrong) {
			t.Errorf("let in with %q", wrong)
		}
	}
	if auth("other", "secret") || auth("", "secret") || auth("Default", "secret") {
		t.Error("let in under another name")
	}
	u.SetDefaultPassword("")
	if u.NeedsPassword() || !auth("default", "") {
		t.Error("the password did not go away")
	}
}

func TestCategoryNames(t *testing.T) {
	for c := Category(1); c <= Scripting; c <<= 1 {
		names := c.Names()
		if len(names) != 1 {
			t.Fatalf("%#x has names %q", uint32(c), names)
		}
		if back, ok := ParseCategory(names[0]); !ok || back != c {
			t.Errorf("%s: %#x became %#x", names[0], uint32(c), uint32(back))
		}
	}
	if _, ok := ParseCategory("nothing"); ok {
		t.Error("an unknown category was found")
	}
}
