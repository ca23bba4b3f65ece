package dialect_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// grant is the request of a token for api.read.
func grant() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {"api.read"}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
}

// json reads the body as an object.
func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.text), &m); err != nil {
		t.Fatalf("%d %q is no JSON object: %v", a.status, a.text, err)
	}
	return m
}

// wants fails unless the answer has the status and, if it is named, the OAuth
// error code.
func (a answer) wants(t testing.TB, status int, code string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%d %s, want %d %s", a.status, a.text, status, code)
	}
	if code != "" && a.json(t)["error"] != code {
		t.Fatalf("%d %s, want the error %s", a.status, a.text, code)
	}
}

// token is the access token of an answer that must hold one.
func (a answer) token(t testing.TB) string {
	t.Helper()
	a.wants(t, http.StatusOK, "")
	token, _ := a.json(t)["access_token"].(string)
	if token == "" {
		t.Fatalf("%s holds no token", a.text)
	}
	return token
}

// do sends a request. Headers are pairs of name and value.
func (w *world) do(t testing.TB, method, target, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// get is do with GET.
func (w *world) get(t testing.TB, target string, headers ...string) answer {
	t.Helper()
	return w.do(t, http.MethodGet, target, "", headers...)
}

// form posts one to the target.
func (w *world) form(t testing.TB, target string, form url.Values, headers ...string) answer {
	t.Helper()
	return w.do(t, http.MethodPost, target, form.Encode(), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

// ask asks an issuer for a token of api.read as a client with a secret, in the form.
func (w *world) ask(t testing.TB, issuer, client string) answer {
	t.Helper()
	f := grant()
	f.Set("client_id", client)
	f.Set("client_secret", w.secrets[client])
	return w.form(t, w.tokenURL(issuer), f)
}

// position is that of the last change in the store, as tokens tell it.
func (w *world) position(t testing.TB) any {
	t.Helper()
	return claims(t, w.ask(t, standard, "billing").token(t))["gen"]
}

// basic is the Authorization header with the two texts as they stand there.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// claims of a JWT, without checking anything.
func claims(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return answer{text: string(text)}.json(t)
}

// sign makes a JWT as programs do, RS256.
func sign(t testing.TB, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	h := map[string]any{"alg": "RS256"}
	maps.Copy(h, header)
	var parts [2]string
	for i, part := range []map[string]any{h, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(text)
	}
	signed := parts[0] + "." + parts[1]
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// assertion is that of a client (RFC 7523) for an audience, with five minutes to
// live. more adds claims, and removes those that are nil.
func (w *world) assertion(t testing.TB, client string, audience any, more map[string]any) string {
	t.Helper()
	now := w.now()
	c := map[string]any{"iss": client, "sub": client, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	return sign(t, w.key, map[string]any{"typ": "JWT"}, changed(c, more))
}

func changed(c, more map[string]any) map[string]any {
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// asserts is a form in which a client authenticates by an assertion.
func asserts(f url.Values, assertion string) url.Values {
	out := maps.Clone(f)
	out.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	out.Set("client_assertion", assertion)
	return out
}

// proof is a DPoP proof (RFC 9449 §4.2) as Okta's programs make it, with exp.
func (w *world) proof(t testing.TB, key *rsa.PrivateKey, method, target string, more map[string]any) string {
	t.Helper()
	now := w.now()
	target, _, _ = strings.Cut(target, "?")
	c := map[string]any{"htm": method, "htu": target, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	return sign(t, key, map[string]any{"typ": "dpop+jwt", "jwk": publicJWK(key)}, changed(c, more))
}

func publicJWK(key *rsa.PrivateKey) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	return map[string]any{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
}

// tokenHash is the ath of a proof for a token.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
