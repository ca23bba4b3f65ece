package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// ReadNamed reads a JSON object whose members are those to change, and notes
// which are there. An unknown member is refused by name.
func ReadNamed[T any](doc []byte) (Named[T], error) {
	var n Named[T]
	if err := readOne(doc, &n.Object); err != nil {
		return n, err
	}
	fields, err := namedIn(reflect.TypeFor[T](), "", doc)
	slices.Sort(fields)
	n.Fields = fields
	return n, err
}

// readOne reads one JSON value and refuses what another reader may see
// otherwise.
func readOne(doc []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return unreadable(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("send one JSON object", "there is more than one JSON value")
	}
	// Decoder takes a name in any case, and of a repeated one the last: whoever
	// reads the same text elsewhere may see something else.
	if !bytes.HasPrefix(bytes.TrimLeft(doc, " \t\r\n"), []byte("{")) {
		return nil
	}
	if err := jose.CheckObject(doc); err != nil {
		return invalid("name each member once", "the body is not a plain JSON object")
	}
	return nil
}

// unreadable says where a JSON document is wrong, not with what value.
func unreadable(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return invalid("correct it", "the member %q is not of the type %s", wrongType.Field, wrongType.Type)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return invalid("remove it, or correct its name", "there is no member %s", name)
	}
	return &Error{Code: Invalid, Message: "the body cannot be read", Fix: "send one JSON object", cause: err}
}

// namedIn walks a document beside its type: structures member by member, lists
// and maps as a whole.
func namedIn(t reflect.Type, path string, doc []byte) (Fields, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil {
		return nil, unreadable(err)
	}
	var out Fields
	for name, value := range members {
		at := join(path, name)
		f, ok := memberOf(t, name)
		if !ok {
			return nil, invalid("remove it, or correct its name", "there is no member %q", at)
		}
		if f.Type.Kind() != reflect.Struct || isText(f.Type) {
			out = append(out, at)
			continue
		}
		inner, err := namedIn(f.Type, at, value)
		if err != nil {
			return nil, err
		}
		out = append(out, inner...)
	}
	return out, nil
}

// isText reports whether a structure is written as one value, as a time is.
func isText(t reflect.Type) bool {
	_, ok := reflect.PointerTo(t).MethodByName("UnmarshalText")
	return ok
}

// memberOf finds the field of a structure that has the JSON name.
func memberOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && tag == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// merge sets the members of dst that are named. may lists those that the
// operation changes; a name that ends in a dot stands for all below it. Others
// are refused with the command that changes them.
func merge[T any](kind string, dst *T, n Named[T], may []string) registry.Problems {
	var problems registry.Problems
	n.Object = clone(n.Object)
	to, from := reflect.ValueOf(dst).Elem(), reflect.ValueOf(&n.Object).Elem()
	for _, path := range n.Fields {
		if !slices.ContainsFunc(may, func(m string) bool { return m == path || strings.HasSuffix(m, ".") && strings.HasPrefix(path, m) }) {
			problems = append(problems, registry.Problem{Kind: kind, Path: path, Message: "it cannot be changed this way", Fix: otherWay(kind, path)})
			continue
		}
		d, s := to, from
		for name := range strings.SplitSeq(path, ".") {
			f, ok := memberOf(d.Type(), name)
			if !ok {
				problems = append(problems, registry.Problem{Kind: kind, Path: path, Message: "there is no such member", Fix: "correct its name"})
				break
			}
			d, s = d.FieldByIndex(f.Index), s.FieldByIndex(f.Index)
			if d.Kind() != reflect.Struct || isText(d.Type()) {
				d.Set(s)
				break
			}
		}
	}
	return problems
}

// clone copies an object with its lists and maps: what is staged is altered
// later, and the request may be needed again.
func clone[T any](obj T) T {
	doc, err := json.Marshal(obj)
	if err != nil {
		return obj // a claim that is no JSON: validation refuses it
	}
	var out T
	if json.Unmarshal(doc, &out) != nil {
		return obj
	}
	return out
}

// otherWay names the command for a member that an update does not touch.
func otherWay(kind, path string) string {
	top, _, _ := strings.Cut(path, ".")
	switch {
	case kind == registry.KindClient && top == "state":
		return "use `symbolon client enable` or `symbolon client disable`"
	case kind == registry.KindClient && top == "secrets":
		return "use `symbolon client secret add`, `revoke` or `remove`"
	case kind == registry.KindClient && (top == "keys" || top == "certificates"):
		return fmt.Sprintf("use `symbolon client %s add`, `revoke` or `remove`", strings.TrimSuffix(top, "s"))
	case kind == registry.KindIssuer && top == "dialect":
		return "make another issuer: programs know one by its dialect"
	case kind == registry.KindAPI && top == "issuer":
		return "make another API, give access to it, then delete this one"
	case kind == registry.KindOperatorToken && top == "hash":
		return "another value needs another token: create one, and delete this"
	case top == "id":
		return fmt.Sprintf("an id is for ever; make another %s", word(kind))
	}
	return "leave it out"
}

// ReadNew reads a new object from JSON. What only the server sets is refused
// by name.
func ReadNew[T any](kind string, doc []byte) (T, error) {
	n, err := ReadNamed[T](doc)
	if err != nil {
		return n.Object, err
	}
	id := objectID(&n.Object)
	var problems registry.Problems
	for _, f := range n.Fields {
		if slices.Contains(serverMembers, f) {
			problems = append(problems, registry.Problem{Kind: kind, ID: id, Path: f, Message: "only the server sets it", Fix: "leave it out"})
		}
	}
	return n.Object, problems.Err()
}

// serverMembers are never part of a request.
var serverMembers = []string{"v", "min", "created", "updated", "managed_by", "state_by", "spent", "secrets", "keys", "certificates"}

// ReadStrict reads a JSON value and refuses members that it does not know, or
// that are there twice.
func ReadStrict[T any](doc []byte) (T, error) {
	var out T
	err := readOne(doc, &out)
	return out, err
}
