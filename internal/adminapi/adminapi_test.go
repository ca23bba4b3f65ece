package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/store"
)

// world is the API on a real Unix socket, over a real store.
type world struct {
	testing.TB
	admin  *admin.Admin
	path   string
	client *http.Client
	log    *bytes.Buffer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, log: new(bytes.Buffer)}
	dir := t.TempDir()
	w.ok(os.Chmod(dir, 0o700))
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + filepath.Join(dir, "symbolon.db")})
	w.ok(err)
	t.Cleanup(func() { s.Close() })
	w.admin = admin.New(admin.Config{Store: s, Master: keys.NewMaster(), BaseURL: "https://auth.example.com", Node: "n1"})
	w.ok(w.admin.Bootstrap(t.Context()))
	w.path = filepath.Join(dir, "admin.sock")
	l, err := Listen(w.path)
	w.ok(err)
	logger := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := &http.Server{Handler: New(Config{Admin: w.admin, Logger: logger}), ConnContext: PeerContext}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	w.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.path)
	}}}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// call sends a request and reads the answer's JSON into into.
func (w *world) call(method, path, body string, into any) *http.Response {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, "http://symbolon"+path, strings.NewReader(body))
	w.ok(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return w.do(r, into)
}

func (w *world) do(r *http.Request, into any) *http.Response {
	w.Helper()
	resp, err := w.client.Do(r)
	w.ok(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	w.ok(err)
	if len(resp.Header.Get("Request-Id")) != 22 || resp.Header.Get("Cache-Control") != "no-store" {
		w.Errorf("%s %s: headers %v", r.Method, r.URL.Path, resp.Header)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			w.Fatalf("%s %s: %d %s: %v", r.Method, r.URL.Path, resp.StatusCode, text, err)
		}
	}
	return resp
}

// good demands the status.
func (w *world) good(status int, method, path, body string, into any) *http.Response {
	w.Helper()
	var raw json.RawMessage
	resp := w.call(method, path, body, &raw)
	if resp.StatusCode != status {
		w.Fatalf("%s %s: %d, not %d: %s", method, path, resp.StatusCode, status, raw)
	}
	if into != nil {
		w.ok(json.Unmarshal(raw, into))
	}
	return resp
}

func TestTheLifeOfAClient(t *testing.T) {
	w := newWorld(t)
	var api admin.API
	w.good(201, "POST", "/admin/v1/apis", `{"id":"orders","identifier":"https://orders.example.com","scopes":{"read":{"description":"Read"},"write":{}},"token":{"lifetime":"10m"}}`, &api)
	if api.Token.Lifetime.Std() != 10*time.Minute || api.Version != 1 {
		t.Errorf("API %+v", api)
	}
	var made createdClient
	resp := w.good(201, "POST", "/admin/v1/clients", `{"id":"billing","name":"Nightly","access":{"orders":["read"]}}`, &made)
	if made.Secret == nil || !strings.HasPrefix(made.Secret.Value, "sym_") || made.Secret.ID != "s1" || resp.Header.Get("Commit") == "" {
		t.Errorf("created %+v", made)
	}
	var one admin.Client
	w.good(200, "PATCH", "/admin/v1/clients/billing", `{"owner":"ann"}`, &one)
	w.good(200, "PUT", "/admin/v1/clients/billing/access/orders", `{"scopes":["write"]}`, &one)
	if fmt.Sprint(one.Access) != "map[orders:[read write]]" || one.Owner != "ann" || one.Name != "Nightly" {
		t.Errorf("client %+v", one)
	}
	w.good(200, "DELETE", "/admin/v1/clients/billing/access/orders?scope=write", "", &one)
	w.good(200, "POST", "/admin/v1/clients/billing/disable", "", &one)
	if one.State != "disabled" || !strings.HasPrefix(one.StateBy, "uid:") {
		t.Errorf("client %+v", one)
	}
	w.good(200, "POST", "/admin/v1/clients/billing/enable", "", &one)
	var added addedSecret
	w.good(201, "POST", "/admin/v1/clients/billing/secrets", `{"id":"blue","expires":"2099-01-01T00:00:00Z"}`, &added)
	if added.Secret.ID != "blue" || !strings.HasPrefix(added.Value, "sym_") {
		t.Errorf("added %+v", added)
	}
	var secrets []admin.SecretInfo
	w.good(200, "GET", "/admin/v1/clients/billing/secrets", "", &secrets)
	if len(secrets) != 2 {
		t.Errorf("secrets %+v", secrets)
	}
	w.good(200, "POST", "/admin/v1/clients/billing/secrets/s1/revoke", "", nil)
	w.good(200, "DELETE", "/admin/v1/clients/billing/secrets/blue", "", nil)
	var page admin.Page[admin.Client]
	w.good(200, "GET", "/admin/v1/clients?api=orders&limit=5", "", &page)
	if len(page.Items) != 1 || len(page.Items[0].Secrets) != 0 {
		t.Errorf("list %+v", page)
	}
	w.good(200, "DELETE", "/admin/v1/clients/billing", "", nil)
	var denials admin.Page[admin.Denied]
	w.good(200, "GET", "/admin/v1/denials", "", &denials)
	if len(denials.Items) != 3 {
		t.Errorf("denials %+v", denials)
	}
}

