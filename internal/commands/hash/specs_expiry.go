package hash

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// expirySpecs returns the specs of the commands of Redis 7.4 and later that know the
// expiry of fields.
func expirySpecs() []command.Spec {
	return []command.Spec{
		{
			Name: "hexpire", Arity: -6, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hexpire,
			Group: "hash", Since: "7.4.0",
			Summary:    "Set the expiration of hash fields in seconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hexpireat", Arity: -6, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hexpireat,
			Group: "hash", Since: "7.4.0",
			Summary:    "Set the expiration of hash fields to a Unix timestamp in seconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hexpiretime", Arity: -5, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   hexpiretime,
			Group: "hash", Since: "7.4.0",
			Summary:    "Get the expiration of hash fields as a Unix timestamp in seconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hgetdel", Arity: -5, Flags: command.Write | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyDelete),
			Run:   hgetdel,
			Group: "hash", Since: "8.0.0",
			Summary:    "Get the values of hash fields and delete the fields",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hgetex", Arity: -5, Flags: command.Write | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyUpdate),
			Run:   hgetex,
			Group: "hash", Since: "8.0.0",
			Summary:    "Get the values of hash fields and set or remove their expiration",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hpersist", Arity: -5, Flags: command.Write | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hpersist,
			Group: "hash", Since: "7.4.0",
			Summary:    "Remove the expiration of hash fields",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hpexpire", Arity: -6, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hpexpire,
			Group: "hash", Since: "7.4.0",
			Summary:    "Set the expiration of hash fields in milliseconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hpexpireat", Arity: -6, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hpexpireat,
			Group: "hash", Since: "7.4.0",
			Summary:    "Set the expiration of hash fields to a Unix timestamp in milliseconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hpexpiretime", Arity: -5, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   hpexpiretime,
			Group: "hash", Since: "7.4.0",
			Summary:    "Get the expiration of hash fields as a Unix timestamp in milliseconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hpttl", Arity: -5, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   hpttl,
			Group: "hash", Since: "7.4.0",
			Summary:    "Get the time to live of hash fields in milliseconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "hsetex", Arity: -6, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   hsetex,
			Group: "hash", Since: "8.0.0",
			Summary:    "Set hash fields and their expiration",
			Complexity: "O(N) where N is the number of specified fields",
		},
		{
			Name: "httl", Arity: -5, Flags: command.ReadOnly | command.Fast, Cats: acl.Hash,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   httl,
			Group: "hash", Since: "7.4.0",
			Summary:    "Get the time to live of hash fields in seconds",
			Complexity: "O(N) where N is the number of specified fields",
		},
	}
}
