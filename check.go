package symbolon

// Check is one step of a verdict, in the order in which the steps were taken:
// what was tested, what was expected and seen, and what to do when it failed.
// The server writes them into a request's record, package resource gives them
// out as an explanation. No field ever holds a secret or a token.
type Check struct {
	Name     string `json:"name"`               // a short name, as "scope" or "signature"
	Clause   string `json:"clause,omitempty"`   // the text that demands it, as "RFC 6749 §5.2"
	Expected string `json:"expected,omitempty"` // what would have passed
	Got      string `json:"got,omitempty"`      // what was there
	OK       bool   `json:"ok"`
	Fix      string `json:"fix,omitempty"` // what to do about it; only when it failed
}

// Trace collects the checks of one request in order. The zero value is ready,
// and a nil Trace swallows everything.
type Trace struct {
	Checks []Check
}

// OK adds a check that passed.
func (t *Trace) OK(name, clause, expected, got string) {
	if t != nil {
		t.Checks = append(t.Checks, Check{Name: name, Clause: clause, Expected: expected, Got: got, OK: true})
	}
}

// Fail adds a check that did not pass, with what to do about it.
func (t *Trace) Fail(name, clause, expected, got, fix string) {
	if t != nil {
		t.Checks = append(t.Checks, Check{Name: name, Clause: clause, Expected: expected, Got: got, Fix: fix})
	}
}
