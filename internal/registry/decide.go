package registry

import (
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Facts are what a token request has shown by the time it is decided: who
// asks, at which issuer, and for what.
type Facts struct {
	Issuer     *IssuerView // of the snapshot that Decide gets
	Client     *Client     // authenticated
	Credential string      // id of the credential that authenticated it
	Method     string      // by its registered name (RFC 7591 §2)
	Resources  []string    // values of resource, in the order of the request
	Audience   string      // value of audience; "": none
	Scopes     []string    // values of scope, in the order of the request; empty: none asked
	Now        time.Time
}

// Decision is what the token will be. Its slices and maps belong to the
// snapshot, the client or the facts: nothing in them may be changed.
type Decision struct {
	APIs      []*API
	Audience  []string // identifiers of APIs
	Scopes    []string
	Scope     string // Scopes, joined with spaces
	Lifetime  time.Duration
	Algorithm jose.Algorithm
	Format    string // FormatJWT
	Typ       string // header parameter typ
	Extra     map[string]json.RawMessage
}

// Decide says which API, scopes and lifetime the request gets, or refuses with
// a *symbolon.Error.
func Decide(s *Snapshot, f Facts, t *symbolon.Trace) (*Decision, error) { panic("not yet") }
