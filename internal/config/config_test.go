package config

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// address has a short and a long form.
type address struct {
	Addr string `yaml:"addr"`
	Port int    `yaml:"port"`
}

func (a *address) UnmarshalText(text []byte) error {
	a.Addr = string(text)
	return nil
}

// names reads itself: a string or a list.
type names []string

func (n *names) UnmarshalConfig(v *Value) error {
	if v.IsText() {
		*n = names{""}
		return v.Decode(&(*n)[0])
	}
	return v.Decode((*[]string)(n))
}

type base struct {
	ID string `yaml:"id"`
}

type entry struct {
	base
	Names names             `yaml:"names"`
	Tags  map[string]string `yaml:"tags"`
	Later Later             `yaml:"later"`
	Raw   json.RawMessage   `yaml:"raw"`
	Until time.Time         `yaml:"until"`
	On    bool              `yaml:"on"`
}

type file struct {
	Name    string         `yaml:"name"`
	DataDir string         `yaml:"data_dir"`
	Count   int            `yaml:"count"`
	Small   int8           `yaml:"small"`
	On      bool           `yaml:"on"`
	IP      netip.Addr     `yaml:"ip"`
	Listen  []address      `yaml:"listen"`
	List    []string       `yaml:"list"`
	Inner   *inner         `yaml:"inner"`
	Plain   inner          `yaml:"plain"`
	Entries []entry        `yaml:"entries"`
	Sources map[string]int `yaml:"sources"`
	Skipped func()         `yaml:"-"`
	Untaged string
}

type inner struct {
	Key  string     `yaml:"key"`
	When time.Time  `yaml:"when"`
	IP   netip.Addr `yaml:"ip"`
}

