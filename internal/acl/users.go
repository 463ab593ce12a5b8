package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"
)

// DefaultUser is the user that a connection is before it authenticates.
const DefaultUser = "default"

// Users are those who may connect. There is one yet, the default one, who may do
// all; requirepass is its password. The zero value lets everybody in.
type Users struct {
	// password is the SHA-256 of the default user's password; nil: it needs none.
	password atomic.Pointer[[sha256.Size]byte]
}

// SetDefaultPassword sets the password of the default user; "" takes it away.
func (u *Users) SetDefaultPassword(password string) {
	if password == "" {
		u.password.Store(nil)
		return
	}
	sum := sha256.Sum256([]byte(password))
	u.password.Store(&sum)
}

// NeedsPassword reports whether new connections must authenticate.
func (u *Users) NeedsPassword() bool { return u.password.Load() != nil }

// Authenticate reports whether user has this password. A user without a password
// is let in with any. The time it takes tells nothing about the password.
func (u *Users) Authenticate(user, password []byte) bool {
	want := u.password.Load()
	known := string(user) == DefaultUser
	if want == nil {
		return known
	}
	sum := sha256.Sum256(password)
	return subtle.ConstantTimeCompare(sum[:], want[:]) == 1 && known
}
