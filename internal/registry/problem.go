package registry

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with an object, and the way out.
type Problem struct {
	Kind string `json:"kind"` // of the object, as KindClient
	ID   string `json:"id"`   // of the object, as it stands there, valid or not

	// Path leads to the member: names of members and keys, and ids of list
	// entries (their index where they have none), joined with dots, as
	// "token.lifetime", "scopes.orders:read" or "secrets.s1.hash". It is empty
	// when the object as a whole is meant.
	Path string `json:"path,omitempty"`

	Message string `json:"message"`       // what is wrong, without any secret
	Fix     string `json:"fix,omitempty"` // what to write instead
}

// String is the problem on one line. What a file or a form brought is quoted
// where it could move a terminal's cursor.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q: ", strings.ReplaceAll(p.Kind, "_", " "), p.ID)
	if p.Path != "" {
		path := p.Path
		if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
			path = strconv.Quote(path)
		}
		b.WriteString(path + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Problems is everything that is wrong, as one error: whoever corrects a file
// or a form wants to hear it at once.
type Problems []Problem

// Error has one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Err is p, or nil when there is nothing wrong.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// problems collects what is wrong with one object.
type problems struct {
	kind, id string
	found    Problems
}

func (p *problems) add(path, message, fix string) {
	p.found = append(p.found, Problem{Kind: p.kind, ID: p.id, Path: path, Message: message, Fix: fix})
}

// at joins the elements of a path.
func at(elements ...string) string { return strings.Join(elements, ".") }
