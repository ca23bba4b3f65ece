package symbolontest_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/resource"
	"github.com/symbolon/symbolon/symbolontest"
)

// confirmed answers with the caller, and to what its token is bound.
var confirmed = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	c := resource.CallerFrom(r.Context())
	bound := symbolon.Confirmation{}
	if c.Claims.Confirmation != nil {
		bound = *c.Claims.Confirmation
	}
	fmt.Fprintf(w, "%s %s %t", c.ClientID, bound.X5TS256, bound.JKT != "")
})

// over is a plain HTTP client that trusts the server's roots and presents these
// certificates.
func over(t *testing.T, auth *symbolontest.Server, present ...tls.Certificate) *http.Client {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig = &tls.Config{RootCAs: auth.Roots, Certificates: present}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// TestCertificatesEverywhere: clients that authenticate with certificates, and
// those that only bind their tokens to one, from the token endpoint to the API,
// while the clock moves on.
func TestCertificatesEverywhere(t *testing.T) {
	auth := symbolontest.New(t)
	orders := auth.API("orders", "orders:read")
	url := orders.ServeTLS("orders:read", confirmed)
	authority, own := auth.CertificateClient("authority", orders, "orders:read"), auth.SelfSignedClient("own", orders, "orders:read")
	secret, key := auth.Client("secret", orders, "orders:read"), auth.KeyClient("key", orders, "orders:read")
	for name, c := range map[string]*symbolontest.Client{
		"tls_client_auth": authority, "self_signed_tls_client_auth": own, "a secret and a certificate": secret.TLS(), "a key and a certificate": key.TLS(),
	} {
		sum := sha256.Sum256(c.Certificate.Certificate[0])
		want := c.ID + " " + base64.RawURLEncoding.EncodeToString(sum[:]) + " false"
		for n := range 3 {
			if status, body := get(t, c, fmt.Sprintf("%s/orders/%d", url, n)); status != http.StatusOK || body != want {
				t.Errorf("%s: %d %s, want 200 %s", name, status, body, want)
			}
			auth.Advance(40 * time.Minute) // its token expires meanwhile
		}
	}
	// What is not bound goes over TLS too; and a proof binds instead of the
	// certificate, by the moved clock.
	for want, c := range map[string]*symbolontest.Client{"secret  false": secret, "authority  true": authority.DPoP(), "key  true": key.DPoP()} {
		if status, body := get(t, c, url); status != http.StatusOK || body != want {
			t.Errorf("%d %s, want 200 %s", status, body, want)
		}
	}
	if own.Certificate == nil || own.Secret != "" || own.Key != nil || secret.Certificate != nil || authority.DPoP().Certificate == nil {
		t.Error("each client has what it presents")
	}
}

// TestBoundTokenIsOfNoUseToOthers: without its certificate, and with another one
// of the same authority.
func TestBoundTokenIsOfNoUseToOthers(t *testing.T) {
	auth := symbolontest.New(t)
	orders := auth.API("orders", "orders:read")
	url := orders.ServeTLS("orders:read", confirmed)
	billing, thief := auth.CertificateClient("billing", orders, "orders:read"), auth.CertificateClient("thief", orders, "orders:read")
	stolen := token(t, billing)
	for name, c := range map[string]struct {
		with *http.Client
		want string
	}{
		"its certificate":     {over(t, auth, *billing.Certificate), "200 billing "},
		"no certificate":      {over(t, auth), "401 "},
		"another certificate": {over(t, auth, *thief.Certificate), "401 "},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+stolen)
		resp, err := c.with.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var body [64]byte
		n, _ := resp.Body.Read(body[:])
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, body[:n]); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s…", name, got, c.want)
		}
	}
}

// TestOthersCanBeTheClient: what a Client holds is enough to be it with package
// client alone; the same name from another authority is not.
func TestOthersCanBeTheClient(t *testing.T) {
	auth, foreign := symbolontest.New(t), symbolontest.New(t)
	orders := auth.API("orders", "orders:read")
	billing := auth.CertificateClient("billing", orders, "orders:read")
	impostor := foreign.CertificateClient("billing", foreign.API("orders", "orders:read"), "orders:read")
	ask := func(c tls.Certificate) error {
		made, err := client.New(client.Config{Issuer: auth.URL, ID: "billing", Auth: client.Certificate(c), HTTP: over(t, auth)})
		if err != nil {
			t.Fatal(err)
		}
		defer made.Close()
		_, err = made.Token(t.Context())
		return err
	}
	if err := ask(*billing.Certificate); err != nil {
		t.Error(err)
	}
	var e *symbolon.Error
	if err := ask(*impostor.Certificate); !errors.As(err, &e) || e.Code != symbolon.InvalidClient {
		t.Errorf("got %v, want invalid_client for a certificate of another authority", err)
	}
}
