package config

import (
	"reflect"
	"slices"
	"strings"
)

// field is a member of a struct that a file can name.
type field struct {
	name  string
	index []int
	typ   reflect.Type
}

type fields []field

func structFields(t reflect.Type) fields {
	var all fields
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case tag == "-":
		case tag == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
			for _, inner := range structFields(f.Type) {
				inner.index = slices.Concat(f.Index, inner.index)
				all = append(all, inner)
			}
		case tag != "" && f.IsExported():
			all = append(all, field{tag, f.Index, f.Type})
		}
	}
	return all
}

func hasFields(t reflect.Type) bool { return t.Kind() == reflect.Struct && len(structFields(t)) > 0 }

func (fs fields) byName(name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// Later is the type of a member that a later version will have. A file that
// names it is refused: ignoring it would give less than was asked for.
type Later struct{}

var laterType = reflect.TypeFor[Later]()

// suggest is the way out for an unknown key: the nearest one that is known, or
// all of them.
func (fs fields) suggest(key string) string {
	best, distance := "", min(4, len(key)/3+2)
	var names []string
	for _, f := range fs {
		if f.typ == laterType {
			continue
		}
		names = append(names, f.name)
		if n := edits(plain(key), plain(f.name)); n < distance {
			best, distance = f.name, n
		}
	}
	switch {
	case best != "":
		return "write " + best
	case len(names) == 0:
		return "remove it"
	}
	return "the keys here are " + strings.Join(names, ", ")
}

// plain drops what people spell in different ways.
func plain(key string) string {
	if len(key) > 64 {
		key = key[:64]
	}
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))
}

// edits is how many octets have to be put in, dropped or changed to make b of
// a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
