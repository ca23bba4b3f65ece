package server

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// request is what a request of a client says, one value per parameter. Empty is
// absent: RFC 6749 §3.2 treats them alike.
type request struct {
	ClientID string // as claimed, in the header or in the body
	Secret   string // as presented; not when Method is empty
	Method   string // how the client authenticates, by its registered name; "" when it does not

	// RawSecret is the other reading of the Authorization header, where the issuer
	// takes either and they differ.
	RawSecret string
	leak      *leak // a secret that came in the URL; nil: none did

	// Of a token request.
	GrantType string
	Scope     string
	Scopes    []string // of Scope
	Resources []string // without repetitions
	Audience  string

	Token  string   // that the request is about, at the other endpoints
	Accept []string // lines of the Accept header

	Assertion   *assertion          // with AuthPrivateKeyJWT
	Proofs      []string            // values of the DPoP header
	Certificate *x509.Certificate   // of the connection; whoever presented it has its key
	Chain       []*x509.Certificate // what came along with it
}

// String tells the method only: a request holds a secret, and is never printed.
func (q request) String() string { return "request (" + q.Method + ")" }

// GoString is String, for %#v.
func (q request) GoString() string { return q.String() }

// LogValue is String, for slog.
func (q request) LogValue() slog.Value { return slog.StringValue(q.String()) }

// Refusals of a request that is not well-formed. They come before any client is
// looked at, so they may say precisely what is wrong.
var (
	errContentType = symbolon.NewError(symbolon.InvalidRequest,
		"the Content-Type must be application/x-www-form-urlencoded, without a Content-Encoding")
	errTwoMethods = symbolon.NewError(symbolon.InvalidRequest,
		"the request authenticates in more than one way; send one of the Authorization header, client_secret and client_assertion")
	errTwoClients = symbolon.NewError(symbolon.InvalidRequest,
		"client_id differs from the client in the Authorization header; leave one of them out")
	errNoClientID = symbolon.NewError(symbolon.InvalidRequest,
		"client_secret came without client_id; send both, or use the Authorization header")
	errHalfAssertion = symbolon.NewError(symbolon.InvalidRequest,
		"client_assertion and client_assertion_type belong together; send both")
	errNoToken = symbolon.NewError(symbolon.InvalidRequest,
		"token is missing; send the token that the request is about")
	errScopeForm = symbolon.NewError(symbolon.InvalidScope,
		"scope holds a character that no scope may have; send scope values separated by spaces")
)

// manner is how a request may be written. The zero manner is RFC 6749's.
type manner struct {
	json     bool     // the body may be JSON
	query    []string // names of parameters that may stand in the URL when there is no body
	rawBasic bool     // the secret of the Authorization header may stand there as it is
}

// readRequest reads the parameters and the credentials of a client's request. It
// is the last to see the *http.Request. It gives what it has read also with an
// error, for the record. The body is read into the space of buf, which grows.
func readRequest(x *web.Exchange, r *http.Request, m manner, buf *[]byte) (*request, error) {
	q := &request{Proofs: r.Header[symbolon.HeaderDPoP], Accept: r.Header["Accept"], Certificate: x.Certificate, Chain: x.Chain}
	// RFC 6749 §3.2: the client MUST use POST.
	if err := web.CheckMethod(x, r, http.MethodPost); err != nil {
		if cause := q.leaked(r.URL.RawQuery); cause != nil {
			err = symbolon.AsError(err).WithCause(cause)
		}
		return q, err
	}
	var f form
	var err error
	if r.URL.RawQuery != "" {
		err = q.readQuery(&f, r, m, buf)
	} else {
		err = readBody(&f, r, m, buf)
	}
	if err != nil {
		return q, err
	}
	q.GrantType, q.Scope, q.Audience, q.Resources = f.grantType, f.scope, f.audience, f.resources
	q.Token = f.token
	err = q.credentials(&f, r.Header["Authorization"], m.rawBasic)
	if x.Claimed && errors.Is(err, errNoAuthentication) {
		err = registry.ErrClient.WithCause(errClaimed)
	}
	return q, err
}

// readBody reads the parameters from the body.
func readBody(f *form, r *http.Request, m manner, buf *[]byte) error {
	asJSON := m.json && isType(r.Header, jsonType)
	switch {
	case asJSON || isType(r.Header, formType):
	case m.json:
		return errFormOrJSON
	default:
		return errContentType
	}
	body, err := web.ReadBody(r, symbolon.MaxBody, *buf)
	if err != nil {
		return err
	}
	*buf = body
	if asJSON {
		return f.parseJSON(body)
	}
	return f.parse(string(body))
}

