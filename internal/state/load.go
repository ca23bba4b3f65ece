// Package state reads and writes the declarative file: what issuers, APIs,
// clients and operators there are to be. It turns YAML into the types of
// package admin and back, finds every mistake that can be found in the file
// alone and places it at its line, and tells a plan in words.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
)

// DefaultSet owns what a file names that has no set.
const DefaultSet = "main"

// Load reads the declarative file at path. env reads the environment for
// value_from; files of value_from are relative to the file. Errors are of type
// *config.Error, several of them joined, one a line.
func Load(path string, env func(string) (string, bool)) (*admin.ApplyRequest, error) {
	return whole(LoadOnce(path, env))
}

// LoadOnce is Load for a file that may have been applied before: values that
// stand elsewhere need not be there any more. What is missing is told in the
// request's Missing, and counts when the file has to be applied.
func LoadOnce(path string, env func(string) (string, bool)) (*admin.ApplyRequest, error) {
	data, err := config.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return read(Source{File: path, Data: data, Dir: filepath.Dir(path), Env: env})
}

// whole refuses a request that misses something.
func whole(req *admin.ApplyRequest, err error) (*admin.ApplyRequest, error) {
	if err == nil && req.Missing != nil {
		return nil, req.Missing
	}
	return req, err
}

// Source is a declarative file that was read already.
type Source struct {
	File string                      // name for errors
	Data []byte                      // the text
	Dir  string                      // where relative paths begin
	Env  func(string) (string, bool) // reads the environment
}

// Parse is Load for a file that was read already.
func Parse(src Source) (*admin.ApplyRequest, error) { return whole(read(src)) }

func read(src Source) (*admin.ApplyRequest, error) {
	document, err := config.Parse(src.File, src.Data)
	if err != nil {
		return nil, err
	}
	var f file
	if err := document.Decode(&f); err != nil {
		return nil, err
	}
	l := loader{src: src, seen: make(map[string]int), content: newContent(src.Data)}
	if f.Set == "" {
		f.Set = DefaultSet
	}
	if !registry.ValidID(f.Set) {
		l.fail(document.Root().At("set", "set: not an id", "write a lower-case letter or digit, then up to 62 of a-z, 0-9 and -"))
	}
	l.objects(&f)
	l.resourceServers(document.Root().Key(keyResourceServers), f.ResourceServers)
	if len(l.errs) > l.absent {
		return nil, errors.Join(l.errs...)
	}
	return &admin.ApplyRequest{
		Set: f.Set, Objects: l.state, Content: l.content.done(), Missing: errors.Join(l.errs...), Where: where(src.File, document),
	}, nil
}

// loader turns the file's objects into admin's and collects what is wrong.
type loader struct {
	src     Source
	state   admin.State
	content *content
	seen    map[string]int // "kind id" → line
	errs    []error
	absent  int // how many of errs are about values that are not there
}

func (l *loader) fail(err *config.Error) { l.errs = append(l.errs, err) }

// unread tells why the value at a member of the entry could not be read.
func (l *loader) unread(place *config.Value, member string, err error) {
	l.fail(place.At(member, place.Path()+"."+member+": "+err.Error(), ""))
	if errors.Is(err, fs.ErrNotExist) {
		l.absent++
		l.content.addAbsent()
	}
}

func (l *loader) objects(f *file) {
	for i := range f.Issuers {
		o := f.Issuers[i].object()
		l.state.Issuers = append(l.state.Issuers, add(l, f.Issuers[i].place, registry.KindIssuer, o, o.Validate()))
	}
	for i := range f.APIs {
		o := f.APIs[i].object()
		l.state.APIs = append(l.state.APIs, add(l, f.APIs[i].place, registry.KindAPI, o, o.Validate()))
	}
	for i := range f.Clients {
		c := &f.Clients[i]
		l.keys(c)
		o := c.object()
		l.state.Clients = append(l.state.Clients, add(l, c.place, registry.KindClient, o, o.Validate()))
		l.secrets(c)
	}
	for i := range f.OperatorTokens {
		t := &f.OperatorTokens[i]
		o := t.object()
		l.state.OperatorTokens = append(l.state.OperatorTokens, add(l, t.place, registry.KindOperatorToken, o, o.Validate()))
		l.tokenValue(t)
	}
	for i := range f.Operators {
		o := f.Operators[i].object()
		l.state.Operators = append(l.state.Operators, add(l, f.Operators[i].place, registry.KindOperator, o, o.Validate()))
	}
}

