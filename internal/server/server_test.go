package server

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/store"
	"github.com/symbolon/symbolon/internal/web"
)

// fixture is a server on its real store, replica and spool, with a clock that
// the test sets.
type fixture struct {
	*Server
	t       testing.TB
	store   *store.Store
	replica *replica.Replica
	spool   *audit.Spool
	dir     string // of the spool
	log     strings.Builder

	dialects map[string]*Dialect // by the issuer's id; of others: none

	mu     sync.Mutex
	routes map[*Dialect][]Route
	clock  time.Time
	steps  map[string]int // of counted steps
}

// Secrets of the fixture's clients. Each is generated, and written nowhere but
// here and into requests: the canary of TestNoSecretIsWritten.
var (
	secret1 = registry.FormatSecret([32]byte{1})
	secret2 = registry.FormatSecret([32]byte{2})
	secret3 = registry.FormatSecret([32]byte{3})
)

const (
	base        = "https://auth.example.com"
	importedOne = "a secret with spaces, 100% old & märked"
)

var start = time.Date(2026, 11, 20, 12, 0, 0, 123456000, time.UTC)

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureOn(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db"))
}

// newFixtureOn is newFixture on a store of either kind.
func newFixtureOn(t testing.TB, dsn string) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{t: t, dir: filepath.Join(dir, "spool"), clock: start, steps: map[string]int{}, routes: map[*Dialect][]Route{}}
	level := slog.LevelDebug
	if _, ok := t.(*testing.B); ok {
		level = slog.LevelInfo // as it is in use
	}
	logger := slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: level}))
	var err error
	if f.store, err = store.Open(t.Context(), store.Config{DSN: dsn, Now: f.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	f.seed()
	var local *store.Local
	if f.store.Reader() == nil {
		if local, err = store.OpenLocal(t.Context(), filepath.Join(dir, "replica.db"), store.LocalConfig{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { local.Close() })
	}
	if f.replica, err = replica.Open(t.Context(), replica.Config{Store: f.store, Local: local, BaseURL: base, MaxStale: time.Hour, JournalFile: filepath.Join(dir, "deny.journal"), Now: f.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.replica.Close() })
	if f.spool, err = audit.OpenSpool(audit.SpoolConfig{Dir: f.dir, Node: "n1", SegmentBytes: 1 << 20, Reserve: 1, Now: f.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.spool.Close() })
	f.Server = New(Config{Replica: f.replica, Ring: keys.NewRing(sharedMaster), Spool: f.spool, Now: f.now, Logger: logger})
	return f
}

// in lets a subtest use the fixture of its parent.
func (f *fixture) in(t *testing.T) {
	parent := f.t
	f.t = t
	t.Cleanup(func() { f.t = parent })
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = f.clock.Add(d)
}

// put writes objects in one commit, as package admin would on any node.
func (f *fixture) put(objects ...any) store.Position {
	f.t.Helper()
	pos, err := f.store.Update(f.t.Context(), func(tx *store.Tx) error {
		for _, o := range objects {
			if err := putOne(tx, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return pos
}

func putOne(tx *store.Tx, o any) error {
	kind, id := nameOf(o)
	old, err := tx.Get(kind, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	doc, err := registry.Encode(o, nil)
	if err != nil {
		return err
	}
	p := store.Put{Kind: kind, ID: id, Doc: doc}
	if err := old.Deleted; !err {
		p.Version = old.Version
	}
	for _, a := range registry.Index(o) {
		p.Attrs = append(p.Attrs, store.Attr{Name: a.Name, Value: a.Value})
	}
	_, err = tx.Put(p)
	return err
}

func nameOf(o any) (kind, id string) {
	switch o := o.(type) {
	case *registry.Issuer:
		return registry.KindIssuer, o.ID
	case *registry.API:
		return registry.KindAPI, o.ID
	case *registry.Client:
		return registry.KindClient, o.ID
	case *registry.Key:
		return registry.KindKey, o.ID
	case *registry.Denial:
		return registry.KindDenial, o.ID
	}
	panic("no such kind")
}

// apply is put, and waits until this node acts by it.
func (f *fixture) apply(objects ...any) {
	f.t.Helper()
	if err := f.replica.Await(f.t.Context(), f.put(objects...).Seq); err != nil {
		f.t.Fatal(err)
	}
}

// sharedMaster seals the keys of all fixtures: making an RSA key takes longer
// than most tests.
var (
	sharedMaster = keys.NewMaster()
	sharedKeys   sync.Map // issuer and algorithm → *registry.Key
)

// key is an active key of the issuer, the same in all fixtures.
func (f *fixture) key(issuer string, alg jose.Algorithm) *registry.Key {
	f.t.Helper()
	name := issuer + " " + string(alg)
	if k, ok := sharedKeys.Load(name); ok {
		return k.(*registry.Key)
	}
	k, err := keys.New(sharedMaster, issuer, alg, start.Add(-48*time.Hour))
	if err != nil {
		f.t.Fatal(err)
	}
	k.Activates = start.Add(-24 * time.Hour)
	sharedKeys.Store(name, k)
	return k
}

func generated(id, value string) registry.Secret {
	return registry.Secret{ID: id, Hash: registry.HashGenerated(value), Created: start}
}

func imported(id, value string) registry.Secret {
	p := registry.Argon2id{Memory: 64, Time: 1, Threads: 1, Salt: []byte("sixteen octets..")}
	p.Key = argon2.IDKey([]byte(value), p.Salt, p.Time, p.Memory, p.Threads, 32)
	return registry.Secret{ID: id, Hash: p.String(), Created: start}
}

// billing is the client of most tests.
func billing() *registry.Client {
	return &registry.Client{
		ID: "billing", State: registry.StateActive,
		Secrets:    []registry.Secret{generated("s1", secret1)},
		Access:     map[string][]string{"orders": {"orders:read", "orders:write"}, "files": {"files:read"}, "legacy": {"legacy:use"}},
		DefaultAPI: []string{"orders"},
		Claims:     map[string]json.RawMessage{"role": json.RawMessage(`"batch"`), "sub": json.RawMessage(`"root"`)},
	}
}

func ordersAPI() *registry.API {
	return &registry.API{ID: "orders", Issuer: "default", Identifier: "https://orders.example.com",
		Scopes: map[string]registry.Scope{"orders:read": {Default: true}, "orders:write": {}, "orders:admin": {}},
		Token:  registry.APIToken{Lifetime: registry.Duration(10 * time.Minute)}}
}

func with(c *registry.Client, change func(*registry.Client)) *registry.Client {
	change(c)
	return c
}

func named(id string, change func(*registry.Client)) *registry.Client {
	c := billing()
	c.ID = id
	return with(c, change)
}

// seed writes what the tests start from.
func (f *fixture) seed() {
	f.t.Helper()
	f.put(
		&registry.Issuer{ID: "default"},
		&registry.Issuer{ID: "partners"},
		&registry.Issuer{ID: "elsewhere", URL: "https://tokens.example.net:8443/a/b", Audience: "https://files.example.net"},
		ordersAPI(),
		&registry.API{ID: "files", Issuer: "default", Identifier: "https://files.example.com/v1",
			Scopes: map[string]registry.Scope{"files:read": {}, "files:write": {}}, Token: registry.APIToken{Algorithm: "RS256", Typ: "JWT"}},
		&registry.API{ID: "legacy", Issuer: "default", Identifier: "urn-less legacy", Scopes: map[string]registry.Scope{"legacy:use": {}}},
		&registry.API{ID: "bare", Issuer: "default", Identifier: "https://bare.example.com"},
		&registry.API{ID: "shared", Issuer: "partners", Identifier: "https://orders.example.com", Scopes: map[string]registry.Scope{"orders:read": {}}},
		&registry.API{ID: "remote", Issuer: "elsewhere", Identifier: "https://files.example.net", Scopes: map[string]registry.Scope{"a": {}}},
		f.key("default", jose.ES256), f.key("default", jose.RS256), f.key("partners", jose.ES256), f.key("elsewhere", jose.ES256),
		billing(),
		named("rotating", func(c *registry.Client) {
			expired := generated("s0", secret3)
			expired.Expires = start.Add(-time.Second)
			c.Secrets = []registry.Secret{expired, generated("s1", secret1), generated("s2", secret2)}
		}),
		named("old", func(c *registry.Client) { c.Secrets = []registry.Secret{imported("s1", importedOne)} }),
		named("everywhere", func(c *registry.Client) {
			c.Issuers = []string{"default", "partners", "elsewhere"}
			c.Access = map[string][]string{"orders": {"orders:read"}, "shared": {"orders:read"}, "remote": {"a"}}
		}),
		named("partner", func(c *registry.Client) { c.Issuers = []string{"partners"} }),
		named("disabled", func(c *registry.Client) { c.State = registry.StateDisabled }),
		named("pending", func(c *registry.Client) { c.State = registry.StatePending }),
		named("expired", func(c *registry.Client) { c.Secrets[0].Expires = start }),
		named("basic-only", func(c *registry.Client) { c.Auth = []string{symbolon.AuthSecretBasic} }),
		named("post-only", func(c *registry.Client) { c.Auth = []string{symbolon.AuthSecretPost} }),
		named("no-secret", func(c *registry.Client) { c.Secrets = nil }),
		named("undecided", func(c *registry.Client) { c.DefaultAPI = nil }),
		named("scopeless", func(c *registry.Client) { c.Access = map[string][]string{"bare": {}} }),
		named("no-access", func(c *registry.Client) { c.Access, c.DefaultAPI = nil, nil }),
	)
}

// handler is the composition's dispatch without its other endpoints.
func (f *fixture) handler() http.Handler {
	return web.Wrap(web.Config{Now: f.now, Logger: f.cfg.Logger}, func(w http.ResponseWriter, r *http.Request) error {
		return f.dispatch(r.Host, w, r, func(issuer *registry.IssuerView, d *Dialect) []string {
			return []string{d.Endpoints().Token.URL(issuer.Base)}
		})
	})
}

// dispatch finds the endpoint, at the issuers of that host.
func (f *fixture) dispatch(host string, w http.ResponseWriter, r *http.Request, tokenURLs func(*registry.IssuerView, *Dialect) []string) error {
	snapshot := f.replica.Snapshot()
	for _, issuer := range snapshot.IssuersAt(host) {
		d := f.dialects[issuer.ID]
		routes := f.routesOf(d)
		for i := range routes {
			if rest, ok := routes[i].Match(issuer.Path, r.URL.Path); ok {
				x := web.ExchangeOf(w)
				x.Endpoint, x.WriteError = routes[i].Name, routes[i].Errors
				return routes[i].Serve(Place{Snapshot: snapshot, Issuer: issuer, Dialect: d, Rest: rest, TokenURLs: tokenURLs(issuer, d)}, w, r)
			}
		}
	}
	return symbolon.NewError(symbolon.NotFound, "no such endpoint")
}

func (f *fixture) routesOf(d *Dialect) []Route {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.routes[d] == nil {
		f.routes[d] = f.Routes(d)
	}
	return f.routes[d]
}

// ask is a request to the handler. Header fields come as name, value, ….
func (f *fixture) ask(method, target, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, target, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", formType)
	}
	for i := 0; i < len(header); i += 2 {
		if i == 0 || header[i] != header[i-2] {
			r.Header.Del(header[i])
		}
		if header[i+1] != "" {
			r.Header.Add(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	f.handler().ServeHTTP(w, r)
	return w
}

// basicAuth is the header as RFC 6749 §2.3.1 wants it.
func basicAuth(id, secret string) string {
	return basic(url.QueryEscape(id) + ":" + url.QueryEscape(secret))
}

// post asks the default issuer's token endpoint, as a client with secret1.
func (f *fixture) post(client, form string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.ask("POST", base+"/token", form, "Authorization", basicAuth(client, secret1))
}

const grant = "grant_type=client_credentials"

// token asks and gives the verified claims and the header of the token.
func (f *fixture) token(w *httptest.ResponseRecorder) (symbolon.TokenAnswer, *symbolon.Claims, *jose.Token) {
	f.t.Helper()
	if w.Code != http.StatusOK {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	var a symbolon.TokenAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		f.t.Fatal(err)
	}
	token, err := jose.Parse(a.AccessToken)
	if err != nil {
		f.t.Fatal(err)
	}
	claims, err := symbolon.ParseClaims(token.Payload)
	if err != nil {
		f.t.Fatal(err)
	}
	set, err := jose.ParseKeySet(f.get(claims.Issuer + "/jwks").Body.Bytes())
	if err != nil {
		f.t.Fatal(err)
	}
	key := set.Lookup(token.Header.KeyID)
	if key == nil {
		f.t.Fatalf("the key %q is not published", token.Header.KeyID)
	}
	if err := token.Verify(key); err != nil {
		f.t.Fatal(err)
	}
	return a, claims, token
}

func (f *fixture) get(target string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.ask("GET", target, "", header...)
}

// records are those of the spool, in order.
func (f *fixture) records() []audit.Record {
	f.t.Helper()
	var all []audit.Record
	err := audit.Scan(f.dir, audit.Position{}, func(r *audit.Record, _ audit.Position) error {
		all = append(all, *r)
		return nil
	})
	if err != nil && !errors.Is(err, io.EOF) {
		f.t.Fatal(err)
	}
	return all
}

// counting switches the counts of steps on, and gives them back with clear.
func (f *fixture) counting() func() map[string]int {
	f.count = func(step string) { f.steps[step]++ }
	return func() map[string]int {
		counts := f.steps
		f.steps = map[string]int{}
		return counts
	}
}