// readQuery reads the parameters from the URL, where they may stand there; else it
// tells the operator what came through the URL.
func (q *request) readQuery(f *form, r *http.Request, m manner, buf *[]byte) error {
	if cause := q.leaked(r.URL.RawQuery); q.leak != nil || cause != nil && len(m.query) == 0 {
		return errQuery.WithCause(cause)
	}
	if len(m.query) == 0 {
		return errQuery
	}
	// A body could say something else, and be what a proxy in front decided on.
	switch body, err := web.ReadBody(r, symbolon.MaxBody, *buf); {
	case err != nil:
		return err
	case len(body) > 0:
		return errQuery
	}
	return f.parseQuery(r.URL.RawQuery, m.query)
}

const formType = "application/x-www-form-urlencoded"

// isType reports whether the body is plain text of that media type. Parameters of
// the type, which programs send as charset=UTF-8, change nothing: a form's own
// escapes are UTF-8 (RFC 6749 Appendix B), and so is JSON (RFC 8259 §8.1).
func isType(h http.Header, want string) bool {
	if e := h["Content-Encoding"]; len(e) > 0 && !(len(e) == 1 && strings.EqualFold(e[0], "identity")) {
		return false
	}
	types := h["Content-Type"]
	if len(types) != 1 {
		return false
	}
	if types[0] == want {
		return true
	}
	media, _, _ := strings.Cut(types[0], ";")
	return strings.EqualFold(strings.Trim(media, " \t"), want)
}

// credentials takes the client's identity from the Authorization header or from
// the body. RFC 6749 §2.3: the client MUST NOT use more than one method.
func (q *request) credentials(f *form, headers []string, raw bool) error {
	q.ClientID = f.clientID
	asserts := f.assertion != "" || f.assertionType != ""
	if len(headers) > 0 {
		if len(headers) > 1 || f.clientSecret != "" || asserts {
			return errTwoMethods
		}
		var id string
		var err error
		if raw {
			id, q.Secret, q.RawSecret, err = parseRawBasic(headers[0])
		} else {
			id, q.Secret, err = parseBasic(headers[0])
		}
		if err != nil {
			return err
		}
		if f.clientID != "" && f.clientID != id {
			return errTwoClients
		}
		q.ClientID, q.Method = id, symbolon.AuthSecretBasic
		return nil
	}
	switch {
	case f.clientSecret != "" && asserts:
		return errTwoMethods
	case asserts:
		return q.assert(f)
	case f.clientSecret != "" && f.clientID == "":
		return errNoClientID
	case f.clientSecret != "":
		q.Secret, q.Method = f.clientSecret, symbolon.AuthSecretPost
	case q.Certificate != nil && f.clientID != "":
		// RFC 8705 §2: the client_id tells whose certificate it is. Which of the two
		// methods it is follows from the client's credentials.
		q.Method = symbolon.AuthTLSClient
	default:
		return registry.ErrClient.WithCause(errNoAuthentication)
	}
	return nil
}

// assert takes the client's identity from an assertion (RFC 7523 §2.2). RFC 7521
// §4.2: client_id may be left out, then the assertion's subject is the client.
func (q *request) assert(f *form) (err error) {
	if f.assertion == "" || f.assertionType == "" {
		return errHalfAssertion
	}
	q.Method = symbolon.AuthPrivateKeyJWT
	if f.assertionType != symbolon.AssertionTypeJWT {
		return registry.ErrClient.WithCause(errAssertionType)
	}
	if q.Assertion, err = readAssertion(f.assertion); err != nil {
		return registry.ErrClient.WithCause(err)
	}
	if q.ClientID == "" {
		if q.ClientID, err = q.Assertion.claimed(); err != nil {
			return registry.ErrClient.WithCause(err)
		}
		if q.ClientID == "" || !printable(q.ClientID) {
			return registry.ErrClient.WithCause(errNoSubject)
		}
	}
	return nil
}

// readScope takes the value of scope apart.
func (q *request) readScope() (err error) {
	q.Scopes, err = splitScope(q.Scope)
	return err
}

// splitScope refuses other characters than those of RFC 6749 §3.3, but not more
// spaces than needed, since programs that join lists send them.
func splitScope(scope string) ([]string, error) {
	if scope == "" {
		return nil, nil
	}
	scopes := make([]string, 0, 1+strings.Count(scope, " "))
	for scope != "" {
		var one string
		if one, scope, _ = strings.Cut(scope, " "); one == "" {
			continue
		}
		if !symbolon.ValidScope(one) {
			return nil, errScopeForm
		}
		scopes = append(scopes, one)
	}
	return scopes, nil
}

// wantToken demands the token that the request is about.
func (q *request) wantToken() error {
	if q.Token == "" {
		return errNoToken
	}
	return nil
}