func TestOtherRoutes(t *testing.T) {
	w := newWorld(t)
	w.good(201, "POST", "/admin/v1/issuers", `{"id":"partners"}`, nil)
	w.good(201, "POST", "/admin/v1/operators", `{"id":"ann","role":"viewer"}`, nil)
	var op admin.Operator
	w.good(200, "PATCH", "/admin/v1/operators/ann", `{"role":"operator"}`, &op)
	w.good(200, "GET", "/admin/v1/operators/ann", "", &op)
	if op.Role != "operator" {
		t.Errorf("operator %+v", op)
	}
	var ks []admin.Key
	w.good(200, "GET", "/admin/v1/keys?issuer=default", "", &ks)
	if len(ks) != 2 {
		t.Fatalf("keys %+v", ks)
	}
	w.good(200, "POST", "/admin/v1/issuers/default/keys/rotate", `{}`, &ks)
	w.good(200, "POST", "/admin/v1/keys/"+ks[0].ID+"/revoke", "", nil)
	w.good(201, "POST", "/admin/v1/clients", `{"id":"billing","no_secret":true}`, nil)
	w.good(201, "POST", "/admin/v1/denials", `{"what":"client","client":"billing"}`, nil)
	w.good(201, "POST", "/admin/v1/denials", `{"what":"tokens","client":"billing"}`, nil)
	w.good(201, "POST", "/admin/v1/denials", `{"what":"jti","jti":"abc"}`, nil)
	w.good(201, "POST", "/admin/v1/denials", `{"what":"kid","kid":"`+ks[0].ID+`"}`, nil)

	// PUT may be repeated, and makes what is not there.
	for range 2 {
		w.good(200, "PUT", "/admin/v1/apis/orders", `{"id":"orders","identifier":"https://orders.example.com","name":"Orders"}`, nil)
	}
	var first, second createdClient
	w.good(200, "PUT", "/admin/v1/clients/job", `{"name":"Job"}`, &first)
	w.good(200, "PUT", "/admin/v1/clients/job", `{"name":"Job"}`, &second)
	if first.Secret == nil || second.Secret != nil || second.Client.Version != first.Client.Version {
		t.Errorf("put %+v, then %+v", first, second)
	}

	var changes []admin.ChangeRecord
	w.good(200, "GET", "/admin/v1/audit/changes?actor="+first.Client.StateBy+"&object=job", "", &changes)
	if len(changes) != 1 || changes[0].Via != "socket" || len(changes[0].RequestID) != 22 {
		t.Fatalf("changes %+v", changes)
	}
	var e admin.Explanation
	w.good(200, "GET", "/admin/v1/requests/"+changes[0].RequestID, "", &e)
	if len(e.Changes) != 1 {
		t.Errorf("explained %+v", e)
	}
	var v admin.Verification
	w.good(200, "GET", "/admin/v1/audit/verify", "", &v)
	if !v.OK || v.Changes == 0 {
		t.Errorf("verified %+v", v)
	}
	var requests []any
	w.good(200, "GET", "/admin/v1/audit/requests?since=2026-01-01T00:00:00Z", "", &requests)
	var usage admin.Usage
	w.good(200, "GET", "/admin/v1/clients/billing/usage?from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z&by=hour", "", &usage)
	if usage.By != admin.ByHour || usage.To.Sub(usage.From) != 48*time.Hour || usage.Rows == nil {
		t.Errorf("usage %+v", usage)
	}
	if len(requests) != 0 {
		t.Errorf("requests %+v", requests)
	}
	w.good(200, "DELETE", "/admin/v1/operators/ann", "", nil)
	w.good(200, "DELETE", "/admin/v1/issuers/partners", "", nil)
}

