package state

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/config"
)

const manual = "../../docs/declarative-file.md"

// TestEveryMemberIsInTheManual: each member of the file has a row in the table of its
// part, the example at the top of the page has it too, and no row is of a member that
// does not exist. What this version does not have is said to be so.
func TestEveryMemberIsInTheManual(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	members, parts, later := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	membersOf(reflect.TypeFor[file](), "", func(path string, typ reflect.Type) {
		switch {
		case typ == reflect.TypeFor[config.Later]():
			later[path] = true
		case hasMembers(typ):
			parts[path] = true
		default:
			members[path] = true
		}
	})
	if len(members) < 70 || len(later) == 0 {
		t.Fatalf("%d members, %d of a later version: the file has more", len(members), len(later))
	}
	rows := rowsOf(string(text))
	_, rest, _ := strings.Cut(string(text), "\n```yaml\n")
	example, _, _ := strings.Cut(rest, "\n```\n")
	for _, path := range slices.Sorted(maps.Keys(members)) {
		if !rows[path] {
			t.Errorf("%s has no row", path)
		}
		name := path[strings.LastIndexByte(path, '.')+1:]
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(example) {
			t.Errorf("the example has no %s", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(rows)) {
		if !members[path] && !parts[path] {
			t.Errorf("there is a row for %s, which does not exist", path)
		}
	}
	for path := range later {
		if !strings.Contains(string(text), "`"+path+"` is a key of a later version") {
			t.Errorf("the page does not say that %s is of a later version", path)
		}
	}
}

// membersOf tells all members below a type by their paths in the file, without the
// places in lists and mappings.
func membersOf(typ reflect.Type, prefix string, tell func(path string, typ reflect.Type)) {
	for f := range typ.Fields() {
		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		inner := element(f.Type)
		tell(prefix+key, inner)
		if hasMembers(inner) {
			membersOf(inner, prefix+key+".", tell)
		}
	}
}

func element(typ reflect.Type) reflect.Type {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, typ.Kind()) {
		typ = typ.Elem()
	}
	return typ
}

func hasMembers(typ reflect.Type) bool {
	if typ.Kind() != reflect.Struct {
		return false
	}
	found := false
	for f := range typ.Fields() {
		found = found || f.Tag.Get("yaml") != ""
	}
	return found
}

var (
	partHeading = regexp.MustCompile("^#+ `([a-z_.]+)`$")
	inCode      = regexp.MustCompile("`([^`]+)`")
)

// rowsOf are the members that have a row: in the tables whose first column is called
// so, below a heading with the name of the part, or of none.
func rowsOf(page string) map[string]bool {
	rows, part, table := make(map[string]bool), "", false
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		switch {
		case strings.HasPrefix(line, "#"):
			part = ""
			if m := partHeading.FindStringSubmatch(line); m != nil {
				part = m[1] + "."
			}
		case !strings.HasPrefix(line, "|"):
			table = false
		case first == "member":
			table = true
		case table:
			for _, m := range inCode.FindAllStringSubmatch(first, -1) {
				rows[part+m[1]] = true
			}
		}
	}
	return rows
}
