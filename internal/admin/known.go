package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"github.com/symbolon/symbolon/internal/jose"
)

// ErrOtherCase is a member whose name differs from a known one in case alone.
var ErrOtherCase = errors.New("the name of a member differs from a known one in case alone")

// ReadKnown reads one JSON value into what into points to, from whoever may send
// more than is asked for: members that it does not have are passed over. Refused is
// what one reader takes for this and another for that: a member that is there
// twice, whether it is known or not, one that is [ErrOtherCase], and text that is
// not UTF-8. The caller bounds the length of doc.
func ReadKnown(doc []byte, into any) error {
	object := doc
	if !bytes.HasPrefix(bytes.TrimLeft(doc, " \t\r\n"), []byte("{")) {
		object = append(append([]byte(`{"":`), doc...), '}')
	}
	if err := jose.CheckObject(object); err != nil {
		return unreadable(err)
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return unreadable(err)
	}
	return sameCase(reflect.TypeOf(into), doc)
}

// sameCase looks for members that encoding/json took for a known one though their
// names are spelt otherwise: of those and the right one the last would count.
func sameCase(t reflect.Type, doc []byte) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if _, own := reflect.PointerTo(t).MethodByName("UnmarshalJSON"); own || isText(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return eachElement(t.Elem(), doc)
	case reflect.Map:
		return eachMember(doc, func(string) (reflect.Type, error) { return t.Elem(), nil })
	case reflect.Struct:
		return eachMember(doc, func(name string) (reflect.Type, error) { return memberType(t, name) })
	}
	return nil
}

// memberType is the type of a structure's member of exactly that name; nil: it has
// none.
func memberType(t reflect.Type, name string) (reflect.Type, error) {
	if f, known := memberOf(t, name); known {
		return f.Type, nil
	}
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" {
			tag = f.Name
		}
		if strings.EqualFold(tag, name) {
			return nil, ErrOtherCase
		}
	}
	return nil, nil
}

func eachElement(t reflect.Type, doc []byte) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(doc, &elements); err != nil {
		return unreadable(err)
	}
	for _, element := range elements {
		if err := sameCase(t, element); err != nil {
			return err
		}
	}
	return nil
}

func eachMember(doc []byte, typeOf func(name string) (reflect.Type, error)) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil {
		return unreadable(err)
	}
	for name, value := range members {
		t, err := typeOf(name)
		if err == nil && t != nil {
			err = sameCase(t, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
