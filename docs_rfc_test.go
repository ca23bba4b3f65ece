package symbolon_test

import (
	"strings"
	"testing"
	"testing/fstest"
)

// planted is a module with one package, one test of two cases, and a nested one.
var planted = fstest.MapFS{
	"server/basic.go":               {Data: []byte("package server\n")},
	"server/basic_test.go":          {Data: []byte("package server\n\nfunc TestBasic(t *testing.T) {\n\tfor range []string{\"a case\", \"an \\\"other\\\"\"} {\n\t}\n}\n")},
	"web/web.go":                    {Data: []byte("package web\n")},
	"web/web_test.go":               {Data: []byte("package web\n\nfunc FuzzWeb(f *testing.F) {}\n\n// func TestInAComment(t *testing.T) {}\n")},
	"web/testdata/x_test.go":        {Data: []byte("package x\n\nfunc TestInTestdata(t *testing.T) {}\n")},
	"tests/interop/interop_test.go": {Data: []byte("package interop\n\nfunc TestInterop(t *testing.T) {}\n")},
}

const plantedRows = "# Clauses\n\n## RFC 6749: OAuth\n\n| clause | word | demand | shown by |\n|---|---|---|---|\n" +
	"| §2.3 | MUST NOT | one way at a time | `server/basic.go`: `TestBasic/a case`, `TestBasic`; the rest is the client's |\n" +
	"| §2.3 | SHOULD, MUST | two files | `server/basic.go`, `web/web.go`: `TestBasic`, `FuzzWeb` |\n" +
	"| §3.2.1 | REQUIRED | a nested module | `tests/interop/interop_test.go`: `TestInterop` |\n" +
	"| §5 | NOT RECOMMENDED | not here | reason: there is no such thing in this product (`TestInterop`) |\n" +
	"| §5.1 | MUST | otherwise | reason: divergence: it is done in another way |\n" +
	"\n## Divergences\n\n- RFC 6749 §5.1: it is done in another way, because.\n"

var plantedCounts = map[string]string{"RFC 6749": "2.3:2 3.2.1:1 5:1 5.1:1"}

// TestRFCTableSeesBadRows shows that each rule of the table can fail.
func TestRFCTableSeesBadRows(t *testing.T) {
	s, err := readSources(planted)
	if err != nil {
		t.Fatal(err)
	}
	if problems := checkTable(plantedRows, s, plantedCounts); len(problems) != 0 {
		t.Fatalf("the good table: %q", problems)
	}
	row := func(with string) func(string) string {
		return func(text string) string {
			return strings.Replace(text, "`server/basic.go`, `web/web.go`: `TestBasic`, `FuzzWeb`", with, 1)
		}
	}
	cut := func(old, with string) func(string) string {
		return func(text string) string { return strings.Replace(text, old, with, 1) }
	}
	for name, c := range map[string]struct {
		change func(string) string
		says   string
	}{
		"a test that is not there":         {row("`server/basic.go`: `TestAdvanced`"), "no TestAdvanced"},
		"a test of another directory":      {row("`server/basic.go`: `FuzzWeb`"), "no FuzzWeb"},
		"a test in a comment":              {row("`web/web.go`: `TestInAComment`"), "no TestInAComment"},
		"a test in testdata":               {row("`web/web.go`: `TestInTestdata`"), "no TestInTestdata"},
		"a case that is not there":         {row("`server/basic.go`: `TestBasic/a cas`"), `no case "a cas"`},
		"the second test is missing":       {row("`server/basic.go`: `TestBasic`, `TestAdvanced`"), "no TestAdvanced"},
		"no test but a function":           {row("`server/basic.go`: `parseBasic`"), "not the name of a test"},
		"a file that is not there":         {row("`server/advanced.go`: `TestBasic`"), "no source file server/advanced.go"},
		"the second file is missing":       {row("`server/basic.go`, `server/x.go`: `TestBasic`"), "no source file server/x.go"},
		"a directory":                      {row("`server`, `server/basic.go`: `TestBasic`"), "no source file server"},
		"a path that leaves the module":    {row("`../x/y.go`, `server/basic.go`: `TestBasic`"), "no source file ../x/y.go"},
		"a test without a file":            {row("`TestBasic`"), "neither a test nor a reason"},
		"a file without a test":            {row("`server/basic.go`"), "neither a test nor a reason"},
		"words only":                       {row("shown elsewhere"), "neither a test nor a reason"},
		"an empty reason":                  {row("reason: no"), "neither a test nor a reason"},
		"a test in a reason":               {row("reason: it is refused, as `TestAdvanced` shows"), "no TestAdvanced"},
		"an unexplained divergence":        {row("reason: divergence: for reasons of our own"), "does not name RFC 6749 §2.3"},
		"a divergence of a longer section": {cut("- RFC 6749 §5.1:", "- RFC 6749 §5.1.2:"), "does not name RFC 6749 §5.1"},
		"a divergence of another text":     {cut("- RFC 6749 §5.1:", "- RFC 6749 §5, RFC 6750 §5.1:"), "does not name RFC 6749 §5.1"},
		"a divergence in another section":  {cut("\n- RFC 6749 §5.1:", "\n## More\n\n- RFC 6749 §5.1:"), "does not name RFC 6749 §5.1"},
		"a row with a column too few":      {cut("| §5 | NOT RECOMMENDED |", "| §5 |"), "not a row"},
		"a word that is no key word":       {cut("| MUST NOT |", "| MAY |"), "not a row"},
		"a row too few":                    {cut("| §3.2.1 | REQUIRED |", "| 3.2.1 | REQUIRED |"), "§3.2.1 has 1 normative sentences and 0 rows"},
		"a row too many":                   {cut("| §5.1 |", "| §5 | MUST | again | reason: there is no such thing |\n| §5.1 |"), "§5 has 1 normative sentences and 2 rows"},
		"a section without a sentence":     {cut("| §5.1 |", "| §9 | MUST | more | reason: there is no such thing |\n| §5.1 |"), "§9 has no normative sentences and 1 rows"},
		"a row of another text":            {cut("\n## Divergences", "\n## Others\n\n| §5 | MUST | x | reason: there is no such thing |\n\n## Divergences"), " §5 has no normative sentences"},
	} {
		problems := checkTable(c.change(plantedRows), s, plantedCounts)
		if !strings.Contains(strings.Join(problems, "\n"), c.says) {
			t.Errorf("%s: %q, want %q", name, problems, c.says)
		}
	}
}