func TestDecode(t *testing.T) {
	const text = `
# a comment
name: "a b"
data_dir: ./data   # another
count: -12
small: 127
on: true
ip: 127.0.0.1
listen: [127.0.0.1:80, {addr: "[::1]:81", port: 5}]
list:
  - a
  - "5"
inner: {key: k, when: 2027-01-01, ip: "::1"}
entries:
  - {id: a, names: one, tags: {x: "1", orders:read: Read it}, until: 2027-01-01T12:00:00+02:00, on: false}
  - id: b
    names: [one, two]
    raw: {a: [1, -2.5e3, null, true, "x", 2027-01-01], b: {}, c: text}
  - {raw: "010"}
sources: {a: 1}
`
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	want := file{
		Name: "a b", DataDir: "./data", Count: -12, Small: 127, On: true, IP: netip.MustParseAddr("127.0.0.1"),
		Listen: []address{{Addr: "127.0.0.1:80"}, {Addr: "[::1]:81", Port: 5}}, List: []string{"a", "5"},
		Inner: &inner{Key: "k", When: day, IP: netip.IPv6Loopback()},
		Entries: []entry{
			{base: base{ID: "a"}, Names: names{"one"}, Tags: map[string]string{"x": "1", "orders:read": "Read it"}, Until: day.Add(10 * time.Hour)},
			{base: base{ID: "b"}, Names: names{"one", "two"}, Raw: json.RawMessage(`{"a":[1,-2.5e3,null,true,"x","2027-01-01"],"b":{},"c":"text"}`)},
			{Raw: json.RawMessage(`"010"`)},
		},
		Sources: map[string]int{"a": 1},
	}
	var got file
	if err := new(Origins).Decode("f.yaml", []byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(file{}, entry{}, base{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsAreOneLineWithPlaceAndFix(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "name: a\nlisten_: []\n", `f.yaml:2:1: unknown key "listen_"; write listen`},
		{"unknown key spelt otherwise", "DataDir: a\n", `f.yaml:1:1: unknown key "DataDir"; write data_dir`},
		{"unknown key far from all", "inner:\n  colour: a\n", `f.yaml:2:3: inner: unknown key "colour"; the keys here are key, when, ip`},
		{"unknown key in a list", "entries:\n  - id: a\n    nmaes: b\n", `f.yaml:3:5: entries.a: unknown key "nmaes"; write names`},
		{"member without tag", "Untaged: a\n", `f.yaml:1:1: unknown key "Untaged"; the keys here are`},
		{"member that is no key", "skipped: a\n", `f.yaml:1:1: unknown key "skipped"; the keys here are`},
		{"key of a later version", "entries: [{id: a, later: [1]}]\n", `f.yaml:1:19: entries.a: "later" is not implemented in this version; remove it`},
		{"key of a later version without value", "entries: [{id: a, later: }]\n", `f.yaml:1:19: entries.a: "later" is not implemented in this version; remove it`},
		{"hostile key", "\"a\\e[2J\": 1\n", `f.yaml:1:1: unknown key "a\x1b[2J"; the keys`},
		{"long key", strings.Repeat("k", 500) + ": 1\n", `f.yaml:1:1: unknown key "` + strings.Repeat("k", 80) + `…"; the keys`},
		{"key twice", "name: a\ncount: 1\nname: b\n", `f.yaml:3:1: the key "name" stands here twice, first in line 1; remove one of them`},
		{"key twice in a map", "sources: {a: 1, a: 2}\n", `f.yaml:1:17: the key "a" stands here twice, first in line 1; remove one of them`},
		{"key twice in raw JSON", "entries: [{raw: {a: 1, a: 2}}]\n", `f.yaml:1:24: the key "a" stands here twice`},
		{"no value", "name:\n", `f.yaml:1:6: name: has no value; write one, or remove the key`},
		{"no value in a list", "list: [a, ~]\n", `f.yaml:1:11: list.1: has no value`},
		{"null for a structure", "inner: null\n", `f.yaml:1:8: inner: has no value`},
		{"number for text", "name: 5\n", `f.yaml:1:7: name: want text, got a number; put it in quotes`},
		{"truth for text", "name: true\n", `f.yaml:1:7: name: want text, got true or false; put it in quotes`},
		{"date for text", "name: 2027-01-01\n", `f.yaml:1:7: name: want text, got a date; put it in quotes`},
		{"list for text", "name: [a]\n", `f.yaml:1:7: name: want text, got a list`},
		{"text for a list", "list: secret\n", `f.yaml:1:7: list: want a list, got text; write it as [a, b], or one "- entry" a line`},
		{"text for a structure", "inner: secret\n", `f.yaml:1:8: inner: want a mapping, got text`},
		{"list for a map", "sources: [a]\n", `f.yaml:1:10: sources: want a mapping, got a list`},
		{"list for a file", "- a\n", `f.yaml:1:1: want a mapping, got a list`},
		{"text for a file", "secret\n", `f.yaml:1:1: want a mapping, got text`},
		{"text for a number", "count: secret\n", `f.yaml:1:8: count: want a whole number, got text; write it in decimal digits`},
		{"fraction for a number", "count: 1.5\n", `f.yaml:1:8: count: want a whole number, got a number`},
		{"octal for a number", "count: 010\n", `f.yaml:1:8: count: want a whole number, got a number`},
		{"hexadecimal for a number", "count: 0x10\n", `f.yaml:1:8: count: want a whole number`},
		{"number with underscores", "count: 1_000\n", `f.yaml:1:8: count: want a whole number`},
		{"quoted number", "count: \"5\"\n", `f.yaml:1:8: count: want a whole number, got text`},
		{"number too large", "small: 128\n", `f.yaml:1:8: small: want a whole number`},
		{"yes", "on: yes\n", `f.yaml:1:5: on: want true or false, got text; write true or false, without quotes`},
		{"True", "on: True\n", `f.yaml:1:5: on: want true or false`},
		{"quoted truth", "on: \"true\"\n", `f.yaml:1:5: on: want true or false, got text`},
		{"what reads itself says no", "ip: secret\n", `f.yaml:1:5: ip: ParseAddr`},
		{"list for what reads itself", "ip: [a]\n", `f.yaml:1:5: ip: want a single value, got a list`},
		{"list for a structure that reads itself", "listen: [[a]]\n", `f.yaml:1:10: listen.0: want a mapping, got a list`},
		{"error inside what reads itself", "entries: [{id: a, names: {}}]\n", `f.yaml:1:26: entries.a.names: want a list, got a mapping`},
		{"no date", "inner: {when: tomorrow}\n", `f.yaml:1:15: inner.when: want a date, got text; write for example 2027-01-01`},
		{"impossible date", "inner: {when: 2027-02-30}\n", `f.yaml:1:15: inner.when: want a date`},
		{"unclear number in raw JSON", "entries: [{raw: [1, 0x10]}]\n", `f.yaml:1:21: entries.0.raw.1: unclear whether this is a number; write it in decimal digits, or put it in quotes`},
		{"infinity in raw JSON", "entries: [{raw: .inf}]\n", `f.yaml:1:17: entries.0.raw: unclear whether this is a number`},
		{"unclear truth in raw JSON", "entries: [{raw: TRUE}]\n", `f.yaml:1:17: entries.0.raw: unclear whether this is text`},
		{"key that is a number", "sources: {1: 2}\n", `f.yaml:1:11: a key that is not text; put it in quotes`},
		{"key that is a list", "? [a]\n: b\n", `f.yaml:1:3: a key that is a list or a mapping; write "key: value"`},
		{"anchor", "name: &a b\n", `f.yaml:1:7: anchors and aliases are not used here; write the value out`},
		{"alias", "name: &a b\ndata_dir: *a\n", `f.yaml:1:7: anchors and aliases are not used here`},
		{"alias of nothing", "name: *a\n", `f.yaml:1:1: not readable as YAML: unknown anchor 'a' referenced; write the value out`},
		{"merge", "<<: {name: a}\n", `f.yaml:1:1: merging with << is not used here; write the keys out`},
		{"tag", "name: !!str 5\n", `f.yaml:1:7: tags are not used here; remove the word that begins with !`},
		{"foreign tag", "name: !vault secret\n", `f.yaml:1:7: tags are not used here`},
		{"second document", "name: a\n---\nname: b\n", `f.yaml:2:1: a second document begins; remove the line --- and what follows, or make it a file of its own`},
		{"second document that is broken", "name: a\n---\nname: [\n", `f.yaml:`},
		{"empty", "", `f.yaml:1:1: the file is empty; write at least one key, or leave the file out`},
		{"blank", "\n  \n", `f.yaml:1:1: the file is empty`},
		{"comments only", "# name: a\n", `f.yaml:1:1: the file is empty`},
		{"null", "~\n", `f.yaml:1:1: the file is empty`},
		{"document mark only", "---\n", `f.yaml:1:1: the file is empty`},
		{"tab", "inner:\n\tkey: a\n", `f.yaml:2:1: a tab in the indentation; indent with spaces`},
		{"tab behind spaces", "inner:\n  \tkey: a\n", `f.yaml:2:3: a tab in the indentation`},
		{"not UTF-8", "name: a\nlist: [\xff]\n", `f.yaml:2:8: not plain text in UTF-8; save the file as UTF-8 without control characters`},
		{"UTF-16", "\xff\xfen\x00a\x00", `f.yaml:1:1: not plain text in UTF-8`},
		{"control character", "name: \"a\x00\"\n", `f.yaml:1:9: not plain text in UTF-8`},
		{"nested too deep", strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n", `f.yaml:1:33: nested too deep`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := new(Origins).Decode("f.yaml", []byte(tt.text), new(file))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if !strings.HasPrefix(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("\n got %s\nwant %s", err, tt.want)
			}
			if e.Fix == "" && !strings.Contains(tt.name, "reads itself") && tt.name != "list for text" {
				t.Errorf("no fix: %s", err)
			}
			if strings.Contains(err.Error(), "secret") && tt.name != "what reads itself says no" {
				t.Errorf("the error repeats a value: %s", err)
			}
		})
	}
}

