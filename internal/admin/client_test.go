package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

func TestCreateClient(t *testing.T) {
	eachStore(t, func(w *world) {
		w.api("orders", "read")
		made := w.client("billing", "orders read")
		if !registry.IsGenerated(made.Secret.Reveal()) || made.Cred != "s1" {
			t.Errorf("secret %q under %q", made.Secret.Reveal(), made.Cred)
		}
		got := made.Client
		if got.State != "active" || !slices.Equal(got.DefaultAPI, []string{"orders"}) || !slices.Equal(got.Issuers, []string{"default"}) ||
			got.Version != 1 || !got.Created.Equal(w.clock.now()) || len(got.Secrets) != 1 || got.Secrets[0].Form != "sha256" {
			t.Errorf("created %+v", got)
		}
		if hash := w.stored("billing").Secrets[0].Hash; hash != registry.HashGenerated(made.Secret.Reveal()) {
			t.Errorf("stored as %s", hash)
		}
		// The replica acts by it at once.
		entry, err := w.replica.Client(w.Context(), "billing")
		w.ok(err)
		if entry.Client == nil {
			t.Error("the replica does not know the client")
		}

		unnamed, _, err := w.CreateClient(w.Context(), w.actor, CreateClient{NoSecret: true})
		w.ok(err)
		if !registry.ValidClientID(unnamed.Client.ID) || !strings.HasPrefix(unnamed.Client.ID, "client-") || !unnamed.Secret.IsZero() || len(unnamed.Client.Secrets) != 0 {
			t.Errorf("created %+v", unnamed)
		}
	})
}

func TestImportedSecrets(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx, target := w.Context(), Target{ID: "billing"}
		value := NewSecret("correct horse battery")
		made, _, err := w.CreateClient(ctx, w.actor, CreateClient{Client: registry.Client{ID: "billing"}, Secret: NewCredential{Value: value}})
		w.ok(err)
		if !made.Secret.IsZero() {
			t.Error("an imported secret was shown again")
		}
		hash := w.stored("billing").Secrets[0].Hash
		if !strings.HasPrefix(hash, registry.HashArgon2id) || !matches(hash, value) || matches(hash, NewSecret("correct horse batterz")) {
			t.Errorf("stored as %s", hash)
		}
		// Its form differs each time, so the equal value is found by trying.
		_, _, err = w.AddSecret(ctx, w.actor, target, NewCredential{Value: value})
		w.refused(err, Refused, "s1 already")
		_, _, err = w.RevokeCredential(ctx, w.actor, target, CredentialSecret, "s1")
		w.ok(err)
		_, _, err = w.AddSecret(ctx, w.actor, target, NewCredential{Value: value})
		w.refused(err, Refused, "revoked as s1")

		generated := generateSecret()
		added, _, err := w.AddSecret(ctx, w.actor, target, NewCredential{Hash: registry.HashGenerated(generated.Reveal())})
		w.ok(err)
		if added.Secret.ID != "s2" || !added.Value.IsZero() {
			t.Errorf("added %+v", added)
		}
		_, _, err = w.RevokeCredential(ctx, w.actor, target, CredentialSecret, "s2")
		w.ok(err)
		_, _, err = w.AddSecret(ctx, w.actor, target, NewCredential{Hash: registry.HashGenerated(generated.Reveal())})
		w.refused(err, Invalid, "revoked")
	})
}

