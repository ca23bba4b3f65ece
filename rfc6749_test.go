package symbolon_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestRFC6749_5_2_CodesAreInTheCharacterSet: %x20-21 / %x23-5B / %x5D-7E, and
// each code has a status of its own table. The codes are read from the source,
// so that a new one cannot be forgotten here.
func TestRFC6749_5_2_CodesAreInTheCharacterSet(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)
	found := 0
	for _, value := range codesOf(t, file) {
		found++
		code := symbolon.Code(value)
		if !allowed.MatchString(value) || !allowed.MatchString(string(code.Wire())) {
			t.Errorf("%q leaves as %q", value, code.Wire())
		}
		if code != symbolon.ServerError && code.TokenStatus() == symbolon.ServerError.TokenStatus() {
			t.Errorf("%s has no status", code)
		}
	}
	if found < 19 {
		t.Errorf("only %d codes found: has their form changed?", found)
	}
}

// codesOf are the values of the constants of type Code.
func codesOf(t *testing.T, file *ast.File) (values []string) {
	t.Helper()
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		for _, e := range spec.Values {
			literal, ok := e.(*ast.BasicLit)
			if !ok {
				t.Fatalf("the code %s is not a constant text", spec.Names[0].Name)
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}
