package config

import (
	"encoding"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Override sets the members of the struct that into points to from environment
// variables. A member's variable is the prefix and its path in capitals:
// SYMBOLON_AUDIT_ON_FULL with the prefix "SYMBOLON_". A list is written with
// commas. A variable that is empty counts as not set, as those that compose
// files leave behind. Maps, and lists inside lists, have no variable.
func Override(into any, prefix string, env func(string) (string, bool)) error {
	_, err := override(reflect.ValueOf(into).Elem(), prefix, env)
	return err
}

// override reports whether it set anything.
func override(into reflect.Value, prefix string, env func(string) (string, bool)) (set bool, err error) {
	for _, f := range structFields(into.Type()) {
		variable := prefix + strings.ToUpper(f.name)
		target := into.FieldByIndex(f.index)
		if isPlainStruct(f.typ) {
			changed, err := overrideStruct(target, variable+"_", env)
			if err != nil {
				return set, err
			}
			set = set || changed
			continue
		}
		text, ok := env(variable)
		if !ok || text == "" || !hasVariable(f.typ) {
			continue
		}
		if err := setText(target, variable, text); err != nil {
			return set, err
		}
		set = true
	}
	return set, nil
}

// overrideStruct makes the struct behind a pointer only when something in it
// is set.
func overrideStruct(target reflect.Value, prefix string, env func(string) (string, bool)) (bool, error) {
	if target.Kind() != reflect.Pointer {
		return override(target, prefix, env)
	}
	fresh := reflect.New(target.Type().Elem())
	if !target.IsNil() {
		fresh.Elem().Set(target.Elem())
	}
	set, err := override(fresh.Elem(), prefix, env)
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
