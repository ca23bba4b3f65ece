package registry

import (
	"math"

	"github.com/symbolon/symbolon"
)

// TokenFacts are what decides whether a token of an issuer is denied: its claims
// and the id of the key that signed or sealed it.
type TokenFacts struct {
	Client string // client_id
	Cred   string
	JTI    string
	KID    string
	Gen    int64
}

// Denied reports whether the token as a whole is denied: by its client, its
// credential, its issuer, its key or itself. What is denied at single APIs says
// DeniedAt. It costs the same however many denials there are.
func (v *IssuerView) Denied(t TokenFacts) bool {
	return v.denied.whole(v.ID, t) || v.pending.whole(v.ID, t)
}

// DeniedAt reports whether the token is denied at the API with that identifier,
// one value of its aud: its client lost access there, or some of it.
func (v *IssuerView) DeniedAt(t TokenFacts, identifier string) bool {
	key := deniedAPI{v.ID, t.Client, identifier}
	return v.denied.at(key, t.Gen) || v.pending.at(key, t.Gen)
}

// denied is a set of denials by what they name. A position is that below which
// tokens are refused; always refuses them all.
type denied struct {
	clients     map[string]int64 // client → position
	apis        map[deniedAPI]int64
	issuers     map[string]int64 // issuer → position
	credentials map[deniedCredential]struct{}
	jtis, kids  map[ofIssuer]struct{}
}

const always = math.MaxInt64

type (
	deniedAPI        struct{ issuer, client, identifier string }
	deniedCredential struct{ client, credential string }
	ofIssuer         struct{ issuer, id string }
)

// newDenied makes room for so many denials of each sort: of a hundred thousand,
// growing would cost as much as all the rest.
func newDenied(n map[string]int) *denied {
	return &denied{
		clients: make(map[string]int64, n[DenyClient]), apis: make(map[deniedAPI]int64, n[DenyClientAPI]), issuers: make(map[string]int64, n[DenyIssuer]),
		credentials: make(map[deniedCredential]struct{}, n[DenyCredential]),
		jtis:        make(map[ofIssuer]struct{}, n[DenyJTI]), kids: make(map[ofIssuer]struct{}, n[DenyKID]),
	}
}

// add takes a denial; n is the position below which it refuses.
func (x *denied) add(d *Denial, n int64) {
	switch d.What {
	case DenyClient:
		x.clients[d.Client] = max(x.clients[d.Client], n)
	case DenyClientAPI:
		key := deniedAPI{d.Issuer, d.Client, d.Audience}
		x.apis[key] = max(x.apis[key], n)
	case DenyIssuer:
		x.issuers[d.Issuer] = max(x.issuers[d.Issuer], n)
	case DenyCredential:
		x.credentials[deniedCredential{d.Client, d.Credential}] = struct{}{}
	case DenyJTI:
		x.jtis[ofIssuer{d.Issuer, d.JTI}] = struct{}{}
	case DenyKID:
		x.kids[ofIssuer{d.Issuer, d.KID}] = struct{}{}
	}
}

func (x *denied) whole(issuer string, t TokenFacts) bool {
	if x == nil {
		return false
	}
	if n, ok := x.clients[t.Client]; ok && t.Gen < n {
		return true
	}
	if n, ok := x.issuers[issuer]; ok && t.Gen < n {
		return true
	}
	if _, ok := x.credentials[deniedCredential{t.Client, t.Cred}]; ok {
		return true
	}
	if _, ok := x.jtis[ofIssuer{issuer, t.JTI}]; ok {
		return true
	}
	_, ok := x.kids[ofIssuer{issuer, t.KID}]
	return ok
}

func (x *denied) at(key deniedAPI, gen int64) bool {
	if x == nil {
		return false
	}
	n, ok := x.apis[key]
	return ok && gen < n
}

// Concerns reports whether a denial can refuse a token of the issuer with that
// id: those of a client and of a credential can, wherever the client got it.
func (d *Denial) Concerns(issuer string) bool {
	return d.What == DenyClient || d.What == DenyCredential || d.Issuer == issuer
}

// Key is what stands in a revocation set for the denial; iss is the URL of the
// issuer whose set it is, epoch that of the set, or 0 for a pending entry.
func (d *Denial) Key(epoch int64, iss string) symbolon.DenialKey {
	switch d.What {
	case DenyClientAPI:
		return symbolon.NewDenialKey(epoch, symbolon.DenyClientAPI, d.Client, d.Audience)
	case DenyIssuer:
		return symbolon.NewDenialKey(epoch, symbolon.DenyIssuer, iss)
	case DenyCredential:
		return symbolon.NewDenialKey(epoch, symbolon.DenyCredential, d.Client, d.Credential)
	case DenyJTI:
		return symbolon.NewDenialKey(epoch, symbolon.DenyJTI, d.JTI)
	case DenyKID:
		return symbolon.NewDenialKey(epoch, symbolon.DenyKID, d.KID)
	}
	return symbolon.NewDenialKey(epoch, symbolon.DenyClient, d.Client)
}