func TestApplyOverTheSocket(t *testing.T) {
	w := newWorld(t)
	const secret = "from-the-environment"
	req := admin.ApplyRequest{Set: "main", Objects: admin.State{Values: admin.SecretValues{"billing": {"s1": admin.NewSecret(secret)}}}}
	w.ok(json.Unmarshal([]byte(`[{"object":{"id":"billing","secrets":[{"id":"s1"}]},"fields":["secrets"]}]`), &req.Objects.Clients))
	body, err := admin.EncodeApply(req)
	w.ok(err)
	var plan admin.Plan
	w.good(200, "POST", "/admin/v1/apply", string(body), &plan)
	if plan.Changes() != 1 {
		t.Errorf("plan %+v", plan)
	}
	w.good(200, "POST", "/admin/v1/apply", string(body), &plan)
	if plan.Changes() != 0 {
		t.Errorf("again %+v", plan)
	}
	var state admin.State
	w.good(200, "GET", "/admin/v1/export?set=main", "", &state)
	if len(state.Clients) != 1 || !state.Clients[0].Fields.Has("secrets") || !strings.HasPrefix(state.Clients[0].Object.Secrets[0].Hash, "argon2id:") {
		t.Errorf("export %+v", state)
	}
	if strings.Contains(w.log.String(), secret) {
		t.Error("a secret is in the log")
	}
}

func TestErrorsAreProblems(t *testing.T) {
	w := newWorld(t)
	w.good(201, "POST", "/admin/v1/clients", `{"id":"billing"}`, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               admin.Code
		words              string
	}{
		{"GET", "/admin/v1/clients/none", "", 404, admin.NotFound, "none list"},
		{"POST", "/admin/v1/clients", `{"id":"billing"}`, 409, admin.Exists, "billing"},
		{"POST", "/admin/v1/clients", `{"id":"a b","claims":{"sub":"hidden-value"}}`, 400, admin.Invalid, "claims.sub"},
		{"POST", "/admin/v1/clients", `{"id":"x","spent":[]}`, 400, admin.Invalid, "spent only the server"},
		{"POST", "/admin/v1/clients", `{"id":"x","secret":{"vlaue":"hidden-value"}}`, 400, admin.Invalid, "vlaue"},
		{"POST", "/admin/v1/clients", `{"id":"x","secret":{"value":"hidden"}}`, 400, admin.Invalid, "octets"},
		{"POST", "/admin/v1/clients", `{"id":"x","no_secret":"hidden-value"}`, 400, admin.Invalid, "bool"},
		{"POST", "/admin/v1/clients", `{"id":"hidden-value"`, 400, admin.Invalid, "JSON"},
		{"POST", "/admin/v1/clients", `[]`, 400, admin.Invalid, ""},
		{"PATCH", "/admin/v1/clients/billing", `{"state":"disabled"}`, 400, admin.Invalid, "client disable"},
		{"PUT", "/admin/v1/apis/orders", `{"id":"hidden-value"}`, 400, admin.Invalid, "path"},
		{"GET", "/admin/v1/clients?limit=hidden-value", "", 422, admin.Invalid, "limit"},
		{"GET", "/admin/v1/clients?limit=5000", "", 422, admin.Invalid, "limit 1000"},
		{"GET", "/admin/v1/audit/changes?since=hidden-value", "", 422, admin.Invalid, "since"},
		{"POST", "/admin/v1/denials", `{"what":"hidden-value"}`, 400, admin.Invalid, "kid or jti"},
		{"POST", "/admin/v1/denials", `{"what":"token","token":"hidden-value"}`, 400, admin.Invalid, "no access token of this server"},
		{"POST", "/admin/v1/denials", `{"what":"tokens","client":"nobody"}`, 404, admin.NotFound, "nobody"},
		{"POST", "/admin/v1/apply", `{"set":"main","hidden":1}`, 400, admin.Invalid, ""},
		{"POST", "/admin/v1/apply", `{"set":"Main"}`, 400, admin.Invalid, "set"},
		{"DELETE", "/admin/v1/issuers/default", "", 409, admin.Refused, "default"},
		{"GET", "/admin/v1/nothing", "", 404, "not_found", "no such path"},
		{"GET", "/elsewhere", "", 404, "not_found", "no such path"},
		{"GET", "/admin/v1/openapi.json", "", 404, "not_found", ""},
		{"GET", "/docs", "", 404, "not_found", ""},
		{"POST", "/admin/v1/clients/billing", `{}`, 405, "method_not_allowed", "Allow"},
	} {
		t.Run(c.method+" "+c.path+" "+c.body, func(t *testing.T) {
			w.TB = t
			var raw json.RawMessage
			resp := w.call(c.method, c.path, c.body, &raw)
			var p problem
			w.ok(json.Unmarshal(raw, &p))
			if resp.StatusCode != c.status || p.Status != c.status || p.Code != c.code || p.Detail == "" || p.Title == "" ||
				p.RequestID != resp.Header.Get("Request-Id") || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %v %s", resp.StatusCode, resp.Header, raw)
			}
			for _, word := range strings.Fields(c.words) {
				if !bytes.Contains(raw, []byte(word)) {
					t.Errorf("%q is not in %s", word, raw)
				}
			}
			if bytes.Contains(raw, []byte("hidden-value")) {
				t.Errorf("the answer repeats a value of the request: %s", raw)
			}
			if allow := resp.Header.Get("Allow"); c.status == 405 && allow != "GET, PUT, PATCH, DELETE, HEAD" {
				t.Errorf("Allow: %s", allow)
			}
		})
	}
}

