package registry

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Encode writes the document of obj, a pointer to one of the kinds' types. Of
// the document that it replaces (nil: none) all members are kept, at every
// level, that this version does not know, so that an older node never drops
// what a newer one wrote; entries of a list belong together by their id. The
// members come in a fixed order: equal objects give equal documents.
//
// v and min of obj are not looked at: v is this version or the previous
// document's, whichever is higher. A previous document that this version may
// not use may not be replaced by it either: ErrNewer.
func Encode(obj any, previous []byte) ([]byte, error) {
	doc, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", obj, err)
	}
	v, minimum := DocVersion, 1
	if previous != nil {
		var meta struct{ V, Min int }
		if err := json.Unmarshal(previous, &meta); err != nil {
			return nil, malformed(fmt.Sprintf("%T", obj), err)
		}
		if meta.Min > DocVersion {
			return nil, fmt.Errorf("%w: it needs document version %d, this program knows up to %d", ErrNewer, meta.Min, DocVersion)
		}
		v, minimum = max(v, meta.V), max(minimum, meta.Min)
		if doc, err = keepUnknown(reflect.TypeOf(obj), doc, previous); err != nil {
			return nil, malformed(fmt.Sprintf("%T", obj), err)
		}
	}
	m, err := parseMembers(doc)
	if err != nil {
		return nil, fmt.Errorf("encode %T: not an object", obj)
	}
	m.set("v", strconv.AppendInt(nil, int64(v), 10))
	m.set("min", strconv.AppendInt(nil, int64(minimum), 10))
	return m.encode(), nil
}

// keepUnknown gives now, which is of type t, with the members of previous that
// t does not have. A member that t has and now does not was removed. A map's
// keys are data: those of previous are not kept.
func keepUnknown(t reflect.Type, now, previous []byte) ([]byte, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if opaque(t) {
		return now, nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return keepInStruct(t, now, previous)
	case reflect.Map:
		return keepInMap(t, now, previous)
	case reflect.Slice:
		return keepInList(t, now, previous)
	}
	return now, nil
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// opaque types write themselves: nothing is inside them but their value.
func opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonMarshaler) || p.Implements(textMarshaler)
}

func keepInStruct(t reflect.Type, now, previous []byte) ([]byte, error) {
	m, err := parseMembers(now)
	if err != nil {
		return nil, err
	}
	old, err := parseMembers(previous)
	if err != nil {
		return now, nil // an older form of the member, such as a scope as plain text
	}
	known := jsonFields(t)
	for _, o := range old {
		ft, isKnown := known[o.name]
		if !isKnown {
			m.set(o.name, o.value)
			continue
		}
		value, present := m.get(o.name)
		if !present {
			if ft.Kind() != reflect.Struct || opaque(ft) {
				continue
			}
			value = []byte("{}") // left out because it is empty; the unknown inside it stays
		}
		if value, err = keepUnknown(ft, value, o.value); err != nil {
			return nil, err
		}
		if present || string(value) != "{}" {
			m.set(o.name, value)
		}
	}
	return m.encode(), nil
}

func keepInMap(t reflect.Type, now, previous []byte) ([]byte, error) {
	m, err := parseMembers(now)
	if err != nil {
		return now, nil // null: an empty map
	}
	old, err := parseMembers(previous)
	if err != nil {
		return now, nil
	}
	for _, o := range old {
		value, present := m.get(o.name)
		if !present {
			continue
		}
		if value, err = keepUnknown(t.Elem(), value, o.value); err != nil {
			return nil, err
		}
		m.set(o.name, value)
	}
	return m.encode(), nil
}

// keepInList matches the entries of a list of structures by their id.
func keepInList(t reflect.Type, now, previous []byte) ([]byte, error) {
	if t.Elem().Kind() != reflect.Struct || opaque(t.Elem()) {
		return now, nil
	}
	var entries, old []json.RawMessage
	if err := json.Unmarshal(now, &entries); err != nil {
		return nil, err
	}
	if json.Unmarshal(previous, &old) != nil {
		return now, nil
	}
	byID := make(map[string]json.RawMessage, len(old))
	for _, o := range old {
		if id := entryID(o); id != "" {
			byID[id] = o
		}
	}
	for i, e := range entries {
		o, found := byID[entryID(e)]
		if !found {
			continue
		}
		kept, err := keepUnknown(t.Elem(), e, o)
		if err != nil {
			return nil, err
		}
		entries[i] = kept
	}
	return json.Marshal(entries)
}

func entryID(entry []byte) string {
	var e struct{ ID string }
	_ = json.Unmarshal(entry, &e) // an entry without a readable id matches nothing
	return e.ID
}

// jsonFields are the JSON members of a struct type, those of embedded structs
// among them.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			for n, ft := range jsonFields(f.Type) {
				fields[n] = ft
			}
		case f.IsExported() && name != "" && name != "-":
			fields[name] = f.Type
		}
	}
	return fields
}

// members are the members of a JSON object in their order.
type members []member

type member struct {
	name  string
	value json.RawMessage
}

func parseMembers(doc []byte) (members, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, errDocument
	}
	var all members
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		all = append(all, member{tok.(string), value})
	}
	return all, nil
}

func (m members) get(name string) (json.RawMessage, bool) {
	for _, one := range m {
		if one.name == name {
			return one.value, true
		}
	}
	return nil, false
}

func (m *members) set(name string, value json.RawMessage) {
	for i := range *m {
		if (*m)[i].name == name {
			(*m)[i].value = value
			return
		}
	}
	*m = append(*m, member{name, value})
}

func (m members) encode() []byte {
	b := []byte{'{'}
	for i, one := range m {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(one.name) // a string always marshals
		b = append(append(append(b, name...), ':'), one.value...)
	}
	return append(b, '}')
}
