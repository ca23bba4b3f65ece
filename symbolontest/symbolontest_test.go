package symbolontest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/resource"
	"github.com/symbolon/symbolon/symbolontest"
)

// protected serves an API that answers with the caller's id.
func protected(t *testing.T, api *symbolontest.API, scope string) string {
	t.Helper()
	s := httptest.NewServer(api.Require(scope, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, resource.CallerFrom(r.Context()).ClientID)
	})))
	t.Cleanup(s.Close)
	return s.URL
}

// call presents a token at an API.
func call(t *testing.T, url, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func token(t *testing.T, c *symbolontest.Client) string {
	t.Helper()
	tok, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tok.Value()
}

// TestIssueProtectObtain is the main job with nothing but the public packages.
func TestIssueProtectObtain(t *testing.T) {
	auth := symbolontest.New(t)
	orders := auth.API("orders", "orders:read", "orders:write")
	billing := auth.Client("billing", orders, "orders:read")

	reading, writing := protected(t, orders, "orders:read"), protected(t, orders, "orders:write")
	if status, body := call(t, reading, token(t, billing)); status != http.StatusOK || body != "billing" {
		t.Errorf("%d %s, want 200 billing", status, body)
	}
	if status, body := call(t, writing, token(t, billing)); status != http.StatusForbidden {
		t.Errorf("%d %s, want 403 for a scope that the token lacks", status, body)
	}
	invoices := auth.API("invoices", "invoices:read")
	if status, body := call(t, protected(t, invoices, "invoices:read"), token(t, billing)); status != http.StatusUnauthorized {
		t.Errorf("%d %s, want 401 at an API that the token is not for", status, body)
	}
}

// TestDisabledClientGetsNoToken, at once.
func TestDisabledClientGetsNoToken(t *testing.T) {
	auth := symbolontest.New(t)
	orders := auth.API("orders", "orders:read")
	billing := auth.Client("billing", orders, "orders:read")
	token(t, billing)
	auth.Disable("billing")
	// A client of the same credentials that has no token yet.
	fresh, err := client.New(client.Config{Issuer: auth.URL, ID: billing.ID, Auth: client.Secret(billing.Secret), Now: auth.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	_, err = fresh.Token(t.Context())
	var e *symbolon.Error
	if !errors.As(err, &e) || e.Code != symbolon.InvalidClient || e.Status != http.StatusUnauthorized || e.RequestID == "" {
		t.Errorf("got %v, want invalid_client with 401 and a request id", err)
	}
}

// TestKeyRotationRejectsNoValidToken walks a year in steps of a day: keys come
// and go by schedule, and neither a token from before a step nor one from after
// it is ever refused.
func TestKeyRotationRejectsNoValidToken(t *testing.T) {
	auth := symbolontest.New(t)
	orders := auth.API("orders", "orders:read")
	billing := auth.Client("billing", orders, "orders:read")
	url := protected(t, orders, "orders:read")
	kids := make(map[string]bool)
	for range 365 {
		before := token(t, billing)
		auth.Advance(30 * time.Minute) // half of a token's life
		if status, body := call(t, url, before); status != http.StatusOK {
			t.Fatalf("day %d: a token in its life was refused: %d %s", len(kids), status, body)
		}
		auth.Advance(23*time.Hour + 30*time.Minute)
		if status, _ := call(t, url, before); status != http.StatusUnauthorized {
			t.Fatalf("a token past its life was accepted: %d", status)
		}
		after := token(t, billing)
		kids[header(after)] = true
		if status, body := call(t, url, after); status != http.StatusOK {
			t.Fatalf("after %d keys: a fresh token was refused: %d %s", len(kids), status, body)
		}
	}
	if len(kids) < 4 {
		t.Errorf("%d keys signed in a year of 90-day keys, want 4 or more", len(kids))
	}
}

func header(token string) string {
	for i := range token {
		if token[i] == '.' {
			return token[:i]
		}
	}
	return token
}
