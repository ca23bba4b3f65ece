package config

import (
	"encoding/json"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// decodeJSON writes the value as JSON, keys in the file's order.
func (v *Value) decodeJSON(into reflect.Value) error {
	text, err := v.appendJSON(nil)
	if err != nil {
		return err
	}
	into.SetBytes(text)
	return nil
}

func (v *Value) appendJSON(b []byte) ([]byte, error) {
	var err error
	switch v.node.Kind {
	case yaml.MappingNode:
		b = append(b, '{')
		for i, key := range v.Keys() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, key), ':')
			if b, err = v.child(v.node.Content[2*i+1], key).appendJSON(b); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = item.appendJSON(b); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return v.appendScalar(b)
}

// appendScalar takes numbers only as JSON writes them: 010, 0x10 and 1_000 are
// different numbers to different readers.
func (v *Value) appendScalar(b []byte) ([]byte, error) {
	text := v.node.Value
	switch v.node.ShortTag() {
	case "!!null":
		return append(b, "null"...), nil
	case "!!bool":
		if text != "true" && text != "false" {
			return nil, v.Errorf("write true or false, or put it in quotes", "unclear whether this is text")
		}
		return append(b, text...), nil
	case "!!int", "!!float":
		if !json.Valid([]byte(text)) {
			return nil, v.Errorf("write it in decimal digits, or put it in quotes", "unclear whether this is a number")
		}
		return append(b, text...), nil
	}
	return appendText(b, text), nil
}

func appendText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // text always marshals
	return append(b, quoted...)
}
