package resource

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// holder has a key, the token that is bound to it, and makes proofs by hand:
// good ones, and such as package client never would.
type holder struct {
	key   *ecdsa.PrivateKey
	jkt   string
	token string
	now   func() time.Time
}

func newHolder(t testing.TB, i *issuer, now func() time.Time) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := &holder{key: key, jkt: thumbprintOf(t, key.Public()), now: now}
	h.token = h.bound(t, i, nil)
	return h
}

// bound signs a token that is bound to the holder's key.
func (h *holder) bound(t testing.TB, i *issuer, change func(*symbolon.Claims)) string {
	t.Helper()
	c := i.claims(h.now())
	c.Confirmation = &symbolon.Confirmation{JKT: h.jkt}
	if change != nil {
		change(c)
	}
	return sign(t, i.signers[0], c.AppendJSON(nil))
}

func thumbprintOf(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	k, err := jose.NewKey(public, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return k.Thumbprint()
}

// members are the header or the claims of a proof.
type members map[string]any

// jwk is the public key as a proof's header has it.
func jwk(t testing.TB, public crypto.PublicKey) members {
	t.Helper()
	k, err := jose.NewKey(public, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var m members
	if err := json.Unmarshal(k.JSON(), &m); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(m, func(name string, _ any) bool {
		return !strings.Contains(" kty crv x y n e ", " "+name+" ")
	})
	return m
}

const ordersURL = audience + "/orders"

// proof makes one for GET /orders with the holder's token, after change. Members
// that change sets to nil are left out.
func (h *holder) proof(t testing.TB, change func(header, claims members)) string {
	t.Helper()
	header := members{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(t, h.key.Public())}
	claims := members{"jti": rand.Text(), "htm": "GET", "htu": ordersURL, "iat": h.now().Unix(), "ath": athOf(h.token)}
	if change != nil {
		change(header, claims)
	}
	for _, m := range []members{header, claims} {
		maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	}
	alg, _ := header["alg"].(string)
	return assemble(t, header, claims, func(signed []byte) []byte { return signAs(t, alg, h.key, signed) })
}

func assemble(t testing.TB, header, claims members, sig func([]byte) []byte) string {
	t.Helper()
	top, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return forge(string(top), payload, sig)
}

// otherKey makes the proof's key another of the algorithm.
func otherKey(t testing.TB, alg jose.Algorithm) func(header, claims members) {
	return func(header, _ members) {
		header["alg"], header["jwk"] = string(alg), jwk(t, keysOf()[alg].Public())
	}
}

// signAs signs with the key that fits the algorithm: the holder's for ES256, that
// of keysOf for others.
func signAs(t testing.TB, alg string, key *ecdsa.PrivateKey, signed []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(signed)
	var sig []byte
	var err error
	switch alg {
	case "RS256":
		sig, err = rsa.SignPKCS1v15(nil, keysOf()[jose.RS256].(*rsa.PrivateKey), crypto.SHA256, sum[:])
	case "PS256":
		sig, err = rsa.SignPSS(rand.Reader, keysOf()[jose.PS256].(*rsa.PrivateKey), crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "EdDSA":
		sig = ed25519.Sign(keysOf()[jose.EdDSA].(ed25519.PrivateKey), signed)
	case "ES384":
		long := sha512.Sum384(signed)
		sig, err = rawECDSA(keysOf()[jose.ES384].(*ecdsa.PrivateKey), long[:], 48)
	case "HS256":
		// The public key as the secret.
		text, _ := json.Marshal(jwk(t, key.Public()))
		m := hmac.New(sha256.New, text)
		m.Write(signed)
		sig = m.Sum(nil)
	case "none":
	default:
		sig, err = rawECDSA(key, sum[:], 32)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func rawECDSA(key *ecdsa.PrivateKey, sum []byte, size int) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		return nil, err
	}
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), nil
}

// orders serves the API over HTTP and gives its URL, of which the API knows
// nothing.
func orders(t testing.TB, a *API, scopes ...string) string {
	t.Helper()
	srv := httptest.NewServer(a.Require(scopes...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello "+CallerFrom(r.Context()).ClientID)
	})))
	t.Cleanup(srv.Close)
	return srv.URL + "/orders"
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request with these header fields, in this spelling.
func do(t testing.TB, hc *http.Client, method, url string, fields http.Header) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range fields {
		req.Header[name] = values
	}
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b.String()}
}

// present sends the holder's token with these proofs.
func (h *holder) present(t testing.TB, url string, proofs ...string) answer {
	t.Helper()
	return do(t, http.DefaultClient, http.MethodGet, url, http.Header{"Authorization": {"DPoP " + h.token}, "Dpop": proofs})
}

// challengeFor gives the challenge of the scheme.
func (a answer) challengeFor(scheme string) string {
	for _, v := range a.header["Www-Authenticate"] {
		if strings.HasPrefix(v, scheme+" ") {
			return v
		}
	}
	return ""
}

// wants fails the test unless the answer is the code's, told to the scheme, with
// the sentence if one is given.
func (a answer) wants(t testing.TB, name, scheme string, want *symbolon.Error) {
	t.Helper()
	told := fmt.Sprintf(`, error="%s", error_description="%s"`, want.Code.Wire(), want.Description)
	for _, s := range []string{"Bearer", "DPoP"} {
		if c := a.challengeFor(s); c == "" || strings.Contains(c, told) != (s == scheme) || (s != scheme) && strings.Contains(c, "error") {
			t.Errorf("%s: challenge %q", name, c)
		}
	}
	var e symbolon.ErrorAnswer
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Error != want.Code.Wire() || e.ErrorDescription != want.Description {
		t.Errorf("%s: %s, want %v", name, a.body, want)
	}
	if a.status != want.Code.ResourceStatus() || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d, %v", name, a.status, a.header)
	}
}

func (a answer) good(t testing.TB, name string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != "hello billing" {
		t.Errorf("%s: %d %s %q", name, a.status, a.body, a.header["Www-Authenticate"])
	}
}

func invalidProof(part string) *symbolon.Error {
	return symbolon.NewError(symbolon.InvalidDPoPProof, part)
}
