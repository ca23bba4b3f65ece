package config

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

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
