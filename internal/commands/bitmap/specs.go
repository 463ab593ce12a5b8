package bitmap

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// Specs returns the specs of the bitmap commands.
func Specs() []command.Spec {
	read := command.Key(command.KeyRO | command.KeyAccess)
	return []command.Spec{
		{
			Name: "bitcount", Arity: -2, Flags: command.ReadOnly, Cats: acl.Bitmap,
			Keys:  read,
			Run:   bitcount,
			Group: "bitmap", Since: "2.6.0",
			Summary:    "Counts the number of set bits (population counting) in a string.",
			Complexity: "O(N)",
		},
		{
			Name: "bitfield", Arity: -2, Flags: command.Write | command.DenyOOM, Cats: acl.Bitmap,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyUpdate | command.VariableFlags, Begin: 1, Step: 1,
					Notes: "This command allows both access and modification of the key"},
			},
			KeyFlagsFor: fieldKeyFlags,
			Run:         bitfield,
			Group:       "bitmap", Since: "3.2.0",
			Summary:    "Performs arbitrary bitfield integer operations on strings.",
			Complexity: "O(1) for each subcommand specified",
		},
		{
			Name: "bitfield_ro", Arity: -2, Flags: command.ReadOnly | command.Fast, Cats: acl.Bitmap,
			Keys:  read,
			Run:   bitfieldRO,
			Group: "bitmap", Since: "6.0.0",
			Summary:    "Performs arbitrary read-only bitfield integer operations on strings.",
			Complexity: "O(1) for each subcommand specified",
		},
		{
			Name: "bitop", Arity: -4, Flags: command.Write | command.DenyOOM, Cats: acl.Bitmap,
			Keys: []command.KeySpec{
				{Flags: command.KeyOW | command.KeyUpdate, Begin: 2, Step: 1},
				{Flags: command.KeyRO | command.KeyAccess, Begin: 3, Last: -1, Step: 1},
			},
			Run:   bitop,
			Group: "bitmap", Since: "2.6.0",
			Summary:    "Performs bitwise operations on multiple strings, and stores the result.",
			Complexity: "O(N)",
		},
		{
			Name: "bitpos", Arity: -3, Flags: command.ReadOnly, Cats: acl.Bitmap,
			Keys:  read,
			Run:   bitpos,
			Group: "bitmap", Since: "2.8.7",
			Summary:    "Finds the first set (1) or clear (0) bit in a string.",
			Complexity: "O(N)",
		},
		{
			Name: "getbit", Arity: 3, Flags: command.ReadOnly | command.Fast, Cats: acl.Bitmap,
			Keys:  read,
			Run:   getbit,
			Group: "bitmap", Since: "2.2.0",
			Summary:    "Returns a bit value by offset.",
			Complexity: "O(1)",
		},
		{
			Name: "setbit", Arity: 4, Flags: command.Write | command.DenyOOM, Cats: acl.Bitmap,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyUpdate),
			Run:   setbit,
			Group: "bitmap", Since: "2.2.0",
			Summary:    "Sets or clears the bit at offset of the string value. Creates the key if it doesn't exist.",
			Complexity: "O(1)",
		},
	}
}