// A file that was cut anywhere, as by a full disk, is refused in one line or
// is a smaller file that means what it shows.
func TestHalfWrittenFiles(t *testing.T) {
	const text = "name: \"a: b\"\nlisten: [{addr: \"x\", port: 5}, y]\ninner:\n  key: 'k'\n  when: 2027-01-01\nentries:\n  - id: a\n    tags: {a: \"1\"}\n"
	refused := 0
	for i := range text {
		err := new(Origins).Decode("f.yaml", []byte(text[:i]), new(file))
		if err == nil {
			continue
		}
		refused++
		var e *Error
		if !errors.As(err, &e) || e.Line < 1 || e.Line > strings.Count(text[:i], "\n")+1 || e.Column < 1 || e.Fix == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if refused < 60 {
		t.Errorf("only %d cuts of %d were refused", refused, len(text))
	}
}

func TestSyntaxErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct{ name, text, want, fix string }{
		{"open list", "name: a\nlist: [a, b\nname: c\n", "f.yaml:", "not closed"},
		{"open quote", "name: \"a\nlist: [a]\n", "f.yaml:", "close"},
		{"colon in a value", "name: a: b\n", "f.yaml:1:1", "quotes"},
		{"no space behind the colon", "name: a\nlist:[a]\n", "f.yaml:", "space behind the colon"},
		{"at sign", "name: @a\n", "f.yaml:1:1", "quotes"},
		{"indentation", "inner:\n    key: a\n  when: b\n", "f.yaml:", "indentation"},
	} {
		err := new(Origins).Decode("f.yaml", []byte(tt.text), new(file))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.fix) {
			t.Errorf("%s: %v", tt.name, err)
		}
		t.Log(err)
	}
}

