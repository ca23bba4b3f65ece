package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Decode reads data, the text of the named file, into the struct that into
// points to. Errors are of type *Error. See Document.Decode.
func Decode(file string, data []byte, into any) error {
	d, err := Parse(file, data)
	if err != nil {
		return err
	}
	return d.Decode(into)
}

// Decode reads the document into what into points to. A struct's members have
// the names of their yaml tags, others have none; embedded structs are part of
// the struct around them. What implements Unmarshaler or
// encoding.TextUnmarshaler reads itself, the latter where the file has a
// single value; a time.Time is a date or an RFC 3339 time, a json.RawMessage
// is whatever stands there, as JSON. A key without a value is an error.
func (d *Document) Decode(into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("config: Decode into %T, want a pointer", into))
	}
	return d.value("").decode(v.Elem())
}

// Unmarshaler is what reads itself from a part of a file, as a value that may
// be written in more than one form.
type Unmarshaler interface {
	UnmarshalConfig(v *Value) error
}

// Value is a part of a file.
type Value struct {
	document *Document
	node     *yaml.Node
	path     string
}

func (d *Document) value(path string) *Value { return &Value{document: d, node: d.root, path: path} }

func (v *Value) child(n *yaml.Node, element string) *Value {
	path := element
	if v.path != "" {
		path = v.path + "." + element
	}
	return &Value{document: v.document, node: n, path: path}
}

// Path leads to the value from the top of the file, as Locate takes it.
func (v *Value) Path() string { return v.path }

// Position is where the value stands, from 1.
func (v *Value) Position() (line, column int) { return v.node.Line, v.node.Column }

// IsList, IsMapping and IsText tell the value's form; text is any single value
// but none.
func (v *Value) IsList() bool { return v.node.Kind == yaml.SequenceNode }

// IsMapping reports whether the value has keys.
func (v *Value) IsMapping() bool { return v.node.Kind == yaml.MappingNode }

// IsText reports whether the value is a single one, whatever its type.
func (v *Value) IsText() bool { return v.node.Kind == yaml.ScalarNode && !isNull(v.node) }

// Keys are the keys of a mapping in their order.
func (v *Value) Keys() []string {
	var keys []string
	if v.IsMapping() {
		for i := 0; i < len(v.node.Content); i += 2 {
			keys = append(keys, v.node.Content[i].Value)
		}
	}
	return keys
}

// Key is the value of a key of a mapping; nil when it is not there.
func (v *Value) Key(key string) *Value {
	if v.IsMapping() {
		for i := 0; i < len(v.node.Content); i += 2 {
			if v.node.Content[i].Value == key {
				return v.child(v.node.Content[i+1], key)
			}
		}
	}
	return nil
}

// Items are the entries of a list.
func (v *Value) Items() []*Value {
	var items []*Value
	if v.IsList() {
		for i, n := range v.node.Content {
			items = append(items, v.child(n, entryName(n, i)))
		}
	}
	return items
}

// Decode reads the value into what into points to, by the rules of
// Document.Decode.
func (v *Value) Decode(into any) error { return v.decode(reflect.ValueOf(into).Elem()) }

// Errorf is an error at the value's place.
func (v *Value) Errorf(fix, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	if v.path != "" {
		message = name(v.path) + ": " + message
	}
	return &Error{File: v.document.file, Line: v.node.Line, Column: v.node.Column, Message: message, Fix: fix}
}

// want is the error about another type than expected. It tells the form that
// is there, never the value.
func (v *Value) want(what, fix string) *Error {
	return v.Errorf(fix, "want %s, got %s", what, form(v.node))
}

func form(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	}
	return "text"
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawJSONType = reflect.TypeFor[json.RawMessage]()
)

