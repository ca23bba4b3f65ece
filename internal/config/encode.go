package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Map is a mapping with its keys in order, for Marshal.
type Map []Pair

// Pair is one key of a Map. The value is a string, a bool, a []string, a
// json.RawMessage, a Map, a []Map, or Inline of one of the last two.
type Pair struct {
	Key   string
	Value any
}

// Inline marks a Map or a list that is written on one line.
type Inline struct{ Value any }

// Plain is text that is written without quotes although it looks like another
// type, as a date.
type Plain string

// Marshal writes YAML that Parse reads back.
func Marshal(m Map) ([]byte, error) {
	n, err := encode(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), nil
}

func encode(value any) (*yaml.Node, error) {
	switch v := value.(type) {
	case string:
		return textNode(v), nil
	case Plain:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: string(v)}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v)}, nil
	case Map:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, p := range v {
			child, err := encode(p.Value)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, textNode(p.Key), child)
		}
		return n, nil
	case []Map:
		return encodeList(v)
	case []string:
		n, err := encodeList(v)
		if n != nil {
			n.Style = yaml.FlowStyle
		}
		return n, err
	case Inline:
		n, err := encode(v.Value)
		if n != nil {
			n.Style = yaml.FlowStyle
		}
		return n, err
	case json.RawMessage:
		return jsonNode(v)
	}
	return nil, fmt.Errorf("config: cannot write %T", value)
}

func encodeList[T any](list []T) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, one := range list {
		child, err := encode(one)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	return n, nil
}

// textNode is quoted by the library where it would be read as another type. Where
// a tab stands in it, here: the library writes a text of lines as a block, in
// which it then takes a tab at the beginning for an indentation.
func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.ContainsRune(text, '\t') {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// jsonNode writes JSON in YAML's flow style, numbers as they stand.
func jsonNode(text json.RawMessage) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	n, err := nextNode(d)
	if err != nil {
		return nil, fmt.Errorf("write JSON as YAML: %w", err)
	}
	return n, nil
}

func nextNode(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case string:
		return textNode(t), nil
	case json.Number:
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: t.String()}
		if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" {
			return nil, errors.New("a number that YAML would read as text")
		}
		return n, nil
	case bool, nil:
		text, _ := json.Marshal(t)
		return &yaml.Node{Kind: yaml.ScalarNode, Value: string(text)}, nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	if token == json.Delim('{') {
		n.Kind = yaml.MappingNode
	}
	for d.More() {
		child, err := nextNode(d)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	_, err = d.Token() // the bracket that closes
	return n, err
}