// add notes which members the file names, and reports those problems of the
// object that these members have. What the file leaves alone is judged with
// what is stored, when it is applied.
func add[T any](l *loader, place *config.Value, kind string, object T, invalid error) admin.Named[T] {
	id := ""
	if v := place.Key("id"); v != nil {
		_ = v.Decode(&id) // it was decoded before
	}
	line, _ := place.Position()
	if first, twice := l.seen[kind+" "+id]; twice && id != "" {
		l.fail(place.At("id", fmt.Sprintf("%s: named twice, first in line %d", place.Path(), first), "put both into one entry"))
	} else {
		l.seen[kind+" "+id] = line
	}
	fields := namedFields(kind, place)
	var found registry.Problems
	if errors.As(invalid, &found) {
		for _, p := range found {
			if concerns(p, fields, place) {
				l.fail(place.At(p.Path, strings.TrimSuffix(place.Path()+"."+p.Path, ".")+": "+p.Message, p.Fix))
			}
		}
	}
	return admin.Named[T]{Object: object, Fields: fields}
}

// namedFields are the members that the file names, as admin.Fields wants them:
// structures member by member, lists and maps as a whole, the members of
// credentials by their ids.
func namedFields(kind string, place *config.Value) admin.Fields {
	var fields admin.Fields
	for _, key := range place.Keys() {
		v := place.Key(key)
		switch {
		case key == "id" || key == "value_from" && kind == registry.KindOperatorToken:
		case key == "token" && kind != registry.KindClient || key == "keys" && kind == registry.KindIssuer:
			for _, member := range v.Keys() {
				fields = append(fields, key+"."+member)
			}
		case key == "secrets" || key == "keys" || key == "certificates":
			fields = append(fields, key)
			for _, entry := range v.Items() {
				if entry.Key("expires") != nil {
					fields = append(fields, entryPath(key, entry)+".expires")
				}
			}
		default:
			fields = append(fields, key)
		}
	}
	slices.Sort(fields)
	return fields
}

// entryPath is the list's name, as "secrets", and the id of a credential in it.
func entryPath(list string, entry *config.Value) string {
	var id string
	if v := entry.Key("id"); v != nil {
		_ = v.Decode(&id) // it was decoded before
	}
	return list + "." + id
}

// concerns reports whether the file alone shows the problem. A secret whose
// value stands elsewhere has no hash yet, a default API may have its access in
// what is stored, and a rotation its announcement.
func concerns(p registry.Problem, fields admin.Fields, place *config.Value) bool {
	top, rest, _ := strings.Cut(p.Path, ".")
	switch {
	case top == "" || top == "id":
		return true
	case top == "secrets" && strings.HasSuffix(rest, ".hash"):
		id := strings.TrimSuffix(rest, ".hash") // or the index of an entry without a proper id
		for i, entry := range place.Key("secrets").Items() {
			if (entryPath("secrets", entry) == "secrets."+id || strconv.Itoa(i) == id) && entry.Key("hash") == nil {
				return false
			}
		}
	case top == "default_api" && !fields.Has("access"), p.Path == "keys.rotate" && !fields.Has("keys.announce"):
		return false
	}
	return fields.Has(top) || fields.Has(p.Path)
}

// secrets fetches the values that stand elsewhere.
func (l *loader) secrets(c *client) {
	for _, s := range c.Secrets {
		value, given := l.valueFrom(s.place, s.ValueFrom)
		if !given {
			continue
		}
		if l.state.Values == nil {
			l.state.Values = make(admin.SecretValues)
		}
		if l.state.Values[c.ID] == nil {
			l.state.Values[c.ID] = make(map[string]admin.Secret)
		}
		l.state.Values[c.ID][s.ID] = admin.NewSecret(value)
		l.content.add(c.ID, s.ID, value)
	}
}

// valueFrom fetches the value of an entry that stands elsewhere. It is not given
// where the entry has a hash instead, or when it cannot be read, which is told.
func (l *loader) valueFrom(place *config.Value, from config.Source) (value string, given bool) {
	if place.Key("value_from") == nil {
		return "", false
	}
	value, err := from.Read(l.src.Dir, l.src.Env)
	if err != nil {
		l.unread(place, "value_from", err)
		return "", false
	}
	return value, true
}

// lists are the file's lists by the kind of their objects.
var lists = map[string]string{
	registry.KindIssuer:   "issuers",
	registry.KindAPI:      "apis",
	registry.KindClient:   "clients",
	registry.KindOperator: "operators",

	registry.KindOperatorToken: "operator_tokens",
}

// where places problems that are found later.
func where(name string, document *config.Document) func(registry.Problem) string {
	return func(p registry.Problem) string {
		if at := whereResourceServer(document, p); at != nil {
			line, column := at.Position()
			return fmt.Sprintf("%s:%d:%d", name, line, column)
		}
		list := document.Root().Key(lists[p.Kind])
		if list == nil {
			return ""
		}
		for _, entry := range list.Items() {
			var id string
			if v := entry.Key("id"); v == nil || v.Decode(&id) != nil || id != p.ID {
				continue
			}
			line, column := entry.Locate(p.Path)
			return fmt.Sprintf("%s:%d:%d", name, line, column)
		}
		return ""
	}
}
