package replica_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/store"
	"github.com/symbolon/symbolon/internal/web"
)

const issuer = "https://auth.example.com"

var secret = registry.FormatSecret([32]byte{7})

// asked is a server on a replica whose applies a test steps through.
type asked struct {
	testing.TB
	store   *store.Store
	replica *replica.Replica
	handler http.Handler
	step    func(string)
}

func newAsked(t testing.TB, dsn string) *asked {
	t.Helper()
	dir, ctx, now := t.TempDir(), context.Background(), time.Now()
	a := &asked{TB: t}
	var err error
	must := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a.store, err = store.Open(ctx, store.Config{DSN: dsn})
	must()
	t.Cleanup(func() { a.store.Close() })
	master := keys.NewMaster()
	key, err := keys.New(master, registry.DefaultIssuer, jose.ES256, now.Add(-2*time.Hour))
	must()
	key.Activates = now.Add(-time.Hour)
	client := func(id string, access map[string][]string) *registry.Client {
		return &registry.Client{ID: id, State: registry.StateActive, Access: access, Secrets: []registry.Secret{{ID: "s1", Hash: registry.HashGenerated(secret)}}}
	}
	a.put(&registry.Issuer{ID: registry.DefaultIssuer}, key, client("billing", map[string][]string{"signed": {"a"}, "sealed": {"b"}}), client("api", nil),
		&registry.API{ID: "signed", Issuer: registry.DefaultIssuer, Identifier: "https://signed.example.com", Scopes: map[string]registry.Scope{"a": {}}, ResourceServers: []string{"api"}},
		&registry.API{ID: "sealed", Issuer: registry.DefaultIssuer, Identifier: "https://sealed.example.com", Scopes: map[string]registry.Scope{"b": {}}, ResourceServers: []string{"api"},
			Token: registry.APIToken{Format: registry.FormatOpaque}})
	cfg := replica.Config{Store: a.store, BaseURL: issuer, JournalFile: filepath.Join(dir, "deny.journal")}
	if a.store.Reader() == nil {
		cfg.Local, err = store.OpenLocal(ctx, filepath.Join(dir, "replica.db"), store.LocalConfig{})
		must()
		t.Cleanup(func() { cfg.Local.Close() })
	}
	a.replica, err = replica.OpenStepped(ctx, cfg, func(step string) {
		if a.step != nil {
			a.step(step)
		}
	})
	must()
	t.Cleanup(func() { a.replica.Close() })
	spool, err := audit.OpenSpool(audit.SpoolConfig{Dir: filepath.Join(dir, "spool"), Node: "n1", SegmentBytes: 1 << 20, Reserve: 1})
	must()
	t.Cleanup(func() { spool.Close() })
	routes := server.New(server.Config{Replica: a.replica, Ring: keys.NewRing(master), Spool: spool}).Routes(nil)
	a.handler = web.Wrap(web.Config{}, func(w http.ResponseWriter, r *http.Request) error {
		snapshot := a.replica.Snapshot()
		for i := range routes {
			if routes[i].Path == r.URL.Path {
				return routes[i].Serve(server.Place{Snapshot: snapshot, Issuer: snapshot.Issuers[registry.DefaultIssuer], TokenURLs: []string{issuer + "/token"}}, w, r)
			}
		}
		return symbolon.NewError(symbolon.NotFound, "no such endpoint")
	})
	return a
}

