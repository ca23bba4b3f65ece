package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Locate is where the path leads, from 1: "clients.billing.secrets.s1.hash".
// Its elements are keys, and for entries of lists their id, their index or
// their text. Keys may contain dots. A path that leads further than the file
// gives the place up to which it fits.
func (d *Document) Locate(path string) (line, column int) {
	return d.value("").Locate(path)
}

// Locate is Document.Locate for a path that begins at the value.
func (v *Value) Locate(path string) (line, column int) {
	n, at := v.node, v.node
	for path != "" {
		next, place, rest, found := step(n, path)
		if !found {
			break
		}
		n, at, path = next, place, rest
	}
	return at.Line, at.Column
}

// At is an error at the place where the path leads, which begins at the value.
// The message is expected to name what it is about.
func (v *Value) At(path, message, fix string) *Error {
	line, column := v.Locate(path)
	return &Error{File: v.document.file, Line: line, Column: column, Message: message, Fix: fix}
}

// Root is the whole document as a value.
func (d *Document) Root() *Value { return d.value("") }

// step goes one element down. Of several keys that fit, the longest counts.
// place is the value where it is a single one, and else its key: that is where
// a reader looks.
func step(n *yaml.Node, path string) (next, place *yaml.Node, rest string, found bool) {
	longest := -1
	try := func(element string, value, at *yaml.Node) {
		if r, fits := after(path, element); fits && len(element) > longest {
			longest, next, place, rest, found = len(element), value, at, r, true
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			at := key
			if value.Kind == yaml.ScalarNode && !isNull(value) {
				at = value
			}
			try(key.Value, value, at)
		}
	case yaml.SequenceNode:
		for i, entry := range n.Content {
			try(entryName(entry, i), entry, entry)
			if entry.Kind == yaml.ScalarNode {
				try(entry.Value, entry, entry)
			}
		}
		if !found {
			for i, entry := range n.Content {
				try(strconv.Itoa(i), entry, entry)
			}
		}
	}
	return next, place, rest, found
}

// after is what follows the element in the path.
func after(path, element string) (rest string, fits bool) {
	rest, fits = strings.CutPrefix(path, element)
	if !fits || rest != "" && rest[0] != '.' {
		return "", false
	}
	return strings.TrimPrefix(rest, "."), true
}

// entryName is how a path names an entry of a list: its id, or else its index.
func entryName(entry *yaml.Node, index int) string {
	if entry.Kind == yaml.MappingNode {
		for i := 0; i < len(entry.Content); i += 2 {
			if entry.Content[i].Value == "id" && entry.Content[i+1].Kind == yaml.ScalarNode && entry.Content[i+1].Value != "" {
				return entry.Content[i+1].Value
			}
		}
	}
	return strconv.Itoa(index)
}
