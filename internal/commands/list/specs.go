package list

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// Specs returns the specs of the list commands.
func Specs() []command.Spec { return append(blockingSpecs(), plainSpecs()...) }

// plainSpecs returns the specs of the commands that never wait.
func plainSpecs() []command.Spec {
	return []command.Spec{
		{
			Name: "lindex", Arity: 3, Flags: command.ReadOnly, Cats: acl.List,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   lindex,
			Group: "list", Since: "1.0.0",
			Summary:    "Returns an element from a list by its index.",
			Complexity: "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
		},
		{
			Name: "linsert", Arity: 5, Flags: command.Write | command.DenyOOM, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   linsert,
			Group: "list", Since: "2.2.0",
			Summary:    "Inserts an element before or after another element in a list.",
			Complexity: "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
		},
		{
			Name: "llen", Arity: 2, Flags: command.ReadOnly | command.Fast, Cats: acl.List,
			Keys:  command.Key(command.KeyRO),
			Run:   llen,
			Group: "list", Since: "1.0.0",
			Summary:    "Returns the length of a list.",
			Complexity: "O(1)",
		},
		{
			Name: "lmove", Arity: 5, Flags: command.Write | command.DenyOOM, Cats: acl.List,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, Step: 1},
				{Flags: command.KeyRW | command.KeyInsert, Begin: 2, Step: 1},
			},
			Run:   lmove,
			Group: "list", Since: "6.2.0",
			Summary:    "Returns an element after popping it from one list and pushing it to another. Deletes the list if the last element was moved.",
			Complexity: "O(1)",
		},
		{
			Name: "lmpop", Arity: -4, Flags: command.Write, Cats: acl.List,
			Keys:  []command.KeySpec{{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, UseCount: true, FirstAt: 1, Step: 1}},
			Run:   lmpop,
			Group: "list", Since: "7.0.0",
			Summary:    "Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.",
			Complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
		},
		{
			Name: "lpop", Arity: -2, Flags: command.Write | command.Fast, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyDelete),
			Run:   lpop,
			Group: "list", Since: "1.0.0",
			Summary:    "Returns the first elements in a list after removing it. Deletes the list if the last element was popped.",
			Complexity: "O(N) where N is the number of elements returned",
		},
		{
			Name: "lpos", Arity: -3, Flags: command.ReadOnly, Cats: acl.List,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   lpos,
			Group: "list", Since: "6.0.6",
			Summary:    "Returns the index of matching elements in a list.",
			Complexity: "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
		},
		{
			Name: "lpush", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   lpush,
			Group: "list", Since: "1.0.0",
			Summary:    "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
			Complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
		},
		{
			Name: "lpushx", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   lpushx,
			Group: "list", Since: "2.2.0",
			Summary:    "Prepends one or more elements to a list only when the list exists.",
			Complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
		},
		{
			Name: "lrange", Arity: 4, Flags: command.ReadOnly, Cats: acl.List,
			Keys:  command.Key(command.KeyRO | command.KeyAccess),
			Run:   lrange,
			Group: "list", Since: "1.0.0",
			Summary:    "Returns a range of elements from a list.",
			Complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
		},
		{
			Name: "lrem", Arity: 4, Flags: command.Write, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Run:   lrem,
			Group: "list", Since: "1.0.0",
			Summary:    "Removes elements from a list. Deletes the list if the last element was removed.",
			Complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
		},
		{
			Name: "lset", Arity: 4, Flags: command.Write | command.DenyOOM, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   lset,
			Group: "list", Since: "1.0.0",
			Summary:    "Sets the value of an element in a list by its index.",
			Complexity: "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
		},
		{
			Name: "ltrim", Arity: 4, Flags: command.Write, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyDelete),
			Run:   ltrim,
			Group: "list", Since: "1.0.0",
			Summary:    "Removes elements from both ends a list. Deletes the list if all elements were trimmed.",
			Complexity: "O(N) where N is the number of elements to be removed by the operation.",
		},
		{
			Name: "rpop", Arity: -2, Flags: command.Write | command.Fast, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyAccess | command.KeyDelete),
			Run:   rpop,
			Group: "list", Since: "1.0.0",
			Summary:    "Returns and removes the last elements of a list. Deletes the list if the last element was popped.",
			Complexity: "O(N) where N is the number of elements returned",
		},
		{
			Name: "rpoplpush", Arity: 3, Flags: command.Write | command.DenyOOM, Cats: acl.List,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, Step: 1},
				{Flags: command.KeyRW | command.KeyInsert, Begin: 2, Step: 1},
			},
			Run:   rpoplpush,
			Group: "list", Since: "1.2.0",
			Summary:    "Returns the last element of a list after removing and pushing it to another list. Deletes the list if the last element was popped.",
			Complexity: "O(1)",
		},
		{
			Name: "rpush", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   rpush,
			Group: "list", Since: "1.0.0",
			Summary:    "Appends one or more elements to a list. Creates the key if it doesn't exist.",
			Complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
		},
		{
			Name: "rpushx", Arity: -3, Flags: command.Write | command.DenyOOM | command.Fast, Cats: acl.List,
			Keys:  command.Key(command.KeyRW | command.KeyInsert),
			Run:   rpushx,
			Group: "list", Since: "2.2.0",
			Summary:    "Appends an element to a list only when the list exists.",
			Complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
		},
	}
}
