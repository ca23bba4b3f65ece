package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a file.
const (
	MaxFile  = 1 << 20 // octets
	maxDepth = 32      // lists and mappings inside each other
)

// Document is a YAML file that was read, with the position of everything in
// it.
type Document struct {
	file string
	root *yaml.Node
}

// ReadFile reads a file of at most MaxFile octets.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	return data, nil
}

// fileError says what the system said, on the path that it was said about.
func fileError(path string, err error) *Error {
	e := &Error{File: path, Message: "cannot be read", Fix: "check the path and its permissions"}
	var pe *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		e.Message, e.Fix, e.absent = "there is no such file", "check the path", true
	case errors.As(err, &pe):
		e.Message += ": " + pe.Err.Error()
	}
	return e
}

// Parse reads data, the text of the named file, as one YAML document. Errors
// are of type *Error.
func Parse(file string, data []byte) (*Document, error) {
	d := &Document{file: file}
	if len(data) > MaxFile {
		return nil, &Error{File: file, Message: fmt.Sprintf("larger than %d KiB", MaxFile>>10), Fix: "divide it"}
	}
	if err := d.checkText(data); err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, d.empty()
	case err != nil:
		return nil, d.syntax(err, data)
	}
	d.root = document.Content[0]
	if isNull(d.root) {
		return nil, d.empty()
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, &Error{File: file, Line: second.Line, Column: second.Column, Message: "a second document begins", Fix: "remove the line --- and what follows, or make it a file of its own"}
	case !errors.Is(err, io.EOF):
		return nil, d.syntax(err, data)
	}
	if err := d.check(d.root, 1); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Document) empty() *Error {
	return &Error{File: d.file, Line: 1, Column: 1, Message: "the file is empty", Fix: "write at least one key, or leave the file out"}
}

// checkText refuses what is no text before the parser guesses an encoding.
func (d *Document) checkText(data []byte) error {
	line, column := 1, 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		bad := r == utf8.RuneError && size == 1 || r < ' ' && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 && r != 0x85
		if bad {
			return &Error{File: d.file, Line: line, Column: column, Message: "not plain text in UTF-8", Fix: "save the file as UTF-8 without control characters"}
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		rest = rest[size:]
	}
	return nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:(?:unmarshal errors:\s*)?line (\d+): )?(.*)$`)

// syntaxFixes are what usually lies behind the parser's words.
var syntaxFixes = []struct{ says, fix string }{
	{"mapping values are not allowed", "put a value that contains \": \" in quotes, and check that the lines around it are indented alike"},
	{"could not find expected ':'", "write \"key: value\", with a space behind the colon"},
	{"cannot start any token", "put the value in quotes, and indent with spaces"},
	{"did not find expected", "check the indentation, and whether a bracket, a brace or a quote further up is not closed"},
	{"found unexpected end of stream", "close the quote, the bracket or the brace"},
	{"unknown anchor", "write the value out: anchors and aliases are not used here"},
	{"found a tab", "indent with spaces"},
}

// syntax places an error of the parser. It names a line at most, and the line
// where it gave up: a tab in the indentation is the mistake it explains worst.
func (d *Document) syntax(err error, data []byte) *Error {
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(strings.TrimRight(line, "\r")) {
			return &Error{File: d.file, Line: i + 1, Column: tab + 1, Message: "a tab in the indentation", Fix: "indent with spaces"}
		}
	}
	e := &Error{File: d.file, Line: 1, Column: 1, Message: "not readable as YAML", Fix: "check quotes, brackets and indentation"}
	m := yamlError.FindStringSubmatch(err.Error())
	if m == nil {
		return e
	}
	if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
		e.Line = min(n, len(lines))
	}
	for _, s := range syntaxFixes {
		if strings.Contains(m[2], s.says) {
			e.Message, e.Fix = "not readable as YAML: "+m[2], s.fix
			break
		}
	}
	return e
}

// check refuses what would let a file mean something else than it shows: keys
// given twice, references, types by tag.
func (d *Document) check(n *yaml.Node, depth int) error {
	at := func(n *yaml.Node, message, fix string) error {
		return &Error{File: d.file, Line: n.Line, Column: n.Column, Message: message, Fix: fix}
	}
	switch {
	case depth > maxDepth:
		return at(n, "nested too deep", "make it flatter")
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return at(n, "anchors and aliases are not used here", "write the value out")
	case n.Style&yaml.TaggedStyle != 0:
		return at(n, "tags are not used here", "remove the word that begins with !")
	case n.Kind == yaml.MappingNode:
		seen := make(map[string]int, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			switch {
			case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
				return at(key, "merging with << is not used here", "write the keys out")
			case key.Kind == yaml.ScalarNode && key.ShortTag() != "!!str" && key.Anchor == "" && key.Style&yaml.TaggedStyle == 0:
				return at(key, "a key that is not text", "put it in quotes")
			case key.Kind != yaml.ScalarNode && key.Kind != yaml.AliasNode:
				return at(key, "a key that is a list or a mapping", "write \"key: value\"")
			}
			if line, twice := seen[key.Value]; twice && key.Kind == yaml.ScalarNode {
				return at(key, fmt.Sprintf("the key %s stands here twice, first in line %d", quoted(key.Value), line), "remove one of them")
			}
			seen[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		if err := d.check(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
