package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// TestProof: header and claims are those of RFC 9449 §4.2 and no others.
func TestProof(t *testing.T) {
	text := proofOf(t, p256Key(), ProofRequest{Method: "GET", URL: "HTTPS://API.example.com:443/a/../orders?limit=5#top", Time: testNow.Add(900 * time.Millisecond)})
	parts := strings.Split(text, ".")
	if got, want := string(must(jose.DecodeSegment(parts[0]))), `{"typ":"dpop+jwt","alg":"ES256","jwk":`+publicJWK()+`}`; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	claims := func(text string) map[string]any {
		var c map[string]any
		if err := json.Unmarshal(must(jose.DecodeSegment(strings.Split(text, ".")[1])), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := claims(text)
	if c["htm"] != "GET" || c["htu"] != testURL || c["iat"] != 1800000000.0 || len(c["jti"].(string)) != 22 || len(c) != 4 {
		t.Errorf("claims %v", c)
	}
	c = claims(proofOf(t, p256Key(), testRequest()))
	if c["ath"] != tokenHash(testToken) || c["nonce"] != "n-1" || len(c) != 6 {
		t.Errorf("claims %v", c)
	}
	if a, b := claims(text)["jti"], c["jti"]; a == b {
		t.Error("two proofs have one jti")
	}
	now := time.Now().Unix()
	if iat := claims(proofOf(t, p256Key(), ProofRequest{Method: "GET", URL: testURL}))["iat"].(float64); iat < float64(now) || iat > float64(now+60) {
		t.Errorf("without a time: iat %v", iat)
	}
}

func TestProofRefuses(t *testing.T) {
	p := must(NewProver(p256Key()))
	for name, set := range map[string]func(*ProofRequest){
		"no method":          func(r *ProofRequest) { r.Method = "" },
		"method with quotes": func(r *ProofRequest) { r.Method = `GET","htu":"x` },
		"method with space":  func(r *ProofRequest) { r.Method = "GET " },
		"no URL":             func(r *ProofRequest) { r.URL = "" },
		"a path":             func(r *ProofRequest) { r.URL = "/orders" },
		"a user":             func(r *ProofRequest) { r.URL = "https://u:p@api.example.com/" },
		"nonce with quotes":  func(r *ProofRequest) { r.Nonce = `x","ath":"y` },
		"nonce with newline": func(r *ProofRequest) { r.Nonce = "x\n" },
		"nonce too long":     func(r *ProofRequest) { r.Nonce = strings.Repeat("n", maxNonce+1) },
		"URL too long":       func(r *ProofRequest) { r.URL = testURL + strings.Repeat("x", jose.MaxToken) },
	} {
		r := testRequest()
		set(&r)
		if text, err := p.Proof(r); err == nil || text != "" {
			t.Errorf("%s: accepted", name)
		}
	}
	// A token may have any characters: only its hash is in the proof.
	r := testRequest()
	r.AccessToken = "\"\\\n\x00"
	e := expected()
	e.AccessToken = r.AccessToken
	if _, err := Check([]string{must(p.Proof(r))}, e); err != nil {
		t.Error(err)
	}
}

// foreign is a crypto.Signer of another package.
type foreign struct{ public crypto.PublicKey }

func (f *foreign) Public() crypto.PublicKey { return f.public }

func (f *foreign) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, io.ErrUnexpectedEOF
}

func TestNewProverRefuses(t *testing.T) {
	weak := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}, D: big.NewInt(1)}
	for name, key := range map[string]crypto.Signer{
		"nil":                nil,
		"nil ECDSA":          (*ecdsa.PrivateKey)(nil),
		"empty ECDSA":        &ecdsa.PrivateKey{},
		"nil RSA":            (*rsa.PrivateKey)(nil),
		"empty RSA":          &rsa.PrivateKey{},
		"nil Ed25519":        ed25519.PrivateKey(nil),
		"a foreign nil":      (*foreign)(nil),
		"a foreign nothing":  &foreign{},
		"a foreign nil key":  &foreign{(*ecdsa.PublicKey)(nil)},
		"another kind":       &foreign{"key"},
		"weak RSA":           weak,
		"P-224":              must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)),
		"P-521, for reading": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
	} {
		if p, err := NewProver(key); err == nil || p != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	p := must(NewProver(&foreign{p256Key().Public()}))
	if _, err := p.Proof(testRequest()); err == nil {
		t.Error("a key that does not sign: no error")
	}
}

// TestProverPrintsNoSecret: nor what it is asked for.
func TestProverPrintsNoSecret(t *testing.T) {
	p := must(NewProver(p256Key()))
	d := new(big.Int).SetBytes(must(p256Key().Bytes()))
	said := ""
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		said += fmt.Sprintf(verb, p) + fmt.Sprintf(verb, testRequest())
	}
	for _, secret := range []string{d.String(), d.Text(16), testToken, fmt.Sprintf("%x", testToken)} {
		if strings.Contains(said, secret) {
			t.Errorf("%s is in %s", secret, said)
		}
	}
	if !strings.Contains(p.String(), p.Thumbprint()) || (*Prover)(nil).String() == "" {
		t.Error("a prover does not tell its thumbprint")
	}
}
