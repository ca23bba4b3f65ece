package admin_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
)

// TestReadKnown: more than is asked for is passed over, and what reads in two ways
// is refused, at every depth.
func TestReadKnown(t *testing.T) {
	type inner struct {
		Name string `json:"name"`
	}
	type outer struct {
		Name string           `json:"name"`
		In   inner            `json:"in"`
		List []*inner         `json:"list"`
		By   map[string]inner `json:"by"`
		Raw  json.RawMessage  `json:"raw"`
		Any  any              `json:"any"`
	}
	for doc, want := range map[string]string{
		`{"name":"a","in":{"name":"b"},"list":[{"name":"c"},null],"by":{"x":{"name":"d"},"X":{}},"raw":{"NAME":1,"Name":2},"any":{"NAME":[]}}`: "a",
		`{"name":"a","more":{"x":1,"X":2},"list":null,"by":null,"in":null}`:                                                                    "a",
		`{}`: "",

		`{"name":"a","Name":"b"}`:           "case",
		`{"NAME":"b"}`:                      "case",
		`{"in":{"name":"a","nAme":"b"}}`:    "case",
		`{"list":[{},{"namE":"b"}]}`:        "case",
		`{"by":{"x":{"Name":"b"}}}`:         "case",
		`{"li` + "\u017f" + `t":[]}`:        "case", // the long s, which encoding/json folds
		`{"Raw":1}`:                         "case",
		`{"name":"a","name":"b"}`:           "refused",
		`{"name":"a","n\u0061me":"b"}`:      "refused",
		`{"in":{"name":"a","name":"b"}}`:    "refused",
		`{"more":{"deep":[{"x":1,"x":1}]}}`: "refused",
		"{\"name\":\"a\xff\"}":              "refused",
		`{"name":"\ud800"}`:                 "refused",
		"\ufeff{}":                          "refused",
		`{}{}`:                              "refused",
		`{"name":1}`:                        "refused",
		`[{"name":"a"}]`:                    "refused",
		`{"":1},"name":{"name":"a"}`:        "refused",
		``:                                  "refused",
		`{"more":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}`: "refused",
	} {
		var got outer
		err := admin.ReadKnown([]byte(doc), &got)
		switch want {
		case "case":
			if !errors.Is(err, admin.ErrOtherCase) {
				t.Errorf("%s: %v", doc, err)
			}
		case "refused":
			if err == nil || errors.Is(err, admin.ErrOtherCase) {
				t.Errorf("%s: %v", doc, err)
			}
		default:
			if err != nil || got.Name != want {
				t.Errorf("%s: %v %+v", doc, err, got)
			}
		}
	}
	var list []inner
	if err := admin.ReadKnown([]byte(` [{"name":"a","more":1}]`), &list); err != nil || len(list) != 1 || list[0].Name != "a" {
		t.Errorf("%v %+v", err, list)
	}
	if err := admin.ReadKnown([]byte(`[{"name":"a","Name":"b"}]`), &list); !errors.Is(err, admin.ErrOtherCase) {
		t.Error(err)
	}
	if err := admin.ReadKnown([]byte(`1}, "name":{"x":2`), new(int)); err == nil {
		t.Error("two values are one")
	}
}