func TestACredentialIDIsNeverUsedAgain(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx, target := w.Context(), Target{ID: "billing"}
		w.client("billing")
		add := func(id string) error {
			_, _, err := w.AddSecret(ctx, w.actor, target, NewCredential{ID: id})
			return err
		}
		w.ok(add("blue"))
		w.refused(add("blue"), Invalid, "secrets.blue")
		_, _, err := w.RemoveCredential(ctx, w.actor, target, CredentialSecret, "blue")
		w.ok(err)
		w.refused(add("blue"), Invalid, "never used")
		_, _, err = w.RemoveCredential(ctx, w.actor, target, CredentialSecret, "blue")
		w.refused(err, NotFound, "blue", "secret list billing")

		// Revoking what was removed is still possible: its tokens may be about.
		_, _, err = w.RevokeCredential(ctx, w.actor, target, CredentialSecret, "blue")
		w.ok(err)
		if !slices.Contains(w.denialIDs(), "credential:billing:blue") {
			t.Errorf("denials %v", w.denialIDs())
		}

		// Not even after the client was deleted and made again.
		old, err := w.Client(ctx, w.actor, "billing")
		w.ok(err)
		version := old.Version
		_, err = w.DeleteClient(ctx, w.actor, target)
		w.ok(err)
		w.clock.advance(90 * 24 * time.Hour)
		w.client("later") // the newest commit is never purged
		_, err = w.Store.PurgeTombstones(ctx, w.clock.now().Add(-30*24*time.Hour).UnixMicro())
		w.ok(err)
		made := w.client("billing")
		if made.Cred != "s2" {
			t.Errorf("the new client's secret is %s", made.Cred)
		}
		// Nor a version: an old If-Match never fits the new client.
		if made.Client.Version <= version {
			t.Errorf("the new client's version is %d, the old one's was %d", made.Client.Version, version)
		}
		w.refused(add("s1"), Invalid, "never used")
		w.refused(add("blue"), Invalid, "never used")
	})
}

func TestDefaultAPI(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx, target := w.Context(), Target{ID: "billing"}
		w.api("orders", "read")
		w.api("stock", "see")
		_, _, err := w.CreateIssuer(ctx, w.actor, registry.Issuer{ID: "partners"})
		w.ok(err)
		_, _, err = w.CreateAPI(ctx, w.actor, registry.API{ID: "deals", Issuer: "partners", Identifier: "https://deals.example.com"})
		w.ok(err)
		w.client("billing")
		want := func(apis ...string) {
			t.Helper()
			if got := w.stored("billing").DefaultAPI; !slices.Equal(got, apis) {
				t.Errorf("default APIs %v, want %v", got, apis)
			}
		}
		grant := func(api string) {
			t.Helper()
			_, _, err := w.Grant(ctx, w.actor, target, Access{API: api})
			w.ok(err)
		}
		want()
		grant("orders")
		want("orders")
		grant("stock") // kept when more come
		want("orders")
		grant("deals") // another issuer has its own
		want("orders", "deals")
		_, _, err = w.Ungrant(ctx, w.actor, target, Access{API: "orders"})
		w.ok(err)
		want("deals")
		w.client("both", "orders", "stock") // two at once: nobody says which
		if got := w.stored("both").DefaultAPI; len(got) != 0 {
			t.Errorf("default APIs %v", got)
		}
	})
}

