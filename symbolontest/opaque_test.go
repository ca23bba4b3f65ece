package symbolontest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/resource"
	"github.com/symbolon/symbolon/symbolontest"
)

// TestOpaqueTokensEverywhere: bearer and bound tokens that nobody but the server
// can read, from every kind of client to an API that asks about them, until they
// expire, and until their client is disabled.
func TestOpaqueTokensEverywhere(t *testing.T) {
	auth := symbolontest.New(t)
	orders := auth.OpaqueAPI("orders", "orders:read")
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := resource.CallerFrom(r.Context())
		fmt.Fprintf(w, "%s %v", c.ClientID, c.Claims.Confirmation != nil)
	})
	at, secured := orders.Serve("orders:read", hello), orders.ServeTLS("orders:read", hello)
	secret, key := auth.Client("secret", orders, "orders:read"), auth.KeyClient("key", orders, "orders:read")
	certified := auth.CertificateClient("certified", orders, "orders:read")
	for want, c := range map[string]struct {
		*symbolontest.Client
		url string
	}{
		"secret false": {secret, at}, "key false": {key, at}, "secret true": {secret.DPoP(), at}, "certified true": {certified, secured},
	} {
		for range 2 { // the second time the answer is known
			if status, body := get(t, c.Client, c.url); status != http.StatusOK || body != want {
				t.Errorf("%d %s, want 200 %s", status, body, want)
			}
		}
	}
	text := token(t, secret)
	if strings.Count(text, ".") == 2 {
		t.Errorf("%s is a JWT", text)
	}
	// A bound token is worth nothing to who has only that.
	for _, stolen := range []string{token(t, secret.DPoP()), token(t, certified)} {
		if status, body := call(t, at, stolen); status != http.StatusUnauthorized {
			t.Errorf("%d %s, want 401 for a bound token alone", status, body)
		}
	}
	for name, changed := range map[string]string{"cut": text[:len(text)-1], "extended": text + "A", "in other letters": strings.ToLower(text)} {
		if status, body := call(t, at, changed); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	auth.Advance(2 * time.Hour)
	if status, body := call(t, at, text); status != http.StatusUnauthorized {
		t.Errorf("%d %s, want 401 for an expired token", status, body)
	}
	text = token(t, secret)
	auth.Disable("secret")
	auth.Advance(time.Second) // for so long an answer is kept
	if status, body := call(t, at, text); status != http.StatusUnauthorized {
		t.Errorf("%d %s, want 401 for the token of a client that is disabled", status, body)
	}
}

// TestOpaqueTokensOfOthers: each API sees its own tokens, and their clients none.
func TestOpaqueTokensOfOthers(t *testing.T) {
	auth := symbolontest.New(t)
	orders, stock := auth.OpaqueAPI("orders", "orders:read"), auth.OpaqueAPI("stock", "stock:read")
	billing := auth.Client("billing", orders, "orders:read")
	with := resource.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Authorization: []string{"Bearer " + token(t, billing)}}
	if _, err := orders.Resource().Check(t.Context(), with, "orders:read"); err != nil {
		t.Fatal(err)
	}
	var e *symbolon.Error
	if _, err := stock.Resource().Check(t.Context(), with); !errors.As(err, &e) || e.Code != symbolon.InvalidToken {
		t.Errorf("another API: %v", err)
	}
	// Owning a token gives no right to ask about it, and every way to authenticate
	// is one to ask.
	key, certified := auth.KeyClient("key", orders, "orders:read"), auth.CertificateClient("certified", orders, "orders:read")
	self := auth.SelfSignedClient("self", orders, "orders:read")
	for id, how := range map[string]client.Auth{
		billing.ID: client.Secret(billing.Secret), key.ID: client.PrivateKeyJWT(key.Key, "k1"),
		certified.ID: client.Certificate(*certified.Certificate), self.ID: client.Certificate(*self.Certificate),
	} {
		if answer, err := ask(t, auth, id, how, token(t, billing)); err != nil || answer.Active {
			t.Errorf("%s: %+v, %v", id, answer, err)
		}
	}
	if answer, err := ask(t, auth, billing.ID, client.Secret("guess"), token(t, billing)); !errors.As(err, &e) || e.Code != symbolon.InvalidClient || e.Status != http.StatusUnauthorized {
		t.Errorf("a stranger: %+v, %v", answer, err)
	}
}

// ask asks the server about a token as this client.
func ask(t *testing.T, auth *symbolontest.Server, id string, how client.Auth, token string) (*symbolon.IntrospectionAnswer, error) {
	t.Helper()
	i, err := client.NewIntrospector(client.IntrospectorConfig{Issuer: auth.URL, ID: id, Auth: how, Now: auth.Now, HTTP: over(t, auth)})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	return i.Introspect(t.Context(), token)
}
