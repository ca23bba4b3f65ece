package registry

import (
	"math"
	"slices"

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
	return v.denials.denied.whole(v.ID, t) || v.pending != nil && v.pending.whole(v.ID, t)
}

// DeniedAt reports whether the token is denied at the API with that identifier,
// one value of its aud: its client lost access there, or some of it.
func (v *IssuerView) DeniedAt(t TokenFacts, identifier string) bool {
	key := deniedAPI{v.ID, t.Client, identifier}
	return v.denials.denied.at(key, t.Gen) || v.pending != nil && v.pending.at(key, t.Gen)
}

// denied is a set of denials by what they name.
type denied struct {
	clients     layered[string, mark]
	apis        layered[deniedAPI, mark]
	issuers     layered[string, mark]
	credentials layered[deniedCredential, mark]
	jtis, kids  layered[ofIssuer, mark]
}

type (
	deniedAPI        struct{ issuer, client, identifier string }
	deniedCredential struct{ client, credential string }
	ofIssuer         struct{ issuer, id string }
)

// mark is the denial that refuses most of those that name one thing, and the
// others: there are some where an API has the identifier of one that is gone.
type mark struct {
	*Denial
	others *mark
}

// below is the position below which the denial refuses tokens; without one it
// refuses whatever gen a token has.
func (d *Denial) below() int64 {
	if d.N == 0 {
		return math.MaxInt64
	}
	return d.N
}

// refusesAt is refuses where not every denial of the mark concerns every issuer.
func (m mark) refusesAt(issuer string, gen int64) bool {
	for m.refuses(gen) {
		if m.Concerns(issuer) {
			return true
		}
		if m.others == nil {
			return false
		}
		m = *m.others // refuses less
	}
	return false
}

// refuses reports whether a token of that gen is refused.
func (m mark) refuses(gen int64) bool { return m.Denial != nil && gen < m.below() }

// with gives the mark with one more denial.
func (m mark) with(d *Denial) mark {
	switch {
	case m.Denial == nil:
		return mark{Denial: d}
	case m.below() < d.below():
		old := m // not m itself, which would be allocated each time
		return mark{d, &old}
	case m.others == nil:
		return mark{m.Denial, &mark{Denial: d}}
	}
	others := m.others.with(d)
	return mark{m.Denial, &others}
}

// without gives the mark without a denial; the zero mark where that was all.
func (m mark) without(d *Denial) mark {
	switch {
	case m.Denial == d && m.others != nil:
		return *m.others
	case m.Denial == d:
		return mark{}
	case m.others == nil:
		return m
	}
	if others := m.others.without(d); others.Denial != nil {
		return mark{m.Denial, &others}
	}
	return mark{Denial: m.Denial}
}

// edit gives a copy that takes the changes, to be ended by finish.
func (x denied) edit(changes []denialChange) denied {
	n := make(map[string]int)
	for _, c := range changes {
		for _, d := range []*Denial{c.was, c.now} {
			if d != nil {
				n[d.What]++
			}
		}
	}
	x.clients, x.apis, x.issuers = x.clients.edit(n[DenyClient]), x.apis.edit(n[DenyClientAPI]), x.issuers.edit(n[DenyIssuer])
	x.credentials, x.jtis, x.kids = x.credentials.edit(n[DenyCredential]), x.jtis.edit(n[DenyJTI]), x.kids.edit(n[DenyKID])
	return x
}

func (x *denied) finish() {
	x.clients.finish()
	x.apis.finish()
	x.issuers.finish()
	x.credentials.finish()
	x.jtis.finish()
	x.kids.finish()
}

// change gives f the mark of what the denial names, and keeps what it makes of it.
func (x *denied) change(d *Denial, f func(mark, *Denial) mark) {
	switch d.What {
	case DenyClient:
		x.clients.set(d.Client, f(x.clients.get(d.Client), d))
	case DenyClientAPI:
		key := deniedAPI{d.Issuer, d.Client, d.Audience}
		x.apis.set(key, f(x.apis.get(key), d))
	case DenyIssuer:
		x.issuers.set(d.Issuer, f(x.issuers.get(d.Issuer), d))
	case DenyCredential:
		key := deniedCredential{d.Client, d.Credential}
		x.credentials.set(key, f(x.credentials.get(key), d))
	case DenyJTI:
		key := ofIssuer{d.Issuer, d.JTI}
		x.jtis.set(key, f(x.jtis.get(key), d))
	case DenyKID:
		key := ofIssuer{d.Issuer, d.KID}
		x.kids.set(key, f(x.kids.get(key), d))
	}
}

func (x *denied) whole(issuer string, t TokenFacts) bool {
	return x.clients.get(t.Client).refusesAt(issuer, t.Gen) || x.issuers.get(issuer).refuses(t.Gen) ||
		x.credentials.get(deniedCredential{t.Client, t.Cred}).refusesAt(issuer, math.MinInt64) ||
		x.jtis.get(ofIssuer{issuer, t.JTI}).Denial != nil ||
		x.kids.get(ofIssuer{issuer, t.KID}).Denial != nil
}

func (x *denied) at(key deniedAPI, gen int64) bool { return x.apis.get(key).refuses(gen) }

// Concerns reports whether a denial can refuse a token of the issuer with that
// id: those of a client and of a credential can where the client got tokens.
func (d *Denial) Concerns(issuer string) bool {
	if d.Issuer != "" || d.What != DenyClient && d.What != DenyCredential {
		return d.Issuer == issuer
	}
	return len(d.Issuers) == 0 || slices.Contains(d.Issuers, issuer)
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
