package store

import (
	"strconv"
	"strings"
)

// where builds a condition with numbered parameters. Texts are constants of
// this package; values always travel as arguments.
type where struct {
	terms []string
	args  []any
}

// bind adds an argument and returns its placeholder.
func (w *where) bind(value any) string {
	w.args = append(w.args, value)
	return "$" + strconv.Itoa(len(w.args))
}

// add adds a term that ends with the value.
func (w *where) add(term string, value any) { w.terms = append(w.terms, term+w.bind(value)) }

// equal adds a term unless the value is empty.
func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" = ", value)
	}
}

func (w *where) text() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// limited is a page's size: def when not given, at most most.
func limited(n, def, most int) int {
	if n <= 0 {
		return def
	}
	return min(n, most)
}
