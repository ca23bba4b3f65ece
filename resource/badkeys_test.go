package resource

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// badKeys are answers that are no key set.
var badKeys = map[string]func(*issuer) http.HandlerFunc{
	"503":       func(*issuer) http.HandlerFunc { return fails },
	"404":       func(*issuer) http.HandlerFunc { return http.NotFound },
	"garbage":   func(*issuer) http.HandlerFunc { return text("<html>busy</html>") },
	"nothing":   func(*issuer) http.HandlerFunc { return text("") },
	"truncated": func(i *issuer) http.HandlerFunc { s := string(i.set()); return text(s[:len(s)-5]) },
	"no keys":   func(*issuer) http.HandlerFunc { return text(`{"keys":[]}`) },
	"null":      func(*issuer) http.HandlerFunc { return text(`{"keys":null}`) },
	"error":     func(*issuer) http.HandlerFunc { return text(`{"error":"server_error"}`) },
	"symmetric": func(*issuer) http.HandlerFunc { return text(`{"keys":[{"kty":"oct","kid":"k1","k":"AAAA"}]}`) },
	"weak": func(*issuer) http.HandlerFunc {
		return text(`{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}`)
	},
	"encryption": func(i *issuer) http.HandlerFunc {
		return text(strings.ReplaceAll(string(i.set()), `"use":"sig"`, `"use":"enc"`))
	},
	"cut short": func(i *issuer) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write(i.set())
		}
	},
	// Where a redirect leads there is a good set: it must not be read.
	"redirect elsewhere": func(i *issuer) http.HandlerFunc { return redirect(i, "http://evil.localhost/jwks?there") },
	"redirect here":      func(i *issuer) http.HandlerFunc { return redirect(i, "/jwks?there") },
	"slow": func(*issuer) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	},
	"endless (CVE-2026-26998)": func(i *issuer) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Write(i.set())
			for block := make([]byte, 4096); ; {
				for n := range block {
					block[n] = ' '
				}
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}
	},
}

func redirect(i *issuer, to string) http.HandlerFunc {
	set := i.set()
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "there" {
			w.Write(set)
			return
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	}
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) }
}

// TestBadKeySetsKeepTheLastGoodOne: whatever the issuer's address answers.
func TestBadKeySetsKeepTheLastGoodOne(t *testing.T) {
	for name, bad := range badKeys {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
				token := i.token(t, func(c *symbolon.Claims) { c.Expiry += 24 * 3600 })
				if _, err := check(a, token); err != nil {
					t.Fatal(err)
				}
				i.serveKeys(bad(i))
				time.Sleep(time.Hour)
				if n := i.keyRequests.Load(); n < 5 {
					t.Fatalf("%d fetches in an hour", n)
				}
				if _, err := check(a, token); err != nil {
					t.Error(err)
				}
				if set := a.sources[0].keys.current.Load(); time.Since(set.confirmed) < 50*time.Minute {
					t.Error("the bad answer counts as a confirmation")
				}
				i.serveKeys(nil)
				time.Sleep(maxBackoff * 6 / 5)
				if set := a.sources[0].keys.current.Load(); time.Since(set.confirmed) > 20*time.Minute {
					t.Error("not fetched again")
				}
			})
		})
	}
}

// TestBadKeySetsAreNoKeys: the same at the start: 503, and no panic.
func TestBadKeySetsAreNoKeys(t *testing.T) {
	for name, bad := range badKeys {
		bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
			i.serveKeys(bad(i))
			begin := time.Now()
			if _, err := check(a, i.token(t, nil)); !errors.Is(err, errNoKeys) {
				t.Errorf("%s: %v", name, err)
			}
			if d := time.Since(begin); d > keyWait {
				t.Errorf("%s: a request waited %s", name, d)
			}
		})
	}
}