// TestErrors is every way in which an operation on a client, an API, an issuer
// or a key is refused: its sort, and words that lead on.
func TestErrors(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.api("orders", "read", "write")
		w.client("billing", "orders read")
		_, _, err := w.CreateIssuer(ctx, w.actor, registry.Issuer{ID: "partners"})
		w.ok(err)
		_, _, err = w.CreateAPI(ctx, w.actor, registry.API{ID: "deals", Issuer: "partners", Identifier: "https://deals.example.com"})
		w.ok(err)
		billing, nobody := Target{ID: "billing"}, Actor{Name: "uid:7"}
		patch := func(doc string) error {
			n, err := ReadNamed[registry.Client]([]byte(doc))
			if err == nil {
				_, _, err = w.UpdateClient(ctx, w.actor, Update[registry.Client]{Target: billing, Change: n})
			}
			return err
		}
		api := func(doc string) error {
			n, err := ReadNamed[registry.API]([]byte(doc))
			if err == nil {
				_, _, err = w.UpdateAPI(ctx, w.actor, Update[registry.API]{Target: Target{ID: "orders"}, Change: n})
			}
			return err
		}
		create := func(c registry.Client, cred NewCredential) error {
			_, _, err := w.CreateClient(ctx, w.actor, CreateClient{Client: c, Secret: cred})
			return err
		}
		secret := func(n NewCredential) error {
			_, _, err := w.AddSecret(ctx, w.actor, billing, n)
			return err
		}
		for _, c := range []struct {
			name  string
			err   func() error
			code  Code
			words string
		}{
			{"id taken", func() error { return create(registry.Client{ID: "billing"}, NewCredential{}) }, Exists, "billing update"},
			{"no id", func() error { return create(registry.Client{ID: "a b"}, NewCredential{}) }, Invalid, "client id"},
			{"secrets inside", func() error {
				return create(registry.Client{ID: "x", Secrets: []registry.Secret{{ID: "s1"}}}, NewCredential{})
			}, Invalid, "beside"},
			{"access to nothing", func() error {
				return create(registry.Client{ID: "x", Access: map[string][]string{"nothing": nil}}, NewCredential{})
			}, Invalid, "access.nothing no API"},
			{"scope that is not there", func() error {
				return create(registry.Client{ID: "x", Access: map[string][]string{"orders": {"drop"}}}, NewCredential{})
			}, Invalid, "access.orders.drop no scope"},
			{"unknown issuer", func() error { return create(registry.Client{ID: "x", Issuers: []string{"mars"}}, NewCredential{}) }, Invalid, "issuers.mars"},
			{"value and hash", func() error { return secret(NewCredential{Value: NewSecret("12345678"), Hash: "sha256:"}) }, Invalid, "one of them"},
			{"short value", func() error { return secret(NewCredential{Value: NewSecret("1234567")}) }, Invalid, "7 octets least 8"},
			{"long value", func() error { return secret(NewCredential{Value: NewSecret(strings.Repeat("x", 513))}) }, Invalid, "513 octets most"},
			{"line break", func() error { return secret(NewCredential{Value: NewSecret("12345678\n")}) }, Invalid, "control character line break"},
			{"broken UTF-8", func() error { return secret(NewCredential{Value: NewSecret("12345678\xff")}) }, Invalid, "control character"},
			{"placeholder", func() error { return secret(NewCredential{Value: NewSecret(redacted)}) }, Invalid, "placeholder"},
			{"bad hash", func() error { return secret(NewCredential{Hash: "md5:1"}) }, Invalid, "hash sha256:"},
			{"expired", func() error { return secret(NewCredential{Expires: w.clock.now()}) }, Invalid, "expired to come"},
			{"bad credential id", func() error { return secret(NewCredential{ID: "S 1"}) }, Invalid, "lower-case"},
			{"unknown client", func() error { _, _, err := w.DisableClient(ctx, w.actor, Target{ID: "x"}); return err }, NotFound, "client list"},
			{"show unknown client", func() error { _, err := w.Client(ctx, w.actor, "x"); return err }, NotFound, "\"x\""},
			{"old version", func() error {
				_, _, err := w.DisableClient(ctx, w.actor, Target{ID: "billing", Version: 7})
				return err
			}, Conflict, "billing changed"},
			{"state by update", func() error { return patch(`{"state":"disabled"}`) }, Invalid, "state client disable"},
			{"secrets by update", func() error { return patch(`{"secrets":[]}`) }, Invalid, "secrets client secret add"},
			{"id by update", func() error { return patch(`{"id":"other"}`) }, Invalid, "id for ever"},
			{"spent by update", func() error { return patch(`{"spent":[]}`) }, Invalid, "spent leave it out"},
			{"member in capitals", func() error { return patch(`{"Name":"x"}`) }, Invalid, "Name"},
			{"unknown member", func() error { return patch(`{"nam":"x"}`) }, Invalid, "nam"},
			{"wrong type", func() error { return patch(`{"name":7}`) }, Invalid, "name string"},
			{"member twice", func() error { return patch(`{"name":"a","name":"b"}`) }, Invalid, "once"},
			{"no JSON", func() error { return patch(`nope`) }, Invalid, "JSON"},
			{"two values", func() error { return patch(`{} {}`) }, Invalid, "one JSON object"},
			{"reserved claim", func() error { return patch(`{"claims":{"sub":"x"}}`) }, Invalid, "claims.sub"},
			{"ungrant nothing", func() error { _, _, err := w.Ungrant(ctx, w.actor, billing, Access{API: "x"}); return err }, Refused, "client show billing"},
			{"ungrant no scope", func() error {
				_, _, err := w.Ungrant(ctx, w.actor, billing, Access{API: "orders", Scopes: []string{"write"}})
				return err
			}, Refused, "write client show"},
			{"API moves", func() error { return api(`{"issuer":"partners"}`) }, Invalid, "issuer another API"},
			{"identifier in use", func() error { return api(`{"identifier":"https://new.example.com"}`) }, Refused, "billing another API"},
			{"unknown format", func() error { return api(`{"token":{"format":"paseto"}}`) }, Invalid, "token.format opaque"},
			{"symmetric algorithm", func() error { return api(`{"token":{"algorithm":"HS256"}}`) }, Invalid, "symmetric"},
			{"identifier taken", func() error {
				_, _, err := w.CreateAPI(ctx, w.actor, registry.API{ID: "more", Identifier: "https://orders.example.com/"})
				return err
			}, Invalid, "identifier"},
			{"default issuer goes", func() error { _, err := w.DeleteIssuer(ctx, w.actor, Target{ID: "default"}); return err }, Refused, "default"},
			{"issuer with APIs goes", func() error { _, err := w.DeleteIssuer(ctx, w.actor, Target{ID: "partners"}); return err }, Refused, "deals first"},
			{"rotation too fast", func() error {
				_, _, err := w.CreateIssuer(ctx, w.actor, registry.Issuer{ID: "fast", Keys: registry.KeySchedule{Rotate: registry.Duration(time.Hour)}})
				return err
			}, Invalid, "keys.rotate"},
			{"rotate what is not used", func() error { _, _, err := w.RotateKey(ctx, w.actor, "default", "RS256"); return err }, Refused, "RS256 key list"},
			{"rotate at no issuer", func() error { _, _, err := w.RotateKey(ctx, w.actor, "mars", ""); return err }, NotFound, "mars"},
			{"jti with a space", func() error { _, _, err := w.DenyJTI(ctx, w.actor, "", "a b"); return err }, Invalid, "inspect"},
			{"jti of no issuer", func() error { _, _, err := w.DenyJTI(ctx, w.actor, "mars", "ab"); return err }, NotFound, "mars"},
			{"nobody reads", func() error { _, err := w.Clients(ctx, nobody, Query{}); return err }, Forbidden, "uid:7 clients:read admin"},
			{"nobody writes", func() error { _, _, err := w.CreateClient(ctx, nobody, CreateClient{}); return err }, Forbidden, "clients:write"},
			{"nobody denies", func() error { _, _, err := w.DenyClient(ctx, Actor{}, "billing"); return err }, Forbidden, "unnamed actor deny:write"},
			{"nobody makes operators", func() error { _, _, err := w.CreateOperator(ctx, nobody, registry.Operator{}); return err }, Forbidden, "grants:admin"},
		} {
			t.Run(c.name, func(t *testing.T) {
				before := w.head()
				(&world{TB: t}).refused(c.err(), c.code, strings.Fields(c.words)...)
				if w.head() != before {
					t.Error("it left a commit")
				}
			})
		}
	})
}

