package registry

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNewer is wrapped when a document asks for a newer program: it may rest on
// rules that this one does not know, so it is not used.
var ErrNewer = errors.New("written for a newer version")

// errDocument is wrapped by every other error about a stored document.
var errDocument = errors.New("malformed document")

// Decode reads a stored document of the kind. The result is a pointer to the
// kind's type. Members that this version does not know are ignored here and
// kept by Encode. Errors: ErrNewer, or a malformed document; they never repeat
// what the document holds.
func Decode(kind string, doc []byte) (any, error) {
	switch kind {
	case KindIssuer:
		return decode[Issuer](kind, doc)
	case KindAPI:
		return decode[API](kind, doc)
	case KindClient:
		return decode[Client](kind, doc)
	case KindKey:
		return decode[Key](kind, doc)
	case KindOperator:
		return decode[Operator](kind, doc)
	case KindOperatorToken:
		return decode[OperatorToken](kind, doc)
	case KindDenial:
		return decode[Denial](kind, doc)
	}
	return nil, fmt.Errorf("%w: kind %q is unknown", ErrNewer, kind)
}

// DecodeClient reads the document of a client.
func DecodeClient(doc []byte) (*Client, error) { return decodeAs[Client](KindClient, doc) }

// DecodeKey reads the document of a key.
func DecodeKey(doc []byte) (*Key, error) { return decodeAs[Key](KindKey, doc) }

// decode is decodeAs with a result that is nil, not a nil pointer, on error.
func decode[T any](kind string, doc []byte) (any, error) {
	obj, err := decodeAs[T](kind, doc)
	if err != nil {
		return nil, err
	}
	return obj, nil
}

func decodeAs[T any](kind string, doc []byte) (*T, error) {
	if err := checkMin(kind, doc); err != nil {
		return nil, err
	}
	obj := new(T)
	if err := json.Unmarshal(doc, obj); err != nil {
		return nil, malformed(kind, err)
	}
	if c, ok := any(obj).(*Client); ok {
		c.parse()
	}
	return obj, nil
}

// checkMin looks at the version first: the members of a newer document may
// have types that this version cannot read.
func checkMin(kind string, doc []byte) error {
	var meta struct {
		Min int `json:"min"`
	}
	if err := json.Unmarshal(doc, &meta); err != nil {
		return malformed(kind, err)
	}
	if meta.Min > DocVersion {
		return fmt.Errorf("%s %w: it needs document version %d, this program knows up to %d", kind, ErrNewer, meta.Min, DocVersion)
	}
	return nil
}

// malformed tells where a document is wrong, not with what value.
func malformed(kind string, err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Errorf("%w of kind %s: member %q has the wrong type", errDocument, kind, wrongType.Field)
	}
	return fmt.Errorf("%w of kind %s: it is not readable JSON of that kind", errDocument, kind)
}
