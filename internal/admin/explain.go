package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Explanation is everything that is known about a request.
type Explanation struct {
	RequestID string         `json:"request_id"`
	Record    *audit.Record  `json:"record,omitempty" doc:"Of a request at an OAuth endpoint"`
	Changes   []ChangeRecord `json:"changes" doc:"That the request made"`
	Words     []string       `json:"words" doc:"The same, for people"`
}

// Explain tells what became of a request: which checks were made, in their
// order, with what was expected and what was there. A refusal on another node
// is found once that node has copied it to the store, which it does with some of
// each client and network.
func (a *Admin) Explain(ctx context.Context, actor Actor, requestID string) (Explanation, error) {
	out := Explanation{RequestID: requestID}
	if err := actor.May(AuditRead); err != nil {
		return out, err
	}
	if requestID == "" {
		return out, invalid("copy it from the answer's Request-Id header", "there is no request id")
	}
	var err error
	if a.SpoolDir != "" {
		if out.Record, err = audit.Find(ctx, a.SpoolDir, requestID); err != nil && !errors.Is(err, audit.ErrNotFound) {
			return out, err
		}
	}
	if out.Changes, err = a.Changes(ctx, actor, ChangeQuery{RequestID: requestID, Limit: 1000}); err != nil {
		return out, err
	}
	slices.Reverse(out.Changes) // in the order in which they were made
	if out.Record == nil {
		if out.Record, err = a.shippedRefusal(ctx, requestID); err != nil {
			return out, err
		}
	}
	if out.Record == nil && len(out.Changes) == 0 {
		return out, a.notRecorded(ctx, requestID)
	}
	out.Words = out.words()
	return out, nil
}

// requestIDLength is that of 128 bits in base64url.
const requestIDLength = 22

// LooksLikeRequestID reports whether the text has the form of the ids that
// servers give requests.
func LooksLikeRequestID(text string) bool {
	return len(text) == requestIDLength && text[0] != '-' && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// notRecorded says why there may be nothing under a request id.
func (a *Admin) notRecorded(ctx context.Context, requestID string) error {
	e := &Error{Code: NotFound, Message: "nothing is recorded under this request id"}
	if !LooksLikeRequestID(requestID) {
		e.Message += ", which is none"
		e.Fix = fmt.Sprintf("copy it whole from the answer's Request-Id header: %d letters, digits, - and _", requestIDLength)
		return e
	}
	kept := "for as long as audit.keep says"
	if a.Keep > 0 {
		kept = fmt.Sprintf("for %s (audit.keep)", registry.Duration(a.Keep))
	}
	e.Fix = "compare it with the answer's Request-Id header; what clients asked is kept " + kept +
		", of a flood of refusals a part, and of requests to other places nothing; what a guard answered is in its log (symbolon guard --log debug)"
	if others := a.otherNodes(ctx); len(others) > 0 {
		e.Fix += "; or another node answered it (" + strings.Join(others, ", ") + "): ask there, for tokens and for refusals that were not copied to the store"
	}
	return e
}

// otherNodes names some of them. Without them the answer is shorter, not wrong.
func (a *Admin) otherNodes(ctx context.Context) (ids []string) {
	nodes, err := a.Store.Nodes(ctx)
	if err != nil {
		return nil
	}
	for _, n := range nodes {
		if n.ID == a.Node {
			continue
		}
		if len(ids) == maxNamed {
			return append(ids, "…")
		}
		ids = append(ids, n.ID)
	}
	return ids
}

// maxNamed bounds how many nodes a sentence names.
const maxNamed = 8

// shippedRefusal finds a refusal among the records that nodes have handed in.
func (a *Admin) shippedRefusal(ctx context.Context, requestID string) (*audit.Record, error) {
	if !store.Storable(requestID) {
		return nil, nil
	}
	rows, err := a.Store.Records(ctx, store.RecordQuery{RequestID: requestID, Class: store.ClassRefusal, Limit: 1})
	if err != nil {
		return nil, fromStore(err)
	}
	if len(rows) == 0 || rows[0].Action == peerRefused {
		return nil, nil
	}
	r := new(audit.Record)
	if err := json.Unmarshal(rows[0].Doc, r); err != nil {
		return nil, nil // of a newer version; the changes are told all the same
	}
	return r, nil
}

// words tells the explanation in lines.
func (e *Explanation) words() []string {
	var out []string
	if e.Record != nil {
		out = append(out, recordWords(e.Record)...)
	}
	for _, c := range e.Changes {
		line := fmt.Sprintf("%s: %s", c.Actor, c.Action)
		if c.Object != "" {
			line += " " + c.Object
		}
		if c.Why != "" {
			line += " (" + c.Why + ")"
		}
		out = append(out, line)
		for _, f := range c.Fields {
			out = append(out, "  "+f.Words())
		}
		for _, d := range c.Denials {
			out = append(out, "  tokens refused: "+d.ID)
		}
	}
	return out
}

// Words tells one changed member: "token.lifetime: 1h → 10m".
func (f FieldChange) Words() string {
	const nothing = "(none)"
	return fmt.Sprintf("%s: %s → %s", f.Path, cmp.Or(f.Before, nothing), cmp.Or(f.After, nothing))
}

func recordWords(r *audit.Record) []string {
	var out []string
	who := cmp.Or(r.Client, "somebody")
	if !r.Verified && r.Client != "" {
		who += " (not proven)"
	}
	when := r.Time.UTC().Format("2006-01-02 15:04:05.000 MST")
	switch r.Outcome {
	case audit.Issued:
		out = append(out, fmt.Sprintf("%s: issued to %s at issuer %s", when, who, r.Issuer))
		out = append(out, fmt.Sprintf("  token %s, scope %q, for %s", r.JTI, r.Scope, cmp.Or(strings.Join(r.APIs, ", "), "no API")))
	case audit.Answered:
		out = append(out, fmt.Sprintf("%s: %s of %s answered at issuer %s", when, cmp.Or(r.Endpoint, "a question"), who, r.Issuer))
		if r.JTI != "" {
			about := "  about token " + r.JTI // its API and scopes are not the client's to know, or it is not good any more: the checks say
			if len(r.APIs) > 0 {
				about = fmt.Sprintf("  about token %s, scope %q, for %s", r.JTI, r.Scope, strings.Join(r.APIs, ", "))
			}
			out = append(out, about)
		}
		if r.Reason != "" {
			out = append(out, "  because: "+r.Reason)
		}
	default:
		out = append(out, fmt.Sprintf("%s: %s %s to %s at issuer %s", when, r.Outcome, r.Code, who, cmp.Or(r.Issuer, "(none)")))
		if r.Reason != "" {
			out = append(out, "  because: "+r.Reason)
		}
	}
	for _, c := range r.Checks {
		out = append(out, checkWords(c)...)
	}
	if r.Dropped > 0 {
		out = append(out, fmt.Sprintf("  … and %d more checks", r.Dropped))
	}
	return out
}

// checkWords tells one check, and what to do about it when it failed.
func checkWords(c symbolon.Check) []string {
	mark := "ok  "
	if !c.OK {
		mark = "FAIL"
	}
	line := fmt.Sprintf("  %s %s", mark, c.Name)
	if c.Clause != "" {
		line += " (" + c.Clause + ")"
	}
	if c.Expected != "" || c.Got != "" {
		line += fmt.Sprintf(": expected %s, got %s", cmp.Or(c.Expected, "nothing"), cmp.Or(c.Got, "nothing"))
	}
	if c.OK || c.Fix == "" {
		return []string{line}
	}
	return []string{line, "       what to do: " + c.Fix}
}
