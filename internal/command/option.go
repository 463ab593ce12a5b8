package command

// Is reports whether the word arg, in any letter case, is the lower-case word. It
// allocates nothing.
func Is(arg []byte, word string) bool { return equalLower(word, arg) }
