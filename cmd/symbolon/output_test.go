package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestJSONMovesNoCursor: U+009B begins a command to a terminal as ESC [ does,
// and U+202E turns the text after it around. Both may stand in a client_id that
// a stranger sent, and encoding/json lets both through.
func TestJSONMovesNoCursor(t *testing.T) {
	const hostile = "a\u009b31m\u202ed\u0085\u2028\x7f\u00ad\U000e0041é\U0001f600\\u009b"
	var out bytes.Buffer
	a := &app{stdout: &out}
	if err := a.printJSON(map[string]string{"client": hostile}); err != nil {
		t.Fatal(err)
	}
	for _, r := range "\u009b\u202e\u0085\u2028\x7f\u00ad\U000e0041" {
		if bytes.ContainsRune(out.Bytes(), r) {
			t.Errorf("%U reaches the terminal in %+q", r, out.String())
		}
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["client"] != hostile {
		t.Errorf("got %+q, %v; want the same text back", back["client"], err)
	}
	if !bytes.ContainsRune(out.Bytes(), 'é') {
		t.Error("letters are escaped too")
	}
}
