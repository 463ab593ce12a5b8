package list

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

// blockingSpecs returns the specs of the commands that wait for elements.
func blockingSpecs() []command.Spec {
	return []command.Spec{
		{
			Name: "blmove", Arity: 6, Flags: command.Write | command.DenyOOM | command.Blocking, Cats: acl.List,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, Step: 1},
				{Flags: command.KeyRW | command.KeyInsert, Begin: 2, Step: 1},
			},
			Run:   blmove,
			Group: "list", Since: "6.2.0",
			Summary:    "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is available otherwise. Deletes the list if the last element was moved.",
			Complexity: "O(1)",
		},
		{
			Name: "blmpop", Arity: -5, Flags: command.Write | command.Blocking, Cats: acl.List,
			Keys:  []command.KeySpec{{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 2, UseCount: true, FirstAt: 1, Step: 1}},
			Run:   blmpop,
			Group: "list", Since: "7.0.0",
			Summary:    "Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
			Complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
		},
		{
			Name: "blpop", Arity: -3, Flags: command.Write | command.Blocking, Cats: acl.List,
			Keys:  []command.KeySpec{{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, Last: -2, Step: 1}},
			Run:   blpop,
			Group: "list", Since: "2.0.0",
			Summary:    "Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
			Complexity: "O(N) where N is the number of provided keys.",
		},
		{
			Name: "brpop", Arity: -3, Flags: command.Write | command.Blocking, Cats: acl.List,
			Keys:  []command.KeySpec{{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, Last: -2, Step: 1}},
			Run:   brpop,
			Group: "list", Since: "2.0.0",
			Summary:    "Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
			Complexity: "O(N) where N is the number of provided keys.",
		},
		{
			Name: "brpoplpush", Arity: 4, Flags: command.Write | command.DenyOOM | command.Blocking, Cats: acl.List,
			Keys: []command.KeySpec{
				{Flags: command.KeyRW | command.KeyAccess | command.KeyDelete, Begin: 1, Step: 1},
				{Flags: command.KeyRW | command.KeyInsert, Begin: 2, Step: 1},
			},
			Run:   brpoplpush,
			Group: "list", Since: "2.2.0",
			Summary:    "Pops an element from a list, pushes it to another list and returns it. Block until an element is available otherwise. Deletes the list if the last element was popped.",
			Complexity: "O(1)",
		},
	}
}
