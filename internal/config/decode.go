package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

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
