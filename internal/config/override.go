package config

import (
	"encoding"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// overrider reads the environment and is told of what was set: the member's path
// and the variable.
type overrider struct {
	env func(string) (string, bool)
	set func(path, variable string)
}

// members sets the members of the struct, which path leads to ("audit.", or ""
// for the outermost), and reports whether there was anything to set.
func (o overrider) members(into reflect.Value, prefix, path string) (set bool, err error) {
	for _, f := range structFields(into.Type()) {
		variable := prefix + strings.ToUpper(f.name)
		target := into.FieldByIndex(f.index)
		if isPlainStruct(f.typ) {
			changed, err := o.inner(target, variable+"_", path+f.name+".")
			if err != nil {
				return set, err
			}
			set = set || changed
			continue
		}
		text, ok := o.env(variable)
		if !ok || text == "" || !hasVariable(f.typ) {
			continue
		}
		if err := setText(target, variable, text); err != nil {
			return set, err
		}
		o.set(path+f.name, variable)
		set = true
	}
	return set, nil
}

// inner makes the struct behind a pointer only when something in it is set.
func (o overrider) inner(target reflect.Value, prefix, path string) (bool, error) {
	if target.Kind() != reflect.Pointer {
		return o.members(target, prefix, path)
	}
	fresh := reflect.New(target.Type().Elem())
	if !target.IsNil() {
		fresh.Elem().Set(target.Elem())
	}
	set, err := o.members(fresh.Elem(), prefix, path)
	if set && err == nil {
		target.Set(fresh)
	}
	return set, err
}

func isPlainStruct(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && t != timeType && t != laterType && !readsItself(t)
}

func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) || p.Implements(reflect.TypeFor[Unmarshaler]())
}

func hasVariable(t reflect.Type) bool {
	if t.Kind() == reflect.Slice && !readsItself(t) {
		return t != rawJSONType && t.Elem().Kind() != reflect.Slice && t.Elem().Kind() != reflect.Map && !isPlainStruct(t.Elem())
	}
	return t.Kind() != reflect.Map && t != laterType
}

// setText reads the text as a file's value would be read. Text that looks like
// a number is text here: a variable has no other type.
func setText(target reflect.Value, variable, text string) error {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	if target.Kind() == reflect.String {
		n.Tag = "!!str"
	}
	if target.Kind() == reflect.Slice && !readsItself(target.Type()) {
		n = &yaml.Node{Kind: yaml.SequenceNode}
		for _, part := range strings.Split(text, ",") {
			entry := &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(part)}
			if target.Type().Elem().Kind() == reflect.String {
				entry.Tag = "!!str"
			}
			n.Content = append(n.Content, entry)
		}
	}
	fresh := reflect.New(target.Type()).Elem()
	v := &Value{document: &Document{file: variable, root: n}, node: n}
	if err := v.decode(fresh); err != nil {
		return err
	}
	target.Set(fresh)
	return nil
}
