package dialect

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/web"
	"github.com/symbolon/symbolon/resource"
)

// management is what the vendors' management APIs share.
type management struct {
	mu   sync.Mutex
	seen registry.Position        // of the snapshot by which apis was last cleared out
	apis map[string]*resource.API // of each organisation, by iss
	may  allowances
}

// managed is a call of a management API under way.
type managed struct {
	server.Place
	x     *web.Exchange
	r     *http.Request
	actor admin.Actor   // who asks; the zero Actor before admit
	who   server.Caller // for records; the zero Caller before anybody is known

	shown *resource.Caller // of the access token, once its proof has been taken; nil: none was shown
	still func() error     // asks once more whether the caller may; nil before admit

	looked int // how many objects were looked at for a list

	status int    // of the answer; 0: there is none yet
	text   []byte // its body
}

// demand is what a call needs.
type demand struct {
	// scopes of the organisation's management API, any of which will do for a token.
	scopes []string
	// permissions that the operations of the call need: an operator token's role
	// must have them, a client gets these alone.
	permissions []admin.Permission
}

// Refusals of who asks. The sentences are the same whatever is wrong with a token.
var (
	errNoCaller   = symbolon.NewError(symbolon.InvalidToken, "no access token: send one in the Authorization header")
	errNotCaller  = symbolon.NewError(symbolon.InvalidToken, "the token is not known here, has expired or was revoked")
	errNoScope    = symbolon.NewError(symbolon.InsufficientScope, "the access token lacks a scope that this request needs")
	errNoManaging = symbolon.NewError(symbolon.InsufficientScope, "this issuer has no management API")
)

// serveManaged makes a route's Serve of a call. Each leaves a record, so that the id
// in the answer leads to who asked, and to the cause of a refusal. No answer to who
// reads leaves without it. A change has its own in the store already: its answer,
// which may hold the only copy of a secret, goes out in any case.
func (e *Endpoints) serveManaged(handle func(*managed) error) func(server.Place, http.ResponseWriter, *http.Request) error {
	return func(at server.Place, w http.ResponseWriter, r *http.Request) error {
		c := &managed{Place: at, x: web.ExchangeOf(w), r: r}
		web.NoStore(w.Header())
		if err := handle(c); err != nil {
			return e.cfg.Server.Refused(at, c.x, c.who, err)
		}
		if err := e.cfg.Server.Answered(at, c.x, c.who); err != nil && reads(r) {
			return err
		}
		c.send()
		return nil
	}
}

// admit finds out who asks, and refuses whoever may not. From then on c.actor
// reaches the objects of the organisation and no others.
func (e *Endpoints) admit(c *managed, d demand) error {
	if err := e.permit(c, d); err != nil {
		return err
	}
	c.still = func() (err error) {
		if c.Place, err = e.cfg.Server.Latest(c.Place); err != nil {
			return err
		}
		return e.permit(c, d)
	}
	return e.management.may.take(c)
}

// permit says by the call's place who asks, and whether it may.
func (e *Endpoints) permit(c *managed, d demand) (err error) {
	if err := e.cfg.Server.Current(c.Place); err != nil {
		return err
	}
	c.who = server.Caller{}
	if c.actor, err = e.identify(c, d); err != nil {
		return err
	}
	for _, p := range d.permissions {
		if err := c.actor.May(p); err != nil {
			return errNoScope.WithCause(err)
		}
	}
	return nil
}