func (v *Value) decode(into reflect.Value) error {
	if u, ok := into.Addr().Interface().(Unmarshaler); ok {
		return u.UnmarshalConfig(v)
	}
	switch {
	case into.Type() == rawJSONType:
		return v.decodeJSON(into)
	case isNull(v.node):
		return v.Errorf("write one, or remove the key", "has no value")
	case into.Kind() == reflect.Pointer:
		fresh := reflect.New(into.Type().Elem())
		if err := v.decode(fresh.Elem()); err != nil {
			return err
		}
		into.Set(fresh)
		return nil
	case into.Type() == timeType:
		return v.decodeTime(into)
	}
	if u, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok && (v.IsText() || !hasFields(into.Type())) {
		if !v.IsText() {
			return v.want("a single value", "")
		}
		if err := u.UnmarshalText([]byte(v.node.Value)); err != nil {
			return v.Errorf("", "%s", err)
		}
		return nil
	}
	switch into.Kind() {
	case reflect.Struct:
		return v.decodeStruct(into)
	case reflect.Map:
		return v.decodeMap(into)
	case reflect.Slice:
		return v.decodeList(into)
	}
	return v.decodeScalar(into)
}

func (v *Value) decodeStruct(into reflect.Value) error {
	if !v.IsMapping() {
		return v.want("a mapping", "write its keys as \"key: value\"")
	}
	fields := structFields(into.Type())
	for i := 0; i < len(v.node.Content); i += 2 {
		key := v.node.Content[i]
		at := &Value{document: v.document, node: key, path: v.path}
		f, known := fields.byName(key.Value)
		if !known {
			return at.Errorf(fields.suggest(key.Value), "unknown key %s", quoted(key.Value))
		}
		if f.typ == laterType {
			return at.Errorf("remove it", "%q is not implemented in this version", f.name)
		}
		if err := v.child(v.node.Content[i+1], key.Value).decode(into.FieldByIndex(f.index)); err != nil {
			return err
		}
	}
	return nil
}

func (v *Value) decodeMap(into reflect.Value) error {
	if !v.IsMapping() {
		return v.want("a mapping", "write its keys as \"key: value\"")
	}
	m := reflect.MakeMapWithSize(into.Type(), len(v.node.Content)/2)
	for i := 0; i < len(v.node.Content); i += 2 {
		key := v.node.Content[i].Value
		entry := reflect.New(into.Type().Elem()).Elem()
		if err := v.child(v.node.Content[i+1], key).decode(entry); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(key).Convert(into.Type().Key()), entry)
	}
	into.Set(m)
	return nil
}

func (v *Value) decodeList(into reflect.Value) error {
	if !v.IsList() {
		return v.want("a list", "write it as [a, b], or one \"- entry\" a line")
	}
	items := v.Items()
	list := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, item := range items {
		if err := item.decode(list.Index(i)); err != nil {
			return err
		}
	}
	into.Set(list)
	return nil
}

// decodeScalar is strict about types: 010 as text and 010 as a number are two
// things, so text that looks like something else has to be quoted.
func (v *Value) decodeScalar(into reflect.Value) error {
	n := v.node
	switch into.Kind() {
	case reflect.String:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			fix := ""
			if n.Kind == yaml.ScalarNode {
				fix = "put it in quotes"
			}
			return v.want("text", fix)
		}
		into.SetString(n.Value)
		return nil
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Style != 0 || n.Value != "true" && n.Value != "false" {
			return v.want("true or false", "write true or false, without quotes")
		}
		into.SetBool(n.Value == "true")
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, into.Type().Bits())
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || strconv.FormatInt(i, 10) != n.Value {
			return v.want("a whole number", "write it in decimal digits")
		}
		into.SetInt(i)
		return nil
	}
	panic(fmt.Sprintf("config: cannot decode into %s at %s", into.Type(), v.path))
}

func (v *Value) decodeTime(into reflect.Value) error {
	if v.IsText() {
		for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
			if t, err := time.Parse(layout, v.node.Value); err == nil {
				into.Set(reflect.ValueOf(t.UTC()))
				return nil
			}
		}
	}
	return v.want("a date", "write for example 2027-01-01, which is its beginning in UTC, or 2027-01-01T12:00:00Z")
}

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
