package admin

import "testing"

// TestBodiesReadOneWay: a member named twice, or a second value behind the
// first, is another request to whoever reads it otherwise.
func TestBodiesReadOneWay(t *testing.T) {
	type denial struct {
		What   string `json:"what"`
		Client string `json:"client"`
	}
	read := map[string]func(string) error{
		"ReadStrict":  func(doc string) error { _, err := ReadStrict[denial]([]byte(doc)); return err },
		"DecodeApply": func(doc string) error { _, err := DecodeApply([]byte(doc)); return err },
	}
	for _, c := range []struct {
		with, doc string
		ok        bool
	}{
		{"ReadStrict", `{"what":"client","client":"billing"}`, true},
		{"ReadStrict", `{"what":"client","client":"billing","client":"reports"}`, false},
		{"ReadStrict", `{"what":"client","client":"billing"} {"client":"reports"}`, false},
		{"ReadStrict", `{"what":"client","client":"billing","\u0063lient":"reports"}`, false},
		{"DecodeApply", `{"values":{"billing":{"s1":"a secret of eight"}}}`, true},
		{"DecodeApply", `{"values":{"billing":{"s1":"a secret of eight","s1":"another secret"}}}`, false},
		{"DecodeApply", `{"values":{}}{"values":{}}`, false},
	} {
		err := read[c.with](c.doc)
		if (err == nil) != c.ok || err != nil && CodeOf(err) != Invalid {
			t.Errorf("%s(%s): %v", c.with, c.doc, err)
		}
	}
}
