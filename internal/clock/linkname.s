// This file is empty: it lets the compiler accept the body-less nanotime.
