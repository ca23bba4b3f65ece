package resource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/symbolon/symbolon"
)

// Values of Revocations.OnStale.
const (
	OnStaleAllow = "allow" // as the empty string
	OnStaleDeny  = "deny"
)

// Revocations says how an API follows what its issuers deny: the revocation set
// that an issuer's metadata names (docs/revocation-set.md). The zero value follows
// it where there is one: a denial is heard of within a second, and while the
// issuer cannot be heard the last good set stays in force.
type Revocations struct {
	// Off follows no set: a token is good until it expires.
	Off bool
	// MaxAge is for how long an issuer that was not heard is taken to have denied
	// nothing new; zero: 30 s, at least 25 s: a quiet issuer is heard every 20 s.
	MaxAge time.Duration
	// OnStale says what happens after MaxAge, and at an issuer whose set was never
	// heard: OnStaleAllow (as the empty string) goes by the last good set,
	// OnStaleDeny answers 503.
	OnStale string
	// MaxStale is how old the set may be at all, by the time at which the node that
	// made it last heard from its store; zero: 24 h. After that requests are
	// answered 503. It should be no less than the server's max_stale.
	MaxStale time.Duration
}

const (
	defaultMaxAge = 30 * time.Second
	minMaxAge     = 25 * time.Second
)

func (r *Revocations) check() error {
	switch {
	case r.OnStale != "" && r.OnStale != OnStaleAllow && r.OnStale != OnStaleDeny:
		return wrong("Revocations.OnStale", fmt.Errorf("%q is none of allow, deny", r.OnStale))
	case r.MaxAge != 0 && r.MaxAge < minMaxAge:
		return wrong("Revocations.MaxAge", fmt.Errorf("must be %s or more: a quiet issuer is heard every %s", minMaxAge, setWait))
	case r.MaxStale < 0:
		return wrong("Revocations.MaxStale", errors.New("must not be negative"))
	case r.Off && *r != Revocations{Off: true}:
		return wrong("Revocations", errors.New("is Off and says more; leave the rest away, or Off"))
	}
	return nil
}

func (r *Revocations) defaults() {
	if r.MaxAge == 0 {
		r.MaxAge = defaultMaxAge
	}
	if r.MaxStale == 0 {
		r.MaxStale = defaultMaxStale
	}
	if r.OnStale == "" {
		r.OnStale = OnStaleAllow
	}
}

// denied checks that the issuer denies nothing that the token is of. It comes
// after the signature: gen and cred are the issuer's words.
func (a *API) denied(ctx context.Context, v *verified, t *symbolon.Trace) *symbolon.Error {
	if v.from == nil || a.cfg.Revocations.Off {
		return nil // the issuer was asked about this very token, or it is not asked at all
	}
	set, failed := v.from.denied.inForce(ctx, a.cfg.Now(), t)
	if failed != nil || set == nil {
		return failed
	}
	const name, clause = "revocation", "docs/revocation-set.md"
	c := v.caller.Claims
	if c.Gen == 0 || c.Cred == "" {
		t.Fail(name, clause, "gen and cred, of an issuer that publishes what it denies", "one is missing", "the issuer signs tokens of two kinds: ask its operator")
		return errNoGen
	}
	if set.empty() {
		t.OK(name, clause, "nothing that is denied", "the issuer denies nothing")
		return nil
	}
	if what := a.listed(set, v, c.Gen); what >= 0 {
		t.Fail(name, clause, "nothing that is denied", deniedWhats[what].got, deniedWhats[what].fix)
		return errRevoked
	}
	t.OK(name, clause, "nothing that is denied", "not denied")
	return nil
}

// deniedWhats explain, in the order of denialKeys, what of a token is denied.
var deniedWhats = [...]struct{ got, fix string }{
	{"the client's tokens are denied", "ask for a new one; if that is refused too, an operator has disabled the client"},
	{"the client's tokens for this API are denied", "ask for a new one; if that is refused too, the client has lost its access, or some of it"},
	{"all tokens of that time are denied", "ask for a new one: the issuer's data was restored, or an operator denied all"},
	{"the credential is denied with which it was got", "ask for a new one with another credential of the client's"},
	{"this one token is denied", "ask for a new one: the client, or an operator, has revoked this one"},
	{"the key is denied that signed it", "ask for a new one: the issuer signs with another key now"},
}

// Stands tells whether the token of a caller whom Check let in would be taken
// now, for streams and sessions that outlive the request: nil, or the
// *symbolon.Error that says why not. It costs no signature; a token that the
// issuer was asked about is asked about again when that is a few seconds ago.
func (a *API) Stands(ctx context.Context, c *Caller) error {
	v := c.token
	if v == nil {
		return errMalformed // no caller of ours
	}
	now := a.cfg.Now()
	if now.Unix() >= v.caller.Claims.Expiry {
		return errExpired
	}
	if v.asked != nil {
		if failed := a.again(ctx, v); failed != nil {
			return failed
		}
		return nil
	}
	if !v.from.keys.has(v.key, now) {
		return errKey
	}
	if failed := a.denied(ctx, v, nil); failed != nil {
		return failed
	}
	return nil
}

// listed gives the place in denialKeys of what the set refuses of the token; -1:
// nothing. The keys of a remembered token are kept beside it; those of others stay on
// the stack.
func (a *API) listed(set *heldSet, v *verified, gen int64) int {
	keys := v.denial.Load()
	if keys == nil || keys.epoch != set.epoch {
		var made denialKeys
		made.make(v, a.cfg.Audience, set.epoch)
		if a.cache != nil {
			kept := made
			v.denial.Store(&kept)
		}
		keys = &made
	}
	if what := set.denies(keys, gen); what >= 0 || len(set.pendingKeys) == 0 {
		return what
	}
	var pending denialKeys
	pending.make(v, a.cfg.Audience, 0)
	return set.pends(&pending)
}

// denialKeys are the keys of one token in the sets of one epoch.
type denialKeys struct {
	epoch int64
	all   [6]symbolon.DenialKey
}

func (k *denialKeys) make(v *verified, audience string, epoch int64) {
	c := v.caller.Claims
	k.epoch = epoch
	k.all = [6]symbolon.DenialKey{
		symbolon.NewDenialKey(epoch, symbolon.DenyClient, c.ClientID),
		symbolon.NewDenialKey(epoch, symbolon.DenyClientAPI, c.ClientID, audience),
		symbolon.NewDenialKey(epoch, symbolon.DenyIssuer, c.Issuer),
		symbolon.NewDenialKey(epoch, symbolon.DenyCredential, c.ClientID, c.Cred),
		symbolon.NewDenialKey(epoch, symbolon.DenyJTI, c.ID),
		symbolon.NewDenialKey(epoch, symbolon.DenyKID, v.key.ID),
	}
}