// TestNobodyGrantsWhatTheyDoNotHold: access to an administrative API is power.
func TestNobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	c := &change{actor: Actor{Name: "ann", Role: registry.RoleOperator}}
	with := func(apis ...string) *registry.Client {
		out := &registry.Client{Access: map[string][]string{}}
		for _, a := range apis {
			out.Access[a] = []string{"clients:read"}
		}
		return out
	}
	more := with("admin")
	more.Access["admin"] = append(more.Access["admin"], "grants:admin")
	for _, x := range []struct {
		before, after *registry.Client
		ok            bool
	}{
		{nil, with("orders"), true},
		{nil, with("admin"), false},
		{nil, with("okta-management"), false},
		{with("orders"), with("orders", "admin"), false},
		{with("admin"), more, false},
		{with("admin"), with("admin"), true},
		{more, with("admin"), false}, // it is left alone, but for being stopped
	} {
		if err := c.clientPower(x.before, x.after); (err == nil) != x.ok {
			t.Errorf("from %v to %v: %v", x.before, x.after.Access, err)
		}
	}
	c.actor.Role = registry.RoleAdmin
	if err := c.mayHandOn(&staged{ref: ref{registry.KindClient, "c"}, after: with("admin")}); err != nil {
		t.Errorf("an admin is refused: %v", err)
	}
}