func (a *asked) put(objects ...any) {
	a.Helper()
	_, err := a.store.Update(context.Background(), func(tx *store.Tx) error {
		for _, o := range objects {
			doc, err := registry.Encode(o, nil)
			if err != nil {
				return err
			}
			p := store.Put{Doc: doc}
			switch o := o.(type) {
			case *registry.Issuer:
				p.Kind, p.ID = registry.KindIssuer, o.ID
			case *registry.API:
				p.Kind, p.ID = registry.KindAPI, o.ID
			case *registry.Client:
				p.Kind, p.ID = registry.KindClient, o.ID
			case *registry.Key:
				p.Kind, p.ID = registry.KindKey, o.ID
			}
			if _, err := tx.Put(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		a.Fatal(err)
	}
}

func (a *asked) post(path, client string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, secret)
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// token is a token of billing's; "" when it gets none.
func (a *asked) token(scope string) string {
	w := a.post("/token", "billing", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	var answer symbolon.TokenAnswer
	if w.Code == http.StatusOK && json.Unmarshal(w.Body.Bytes(), &answer) != nil {
		a.Errorf("%s", w.Body)
	}
	return answer.AccessToken
}

func (a *asked) active(token string) bool {
	a.Helper()
	w := a.post("/introspect", "api", url.Values{"token": {token}})
	if w.Code != http.StatusOK {
		a.Errorf("%d %s", w.Code, w.Body)
	}
	return strings.HasPrefix(w.Body.String(), `{"active":true`)
}

// TestNoTokenIsActiveOnceItsDenialIsKnown steps through the apply of what ends a
// client's tokens, and asks about them between any two steps: from the snapshot on
// that holds the denial none is active, nor is one that was issued between the
// steps; before, they are.
func TestNoTokenIsActiveOnceItsDenialIsKnown(t *testing.T) {
	for kind, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "symbolon.db") },
		"postgres": func(t *testing.T) string { return pgtest.Database(t) },
	} {
		for what, deny := range map[string]func(context.Context, *admin.Admin) (admin.Denied, int64, error){
			"client": func(ctx context.Context, a *admin.Admin) (admin.Denied, int64, error) {
				return a.DenyClient(ctx, admin.System(), "billing")
			},
			"credential": func(ctx context.Context, a *admin.Admin) (admin.Denied, int64, error) {
				return a.DenyCredential(ctx, admin.System(), "billing", "s1")
			},
		} {
			t.Run(kind+" "+what, func(t *testing.T) {
				a := newAsked(t, dsn(t))
				tokens := []string{a.token("a"), a.token("b")}
				before := a.replica.Snapshot().Seq
				var activeBefore, refusedAfter int
				look := func(string) {
					known := a.replica.Snapshot().Seq > before
					for _, scope := range []string{"a", "b"} {
						if text := a.token(scope); text != "" {
							tokens = append(tokens, text)
						}
					}
					for _, text := range tokens {
						switch active := a.active(text); {
						case active && known:
							t.Error("active, and the denial is known")
						case active:
							activeBefore++
						case known:
							refusedAfter++
						}
					}
				}
				look("before the commit")
				_, seq, err := deny(t.Context(), admin.New(admin.Config{Store: a.store, Reader: a.replica.Reader(), Master: keys.NewMaster(), BaseURL: issuer}))
				if seq <= before {
					t.Fatalf("commit %d after %d: %v", seq, before, err)
				}
				a.step = look
				if err := a.replica.CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
				a.step = nil
				look("after")
				if activeBefore == 0 || refusedAfter < 2*len(tokens) {
					t.Errorf("%d looks found tokens active before, %d found them denied after, of %d tokens", activeBefore, refusedAfter, len(tokens))
				}
			})
		}
	}
}

// TestADenialInTheJournalEndsTokensAtOnce, though no commit holds it.
func TestADenialInTheJournalEndsTokensAtOnce(t *testing.T) {
	a := newAsked(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db"))
	tokens := []string{a.token("a"), a.token("b")}
	for _, text := range tokens {
		if !a.active(text) {
			t.Fatal("not active before")
		}
	}
	if _, err := a.replica.Journal(replica.Pending{Denial: registry.Denial{What: registry.DenyClient, Client: "billing", Expires: time.Now().Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	for _, text := range tokens {
		if a.active(text) {
			t.Error("active, and its client is denied")
		}
	}
}