func TestIfMatch(t *testing.T) {
	w := newWorld(t)
	w.good(201, "POST", "/admin/v1/clients", `{"id":"billing"}`, nil)
	for _, c := range []struct {
		match  string
		status int
	}{{`"1"`, 200}, {`"1"`, 409}, {`2`, 200}, {`*`, 200}, {`W/x`, 400}, {`"0"`, 400}} {
		r, err := http.NewRequest("PATCH", "http://symbolon/admin/v1/clients/billing", strings.NewReader(fmt.Sprintf(`{"name":"%d"}`, time.Now().UnixNano())))
		w.ok(err)
		r.Header.Set("If-Match", c.match)
		if resp := w.do(r, nil); resp.StatusCode != c.status {
			t.Errorf("If-Match %s: %d, want %d", c.match, resp.StatusCode, c.status)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	w := newWorld(t)
	for _, length := range []int64{maxBody + 1, -1} {
		body := io.LimitReader(endless{}, maxBody+1)
		r, err := http.NewRequest("POST", "http://symbolon/admin/v1/apply", body)
		w.ok(err)
		r.ContentLength = length
		resp, err := w.client.Do(r)
		if err != nil {
			continue // the server closed while we were writing
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("length %d: %d", length, resp.StatusCode)
		}
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// TestOthersAreTurnedAway: the uid of the peer is the authority, and who lacks
// it leaves a record.
func TestOthersAreTurnedAway(t *testing.T) {
	w := newWorld(t)
	own := uint32(os.Geteuid())
	for _, c := range []struct {
		name string
		ctx  func(context.Context) context.Context
		uid  uint32 // who may
		ok   bool
	}{
		{"root", func(ctx context.Context) context.Context { return context.WithValue(ctx, peerKey{}, uint32(0)) }, 1234, true},
		{"the server's own", func(ctx context.Context) context.Context { return context.WithValue(ctx, peerKey{}, uint32(1234)) }, 1234, true},
		{"another", func(ctx context.Context) context.Context { return context.WithValue(ctx, peerKey{}, uint32(1235)) }, 1234, false},
		{"nobody", func(ctx context.Context) context.Context { return ctx }, own, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := New(Config{Admin: w.admin, UID: &c.uid})
			r := httptest.NewRequest("GET", "/admin/v1/clients", nil)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r.WithContext(c.ctx(r.Context())))
			if c.ok != (rec.Code == http.StatusOK) || !c.ok && rec.Code != http.StatusForbidden {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
			if c.ok {
				return
			}
			var p problem
			if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Code != admin.Forbidden || p.Fix == "" {
				t.Errorf("%s", rec.Body)
			}
			rows, err := w.admin.Changes(t.Context(), admin.System(), admin.ChangeQuery{RequestID: rec.Header().Get("Request-Id")})
			if err != nil || len(rows) != 1 || rows[0].Action != "admin.refused" {
				t.Errorf("recorded %+v, %v", rows, err)
			}
		})
	}
	// Who has no authority cannot fill the store with records either.
	uid := uint32(1234)
	h := New(Config{Admin: w.admin, UID: &uid, Now: func() time.Time { return time.Unix(1e9, 0) }})
	for range 100 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	rows, err := w.admin.Changes(t.Context(), admin.System(), admin.ChangeQuery{Actor: "unknown", Action: "admin.refused", Limit: 1000})
	w.ok(err)
	if len(rows) < 60 || len(rows) > 62 {
		t.Errorf("%d records", len(rows))
	}
}

// TestOverTCPNobodyIsKnown: a listener that was wired to the handler by mistake
// lets nobody in.
func TestOverTCPNobodyIsKnown(t *testing.T) {
	w := newWorld(t)
	s := httptest.NewUnstartedServer(New(Config{Admin: w.admin}))
	s.Config.ConnContext = PeerContext
	s.Start()
	defer s.Close()
	resp, err := http.Get(s.URL + "/admin/v1/clients")
	w.ok(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// BenchmarkNew is what the API costs the start of a server; the routes are made
// by the first request.
func BenchmarkNew(b *testing.B) {
	w := newWorld(b)
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			New(Config{Admin: w.admin})
		}
	})
	b.Run("routes", func(b *testing.B) {
		h := &handler{Config: Config{Admin: w.admin}}
		for b.Loop() {
			h.makeRoutes()
		}
	})
}