// api checks tokens of the organisation's management API, which it names. It
// asks for keys in process, and for what is denied not at all: see byAccessToken.
func (m *management) api(cfg *Config, at server.Place) (*resource.API, string, error) {
	built := at.Snapshot.APIs[registry.ManagementID(at.Issuer.ID)]
	if built == nil {
		return nil, "", errNoManaging
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear(at.Snapshot)
	if api := m.apis[at.Issuer.Iss]; api != nil {
		return api, built.Identifier, nil
	}
	api, err := resource.New(resource.Config{
		Issuer: at.Issuer.Iss, Audience: built.Identifier, PublicURL: at.Issuer.Base,
		Revocations: resource.Revocations{Off: true}, HTTP: cfg.HTTP, Now: cfg.Now, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, "", err
	}
	if m.apis == nil {
		m.apis = make(map[string]*resource.API)
	}
	m.apis[at.Issuer.Iss] = api
	return api, built.Identifier, nil
}

// clear ends what belongs to issuers that are gone.
func (m *management) clear(s *registry.Snapshot) {
	if m.seen == s.Position {
		return
	}
	m.seen = s.Position
	for iss, api := range m.apis {
		there := false
		for _, v := range s.Issuers {
			there = there || v.Iss == iss
		}
		if !there {
			api.Close()
			delete(m.apis, iss)
		}
	}
}

// close ends all of it.
func (m *management) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, api := range m.apis {
		api.Close()
	}
	m.apis = nil
}

// challengeOf is what RFC 9110 §15.5.2 wants of a 401: by the scheme that was
// tried, since @okta/okta-sdk-nodejs makes the next token by what it had.
func challengeOf(realm string, r *http.Request, e *symbolon.Error) string {
	code := symbolon.InvalidToken
	if e.Code == symbolon.InvalidDPoPProof || e.Code == symbolon.UseDPoPNonce {
		code = e.Code
	}
	if len(r.Header[symbolon.HeaderDPoP]) > 0 {
		return `DPoP error="` + string(code) + `", algs="RS256 ES256 PS256"`
	}
	if len(r.Header["Authorization"]) == 0 {
		return `Bearer realm="` + realm + `"`
	}
	return `Bearer realm="` + realm + `", error="` + string(code) + `"`
}

// maxManagedBody bounds a body: what becomes of it is a client's document.
const maxManagedBody = symbolon.MaxBody

const contentJSON = "application/json"

// body reads one of JSON. A sender can hold it back for seconds, until its token is
// revoked, and would have its way all the same: so who may is asked once more.
func (c *managed) body() ([]byte, error) {
	media, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(media), contentJSON) || len(c.r.Header["Content-Type"]) > 1 || len(c.r.Header["Content-Encoding"]) > 0 {
		return nil, errNotJSON
	}
	text, err := web.ReadBody(c.r, maxManagedBody, nil)
	if err == nil {
		err = c.still()
	}
	return text, err
}

var errNotJSON = symbolon.NewError(symbolon.InvalidRequest, "the Content-Type must be application/json")

// answer makes a body of JSON the answer, which goes out once its record is kept.
func (c *managed) answer(status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.status, c.text = status, text
	return nil
}

// done makes it an answer without a body.
func (c *managed) done() error {
	c.status = http.StatusNoContent
	return nil
}

// send writes the answer. That it does not arrive is no refusal: who asked may be
// gone, and what was done is done.
func (c *managed) send() {
	if c.text != nil {
		c.x.Header()["Content-Type"] = []string{contentJSON}
	}
	c.x.WriteHeader(c.status)
	c.x.Write(c.text)
}

// wholeNumber reads a parameter that is one: digits, and a minus before them at
// most.
func wholeNumber(text string) (int, error) {
	if strings.HasPrefix(text, "+") {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(text)
}

// codeOf is the code of OAuth's by which servers log and count what a management API
// refuses with a status of its own.
func codeOf(status int) symbolon.Code {
	switch status {
	case http.StatusUnauthorized:
		return symbolon.InvalidToken
	case http.StatusForbidden:
		return symbolon.InsufficientScope
	case http.StatusNotFound:
		return symbolon.NotFound
	case http.StatusTooManyRequests:
		return symbolon.TooManyRequests
	case http.StatusServiceUnavailable:
		return symbolon.TemporarilyUnavailable
	}
	return symbolon.InvalidRequest
}
