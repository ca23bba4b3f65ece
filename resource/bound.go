package resource

import (
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// Values of Config.Bound.
const (
	BoundOptional = "optional" // as the empty string
	BoundRequired = "required" // in any way
	BoundDPoP     = "dpop"     // to a DPoP key (RFC 9449)
	BoundMTLS     = "mtls"     // to a client certificate (RFC 8705)
)

// checkBinding looks at the fields that need no other.
func (cfg *Config) checkBinding() error {
	if v := reflect.ValueOf(cfg.Replay); v.Kind() == reflect.Pointer && v.IsNil() {
		return wrong("Replay", errors.New("is a nil pointer; leave the field nil for a memory inside this process"))
	}
	switch cfg.Bound {
	case "", BoundOptional, BoundRequired, BoundDPoP, BoundMTLS:
		return nil
	}
	return wrong("Bound", fmt.Errorf("%q is none of optional, required, dpop, mtls", cfg.Bound))
}

// unbound is what a token says that is bound to nothing.
var unbound symbolon.Confirmation

// bound checks that the token is bound as far as this API demands it, and that
// whoever presents it has every key that it is bound to. What is remembered of
// a token never stands for this: it is asked anew for each request.
func (a *API) bound(r *Request, c credentials, v *verified, t *symbolon.Trace) (*dpop.Proof, *symbolon.Error) {
	cnf := v.caller.Claims.Confirmation
	switch {
	case cnf == nil:
		cnf = &unbound
	case *cnf == unbound || cnf.JKT != "" && !a.possession.can():
		// Who cannot check a binding must not take the token from just anybody.
		t.Fail("binding", "RFC 9449 §7.1, RFC 8705 §3", "a binding that can be checked here", "another one", "give the API a PublicURL, which proofs are compared with")
		return nil, errBound
	}
	if err := a.demand(cnf, t); err != nil {
		return nil, err
	}
	if err := c.fit(cnf, t); err != nil {
		return nil, err
	}
	if *cnf == unbound {
		t.OK("binding", "RFC 9449 §7.1, RFC 8705 §3", "every key in cnf", "no cnf")
		return nil, nil
	}
	if cnf.X5TS256 != "" {
		if err := certified(r.Certificate, cnf.X5TS256, t); err != nil {
			return nil, err
		}
	}
	if cnf.JKT == "" {
		return nil, nil
	}
	return a.proof(r, c.token, cnf.JKT, t)
}

// demand: Config.Bound.
func (a *API) demand(cnf *symbolon.Confirmation, t *symbolon.Trace) *symbolon.Error {
	ok, want := true, ""
	switch a.cfg.Bound {
	case BoundRequired:
		ok, want = *cnf != unbound, "a token that is bound to a key"
	case BoundDPoP:
		ok, want = cnf.JKT != "", "a token that is bound to a DPoP key"
	case BoundMTLS:
		ok, want = cnf.X5TS256 != "", "a token that is bound to a client certificate"
	}
	if !ok {
		t.Fail("bound", "RFC 9700 §2.2.1", want, "another one", errUnbound.Description)
		return errUnbound
	}
	if want != "" {
		t.OK("bound", "RFC 9700 §2.2.1", want, "")
	}
	return nil
}

// fit: RFC 9449 §7.1, §7.2: the scheme DPoP is for tokens that are bound to a
// DPoP key, and for these there is no other: under Bearer a stolen one would do.
func (c credentials) fit(cnf *symbolon.Confirmation, t *symbolon.Trace) *symbolon.Error {
	const clause = "RFC 9449 §7.1, §7.2"
	want, refused := symbolon.TokenTypeBearer, errNotDPoP
	if cnf.JKT != "" {
		want, refused = symbolon.TokenTypeDPoP, errDowngrade
	}
	if c.scheme != want {
		t.Fail("scheme", clause, want, c.scheme, refused.Description)
		return refused
	}
	t.OK("scheme", clause, want, c.scheme)
	return nil
}

// certified: RFC 8705 §3: the certificate of this connection, hashed now, is the
// one that the token is bound to. Who issued it and whether it has expired were
// the issuer's to judge; TLS has shown that the caller has its key.
func certified(cert *x509.Certificate, thumbprint string, t *symbolon.Trace) *symbolon.Error {
	const clause = "RFC 8705 §3"
	if cert == nil || len(cert.Raw) == 0 {
		t.Fail("certificate", clause, thumbprint, "no certificate", errNoCertificate.Description)
		return errNoCertificate
	}
	got := symbolon.CertificateThumbprint(cert.Raw)
	if subtle.ConstantTimeCompare([]byte(got), []byte(thumbprint)) != 1 {
		t.Fail("certificate", clause, thumbprint, got, errOtherCertificate.Description)
		return errOtherCertificate
	}
	t.OK("certificate", clause, thumbprint, got)
	return nil
}