func TestASecretShowsNowhere(t *testing.T) {
	onSQLite(t, func(w *world) {
		made := w.client("billing")
		value := made.Secret.Reveal()
		var log bytes.Buffer
		l := slog.New(slog.NewJSONHandler(&log, nil))
		l.Info("x", "secret", made.Secret, "made", made, "pointer", &made)
		doc, err := json.Marshal(made)
		w.ok(err)
		texts := []string{log.String(), string(doc), fmt.Sprint(made), fmt.Sprintf("%+v %#v %s %q %x", made, made, made.Secret, made.Secret, made.Secret), fmt.Sprintf(strings.ReplaceAll("?d ?t ?v", "?", "%"), made, made.Secret, &made)}
		hash := strings.TrimPrefix(w.stored("billing").Secrets[0].Hash, registry.HashSHA256)
		rows, err := w.Changes(w.Context(), w.actor, ChangeQuery{})
		w.ok(err)
		doc, err = json.Marshal(rows)
		w.ok(err)
		texts = append(texts, string(doc))
		for _, text := range texts {
			if strings.Contains(text, value) || strings.Contains(text, value[4:20]) || strings.Contains(text, hash) {
				t.Errorf("the secret shows in %.300s", text)
			}
		}
	})
}

// TestConcurrentChangesAllCount: operations that are not tied to a version do
// not lose each other's changes.
func TestConcurrentChangesAllCount(t *testing.T) {
	eachStore(t, func(w *world) {
		w.api("orders")
		w.client("billing", "orders")
		var group sync.WaitGroup
		const n = 12
		for i := range n {
			group.Go(func() {
				_, _, err := w.AddSecret(w.Context(), w.actor, Target{ID: "billing"}, NewCredential{ID: fmt.Sprintf("c%d", i)})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		ids := map[string]bool{}
		for _, s := range w.stored("billing").Secrets {
			ids[s.ID] = true
		}
		if len(ids) != n+1 {
			t.Errorf("left: %v", slices.Sorted(maps.Keys(ids)))
		}
	})
}

func TestOneChangeTakesAccessFromSoMany(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.cascade = 2
		w.api("orders", "read")
		for _, id := range []string{"a", "b", "c"} {
			w.client(id, "orders read")
		}
		_, err := w.DeleteAPI(w.Context(), w.actor, Target{ID: "orders"})
		w.refused(err, Refused, "3 clients", "at most 2", "some at a time")
		_, _, err = w.Ungrant(w.Context(), w.actor, Target{ID: "a"}, Access{API: "orders"})
		w.ok(err)
		_, err = w.DeleteAPI(w.Context(), w.actor, Target{ID: "orders"})
		w.ok(err)
		if got := w.stored("c").Access; len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	})
}

func TestTimesOfAnObject(t *testing.T) {
	onSQLite(t, func(w *world) {
		first := w.client("billing").Client
		w.clock.advance(time.Hour)
		_, _, err := w.DisableClient(w.Context(), w.actor, Target{ID: "billing"})
		w.ok(err)
		c, err := w.Client(w.Context(), w.actor, "billing")
		w.ok(err)
		if !c.Created.Equal(first.Created) || !c.Updated.Equal(first.Created.Add(time.Hour)) || c.Version != first.Version+1 {
			t.Errorf("created %s, updated %s, version %d", c.Created, c.Updated, c.Version)
		}
	})
}

func TestListsSearchAndPage(t *testing.T) {
	eachStore(t, func(w *world) {
		for i := range 7 {
			_, _, err := w.CreateClient(w.Context(), w.actor, CreateClient{NoSecret: true, Client: registry.Client{
				ID: fmt.Sprintf("c%d", i), Name: fmt.Sprintf("Nightly %d", i), Owner: "ann", Labels: map[string]string{"team": fmt.Sprint(i % 2)}}})
			w.ok(err)
		}
		_, _, err := w.DisableClient(w.Context(), w.actor, Target{ID: "c3"})
		w.ok(err)
		ids := func(q Query) (out []string) {
			for {
				page, err := w.Clients(w.Context(), w.actor, q)
				w.ok(err)
				for _, c := range page.Items {
					out = append(out, c.ID)
				}
				if q.After = page.Next; q.After == "" {
					return out
				}
			}
		}
		for _, c := range []struct {
			q    Query
			want string
		}{
			{Query{Limit: 3}, "c0 c1 c2 c3 c4 c5 c6"},
			{Query{State: "disabled"}, "c3"},
			{Query{Label: "team=1"}, "c1 c3 c5"},
			{Query{Label: "team=1", State: "active"}, "c1 c5"},
			{Query{Owner: "bob"}, ""},
			{Query{Search: "NIGHTLY 4"}, "c4"},
		} {
			if got := strings.Join(ids(c.q), " "); got != c.want {
				t.Errorf("%+v: %q, want %q", c.q, got, c.want)
			}
		}
	})
}