func TestLimits(t *testing.T) {
	big := append([]byte("name: a\n#"), make([]byte, MaxFile)...)
	if err := new(Origins).Decode("f.yaml", big, new(file)); err == nil || err.Error() != "f.yaml: larger than 1024 KiB; divide it" {
		t.Errorf("%v", err)
	}
	path := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(path, append(big, big...), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(path); err != nil || len(data) != MaxFile+1 {
		t.Errorf("read %d, %v", len(data), err)
	}
	if _, err := ReadFile(path + "x"); err == nil || err.Error() != path+"x: there is no such file; check the path" {
		t.Errorf("%v", err)
	}
	if _, err := ReadFile(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "cannot be read: is a directory") {
		t.Errorf("%v", err)
	}
}

func TestLocate(t *testing.T) {
	const text = `clients:
  - id: a.b
    access: {orders: [orders:read, "x.y"], orders.eu: [r]}
    secrets:
      - {id: "1", hash: h}
      - hash: i
  - id: "0"
    state: active
apis: [{id: o, scopes: {a.b.c: text, a: {b: {c: d}}}}]
`
	d, err := Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]int{
		"":                                      {1, 1},
		"clients":                               {1, 1},
		"clients.a.b":                           {2, 5},
		"clients.a.b.access":                    {3, 5},
		"clients.a.b.access.orders":             {3, 14},
		"clients.a.b.access.orders.orders:read": {3, 23},
		"clients.a.b.access.orders.x.y":         {3, 36},
		"clients.a.b.access.orders.1":           {3, 36},
		"clients.a.b.access.orders.eu":          {3, 44},
		"clients.a.b.access.orders.eu.r":        {3, 56},
		"clients.a.b.access.orders.missing":     {3, 14},
		"clients.a.b.secrets.1.hash":            {5, 25},
		"clients.a.b.secrets.1":                 {5, 9},
		"clients.0.state":                       {8, 12},
		"clients.1.state":                       {8, 12},
		"clients.0.missing":                     {7, 5},
		"apis.o.scopes.a.b.c":                   {9, 32},
		"apis.o.scopes.a.b":                     {9, 42},
		"nowhere":                               {1, 1},
		"clientsx":                              {1, 1},
	} {
		line, column := d.Locate(path)
		if line != want[0] || column != want[1] {
			t.Errorf("%s: %d:%d, want %d:%d", path, line, column, want[0], want[1])
		}
	}
	if e := d.Root().At("clients.0.state", "wrong", "right it"); e.Error() != "f.yaml:8:12: wrong; right it" {
		t.Error(e)
	}
}
