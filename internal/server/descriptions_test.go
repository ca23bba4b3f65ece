package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestRFC6749_5_2_Descriptions: each description of an error in the program's
// source is one constant sentence in the character set of error_description, so
// it cannot repeat a value of a request, nor break out of its place.
func TestRFC6749_5_2_Descriptions(t *testing.T) {
	found := 0
	for _, dir := range []string{"../..", ".", "../web", "../registry", "../node", "../adminapi"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if e := description(n); e != nil {
					found++
					checkDescription(t, name, e)
				}
				return true
			})
		}
	}
	if found < 20 {
		t.Errorf("only %d descriptions found: has their form changed?", found)
	}
}

// description is the expression of a description: the second argument of
// NewError, or the member of an Error.
func description(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.SelectorExpr:
			name = f.Sel.Name
		case *ast.Ident:
			name = f.Name
		}
		if name == "NewError" && len(n.Args) == 2 {
			return n.Args[1]
		}
	case *ast.CompositeLit:
		selector, ok := n.Type.(*ast.SelectorExpr)
		if !ok || selector.Sel.Name != "Error" {
			return nil
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Description" {
					return kv.Value
				}
			}
		}
	}
	return nil
}

func checkDescription(t *testing.T, name string, e ast.Expr) {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		t.Errorf("%s: a description is not one constant", name)
		return
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil || len(text) < 10 {
		t.Errorf("%s: %s", name, literal.Value)
	}
	for _, c := range []byte(text) {
		// RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			t.Errorf("%s: %q has %q", name, text, c)
		}
	}
}
