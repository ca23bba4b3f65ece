package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSource(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	absolute := write("plain", "hunter2")
	write("line", "hunter2\n")
	write("windows", "hunter2\r\n")
	write("lines", "hunter2\n\n")
	write("empty", "")
	write("break", "\n")
	write("tab", "hunter\t2")
	write("nul", "hunter2\x00")
	write("binary", "hunter\xff")
	write("most", strings.Repeat("a", MaxValue)+"\n")
	write("more", strings.Repeat("a", MaxValue+1))
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"SET": "hunter2", "EMPTY": "", "LINES": "hunter2\nb"}[name]
		return v, ok
	}
	for _, tt := range []struct {
		name   string
		source Source
		want   string
		err    string
	}{
		{"environment", Source{Env: "SET"}, "hunter2", ""},
		{"file", Source{File: "plain"}, "hunter2", ""},
		{"absolute file", Source{File: absolute}, "hunter2", ""},
		{"line break", Source{File: "line"}, "hunter2", ""},
		{"Windows line break", Source{File: "windows"}, "hunter2", ""},
		{"as large as may be", Source{File: "most"}, strings.Repeat("a", MaxValue), ""},
		{"two line breaks", Source{File: "lines"}, "", "more than one line"},
		{"not set", Source{Env: "UNSET"}, "", "the environment variable UNSET is not set; set it"},
		{"set to nothing", Source{Env: "EMPTY"}, "", "EMPTY is empty"},
		{"lines in the environment", Source{Env: "LINES"}, "", "LINES holds more than one line"},
		{"empty file", Source{File: "empty"}, "", "is empty; write the value"},
		{"only a line break", Source{File: "break"}, "", "is empty"},
		{"tab", Source{File: "tab"}, "", "control characters"},
		{"NUL", Source{File: "nul"}, "", "control characters"},
		{"binary", Source{File: "binary"}, "", "not UTF-8"},
		{"too large", Source{File: "more"}, "", "more than 64 KiB"},
		{"no file", Source{File: "none"}, "", filepath.Join(dir, "none") + ": there is no such file"},
		{"folder", Source{File: "."}, "", "is a directory"},
		{"both", Source{Env: "SET", File: "plain"}, "", "want one of env and file"},
		{"neither", Source{}, "", "want one of env and file"},
	} {
		got, err := tt.source.Read(dir, env)
		if tt.err == "" && (err != nil || got != tt.want) {
			t.Errorf("%s: %d octets, %v", tt.name, len(got), err)
		}
		if tt.err != "" && (err == nil || got != "" || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
		// What is not there need not be wrong: see fs.ErrNotExist.
		absent := tt.name == "not set" || tt.name == "set to nothing" || tt.name == "no file"
		if errors.Is(err, fs.ErrNotExist) != absent {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestOverride(t *testing.T) {
	fromFile := file{Name: "from file", List: []string{"x"}, Inner: &inner{Key: "k"}, Count: 1}
	env := map[string]string{
		"APP_NAME": "007", "APP_DATA_DIR": "/d", "APP_COUNT": "5", "APP_ON": "true", "APP_IP": "::1",
		"APP_LISTEN": "127.0.0.1:80, [::1]:81", "APP_LIST": "a,5", "APP_INNER_WHEN": "2027-01-01", "APP_PLAIN_KEY": "null",
		"APP_SMALL": "", "APP_ENTRIES": "ignored", "APP_SOURCES": "ignored", "NAME": "not ours", "APP_UNTAGED": "no", "APP_SKIPPED": "no", "APP_INNER": "no",
	}
	want := fromFile
	want.Name, want.DataDir, want.Count, want.On, want.IP = "007", "/d", 5, true, netip.IPv6Loopback()
	want.Listen, want.List = []address{{Addr: "127.0.0.1:80"}, {Addr: "[::1]:81"}}, []string{"a", "5"}
	want.Inner, want.Plain = &inner{Key: "k", When: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}, inner{Key: "null"}
	got := fromFile
	asked := map[string]bool{}
	look := func(name string) (string, bool) {
		asked[name] = true
		v, ok := env[name]
		return v, ok
	}
	if err := new(Origins).Override(&got, "APP_", look); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{}, base{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if fromFile.Inner.When != (time.Time{}) {
		t.Error("what came before was changed")
	}
	for _, name := range []string{"APP_INNER", "APP_UNTAGED", "APP_SKIPPED", "APP_ENTRIES_ID"} {
		if asked[name] {
			t.Errorf("%s is no variable", name)
		}
	}
	var untouched file
	if err := new(Origins).Override(&untouched, "APP_", func(string) (string, bool) { return "", false }); err != nil || !reflect.DeepEqual(untouched, file{}) {
		t.Errorf("%+v, %v", untouched, err)
	}
}

func TestOverrideRefuses(t *testing.T) {
	for variable, tt := range map[string]struct{ value, want string }{
		"APP_COUNT":      {"many", "APP_COUNT: want a whole number, got text; write it in decimal digits"},
		"APP_ON":         {"yes", "APP_ON: want true or false, got text; write true or false, without quotes"},
		"APP_IP":         {"x", "APP_IP: ParseAddr"},
		"APP_INNER_WHEN": {"x", "APP_INNER_WHEN: want a date, got text; write"},
	} {
		got := file{Inner: &inner{Key: "k"}}
		err := new(Origins).Override(&got, "APP_", func(name string) (string, bool) { return tt.value, name == variable })
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v", variable, err)
		}
		if !reflect.DeepEqual(got, file{Inner: &inner{Key: "k"}}) {
			t.Errorf("%s: %+v was changed", variable, got)
		}
	}
}

// trickyText is what YAML would take for something else.
var trickyText = []string{
	"", " ", "a", "010", "1", "1.5", ".5", "1e3", "0x1f", "0b1", "1_000", "null", "~", "true", "True", "yes", "no", "on", "y", "2027-01-01", "2027-01-01T00:00:00Z",
	"<<", "- a", "#x", "a #b", "a: b", "a:", ":a", "[a]", "{a}", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", `"a"`, "'a'", `a\b`, " lead", "trail ", "a\nb", "a\n", "\n", "\t", "a\tb", "a\r\n",
	"é", "\u2028", "\u0085", "\ufeff", "\U0001F600", "…", "---", "...", "? a", "=", ".inf", ".nan", "12:30:45", strings.Repeat("long words ", 40),
}

func TestMarshalIsReadBack(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, text string) {
		doc, err := Marshal(Map{
			{"name", text}, {"list", []string{text, "b"}}, {"on", true},
			{"inner", Inline{Map{{"key", text}, {"when", Plain("2027-01-01")}}}},
			{"entries", []Map{{{"id", "a"}, {"tags", Map{{text, text}}}, {"raw", json.RawMessage(`{"a":[1,-2.5e3,null,true,"x"],"b":{}}`)}}, {{"names", text}}}},
		})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want := file{
			Name: text, List: []string{text, "b"}, On: true, Inner: &inner{Key: text, When: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
			Entries: []entry{{base: base{ID: "a"}, Tags: map[string]string{text: text}, Raw: json.RawMessage(`{"a":[1,-2.5e3,null,true,"x"],"b":{}}`)}, {Names: names{text}}},
		}
		var got file
		if err := new(Origins).Decode("f.yaml", doc, &got); err != nil {
			t.Fatalf("%q: %v\n%s", text, err, doc)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %s\n%s", text, cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)), doc)
		}
	}
	for _, text := range trickyText {
		check(t, text)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "text")) })
}

func TestMarshalRefuses(t *testing.T) {
	for _, value := range []any{5, nil, json.RawMessage(`{`), json.RawMessage(``), json.RawMessage(`[1e999]`), []any{"a"}} {
		if b, err := Marshal(Map{{"a", value}}); err == nil {
			t.Errorf("%v: %s", value, b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range trickyText {
		f.Add([]byte("name: " + s + "\nlist: [" + s + "]\n"))
	}
	f.Add([]byte("entries:\n  - {id: a, raw: {a: [1, *b]}}\n? x\n: y\n--- \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got file
		d, err := Parse("f.yaml", text)
		if err == nil {
			err = d.Decode(&got)
			d.Locate(string(text))
		}
		if err == nil {
			return
		}
		e, ok := err.(*Error)
		if !ok || strings.ContainsAny(e.Error(), "\n\r") || e.Line > 1+strings.Count(strings.Map(asBreak, string(text)), "\n") {
			t.Fatalf("%#v", err)
		}
	})
}

// asBreak makes a line break of what YAML takes for one.
func asBreak(r rune) rune {
	if strings.ContainsRune("\r\u0085\u2028\u2029", r) {
		return '\n'
	}
	return r
}
