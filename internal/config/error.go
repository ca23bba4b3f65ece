// Package config reads YAML strictly: an unknown key, a key given twice, a
// value of the wrong type or a second document is an error that names file,
// line and column and tells what to write instead. It reads values that stand
// elsewhere, in the environment or in a file, lets environment variables
// override the members of a struct, and writes YAML that it reads back.
//
// It is the one importer of the YAML library and knows no domain type.
package config

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
)

// Error is what is wrong with a file, and where. Its text is one line,
// "state.yaml:12:5: clients.billing.state: want text, got a list; put it in
// quotes", and never holds a value of the file, which might be a secret.
type Error struct {
	File    string // the name under which the file was opened, or of an environment variable
	Line    int    // from 1; 0: the file as a whole
	Column  int    // from 1
	Message string
	Fix     string // what to do about it; may be empty

	absent bool // the file is not there
}

// Is reports whether the error is that the file is not there (fs.ErrNotExist).
func (e *Error) Is(target error) bool { return e.absent && target == fs.ErrNotExist }

// Error is the one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": " + e.Message)
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// name shows a path or a name from outside: short, and quoted where it could
// move a terminal's cursor.
func name(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return quoted(text)
	}
	return clip(text)
}

// quoted shows a key of a file.
func quoted(text string) string { return strconv.Quote(clip(text)) }

func clip(text string) string {
	if len(text) > 80 {
		return strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}
