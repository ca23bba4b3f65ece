package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Origins knows where the values of a struct came from, so that what is wrong
// with one of them can be told there: at its place in the file, or at the
// variable or flag that set it. The zero value, and nil, know of nothing.
type Origins struct {
	document *Document
	outside  map[string]string // what set a path: the name of a variable or flag
}

// Decode reads data, the text of the named file, into the struct that into
// points to, and remembers the file. Errors are of type *Error. See
// Document.Decode.
func (o *Origins) Decode(file string, data []byte, into any) error {
	d, err := Parse(file, data)
	if err != nil {
		return err
	}
	o.document = d
	return d.Decode(into)
}

// Override sets the members of the struct that into points to from environment
// variables, and remembers what each set. A member's variable is the prefix and
// its path in capitals: SYMBOLON_AUDIT_ON_FULL with the prefix "SYMBOLON_". A list
// is written with commas. A variable that is empty counts as not set, as those
// that compose files leave behind. Maps, and lists inside lists, have no variable.
func (o *Origins) Override(into any, prefix string, env func(string) (string, bool)) error {
	_, err := overrider{env, o.Set}.members(reflect.ValueOf(into).Elem(), prefix, "")
	return err
}

// Set notes that the value at path, and all below it, came from outside the
// file: from the flag or variable of that name.
func (o *Origins) Set(path, name string) {
	if o.outside == nil {
		o.outside = make(map[string]string)
	}
	o.outside[path] = name
}

// Place is err, told where the value came from to which path leads, as
// Document.Locate takes it. Where the file has only the beginning of the path
// that is the place; what came from nowhere, a default, has none and err stays
// as it is. The text of err begins with the member's name and ": ", which is left
// out behind the name of a variable or flag; it must not hold a secret.
func (o *Origins) Place(path string, err error) error {
	if o == nil || err == nil {
		return err
	}
	if setter, member := o.setter(path); setter != "" {
		return &placed{setter, strings.TrimPrefix(err.Error(), member+": "), err}
	}
	if o.document == nil || !o.document.begins(path) {
		return err
	}
	return o.inFile(path, err)
}

// Missing is Place for a value that has to be there and has no default. Where
// nothing of it is in the file, the top of the file is the place, unless it
// belongs to a member that the file leaves to variables or flags.
func (o *Origins) Missing(path string, err error) error {
	if o == nil || err == nil || o.document == nil || o.document.begins(path) {
		return o.Place(path, err)
	}
	top, _, _ := strings.Cut(path, ".")
	for member := range o.outside {
		if member == top || strings.HasPrefix(member, top+".") {
			return o.Place(path, err)
		}
	}
	return o.inFile(path, err)
}

// setter is what set the path, or a member that it is part of, from outside.
func (o *Origins) setter(path string) (name, member string) {
	for member = path; ; {
		if name, ok := o.outside[member]; ok {
			return name, member
		}
		dot := strings.LastIndexByte(member, '.')
		if dot < 0 {
			return "", ""
		}
		member = member[:dot]
	}
}

func (o *Origins) inFile(path string, err error) error {
	line, column := o.document.Locate(path)
	return &placed{fmt.Sprintf("%s:%d:%d", o.document.file, line, column), err.Error(), err}
}

// begins reports whether the file has at least the first element of the path.
func (d *Document) begins(path string) bool {
	_, _, _, found := step(d.root, path)
	return found
}

// placed is an error with the place of what it is about.
type placed struct {
	where, text string
	err         error
}

func (p *placed) Error() string { return p.where + ": " + p.text }
func (p *placed) Unwrap() error { return p.err }
