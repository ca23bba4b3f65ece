package resource

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// NonceKey is the secret with which an API makes its nonces (RFC 9449 §9): 32
// random octets, the same at all instances of the API, used for nothing else.
// It prints, logs and marshals as "[redacted]".
type NonceKey []byte

const redacted = "[redacted]"

// String redacts.
func (NonceKey) String() string { return redacted }

// Format redacts under every verb: %x would look past String into the octets.
func (NonceKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue redacts.
func (NonceKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts, also in JSON.
func (NonceKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// nonces gives what the configured keys make; nil: nonces are off.
func (cfg *Config) nonces() (*dpop.Nonces, error) {
	if cfg.NonceKey == nil {
		if len(cfg.PreviousNonceKeys) > 0 {
			return nil, wrong("PreviousNonceKeys", errors.New("are of use only with NonceKey; remove them, or set it"))
		}
		return nil, nil
	}
	current, err := cfg.NonceKey.fixed()
	if err != nil {
		return nil, wrong("NonceKey", err)
	}
	previous := make([]dpop.NonceKey, len(cfg.PreviousNonceKeys))
	for i, k := range cfg.PreviousNonceKeys {
		if previous[i], err = k.fixed(); err != nil {
			return nil, wrong(fmt.Sprintf("PreviousNonceKeys[%d]", i), err)
		}
	}
	return dpop.NewNonces(current, previous...), nil
}

func (k NonceKey) fixed() (fixed dpop.NonceKey, err error) {
	if len(k) != len(fixed) {
		return fixed, fmt.Errorf("has %d octets; make 32 random ones, as with openssl rand 32", len(k))
	}
	copy(fixed[:], k)
	if fixed == (dpop.NonceKey{}) {
		return fixed, errors.New("is all zero; make 32 random octets, as with openssl rand 32")
	}
	return fixed, nil
}

// fresh: RFC 9449 §9, §11.3: where nonces are on, no proof passes without one.
func (a *API) fresh(p *dpop.Proof, t *symbolon.Trace) *symbolon.Error {
	if a.nonces == nil {
		return nil // a nonce of another server's is nothing to this one
	}
	const clause, want = "RFC 9449 §9", "a nonce of this API, less than 5 minutes old"
	if p.Nonce == "" || !a.nonces.Check(a.cfg.Audience, p.Nonce, a.cfg.Now()) {
		got := "another or an old one"
		if p.Nonce == "" {
			got = "none"
		}
		t.Fail("nonce", clause, want, got, errNonce.Description)
		return errNonce
	}
	t.OK("nonce", clause, want, "")
	return nil
}

// DPoPNonce is the nonce that callers should put into their proofs from now on
// (RFC 9449 §9); empty where Config.NonceKey is not set. Require and WriteError
// send it where it is needed. Frameworks that call Check may send it with their
// good answers too, as DPoP-Nonce, with Cache-Control: no-store (RFC 9449 §8.2):
// that saves callers a refused request every few minutes.
func (a *API) DPoPNonce() string {
	if a.nonces == nil {
		return ""
	}
	return a.nonces.Issue(a.cfg.Audience, a.cfg.Now())
}

// renew gives the next nonce to a caller whose proof had an older one.
func (a *API) renew(h http.Header, p *dpop.Proof) {
	if p == nil || a.nonces == nil {
		return
	}
	if nonce := a.DPoPNonce(); nonce != p.Nonce {
		h[symbolon.HeaderDPoPNonce] = []string{nonce}
		h.Set("Cache-Control", "no-store") // RFC 9449 §8.2; a handler that knows better sets its own
	}
}
