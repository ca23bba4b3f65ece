package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// holder is a client with a key, which signs its assertions and its proofs. It
// has a secret too: what keys cost is measured on the same clients.
type holder struct {
	id, secret string
	assertions *jose.Signer
	proofs     *dpop.Prover
	token      string // bound to the key, once there is one
}

// manyHolders is how many clients share the load: what one has presented counts
// against its quota of live entries in the replay memory.
const manyHolders = 16

// holderKID is the id of each holder's key.
const holderKID = "k1"

func newHolder(i int) *holder {
	key := keyOf(jose.ES256)
	return &holder{
		id: manyID(i), secret: manySecret(i),
		assertions: must(jose.NewSigner(key, jose.ES256, holderKID, symbolon.TypClientAuthentication)),
		proofs:     must(dpop.NewProver(key)),
	}
}

// holders are clients of a server, by their number.
type holders []*holder

func newHolders() holders {
	hs := make(holders, manyHolders)
	for i := range hs {
		hs[i] = newHolder(i)
	}
	return hs
}

// client is the document of holder number i.
func (hs holders) client(i int, now time.Time) *registry.Client {
	c := manyClient(i, now)
	c.Keys = []registry.ClientKey{{ID: holderKID, JWK: hs[i].assertions.Key().JSON(), Created: now}}
	return c
}

// assertionLife is long enough for the slowest round, and within the 5 minutes
// that servers accept.
const assertionLife = 4 * time.Minute

// assert signs claims of RFC 7523 §3 with a key that may be the holder's.
func (h *holder) assert(key *jose.Signer, issuer string) (string, error) {
	now := time.Now()
	return key.Sign(fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"jti":%q,"iat":%d,"exp":%d}`,
		h.id, h.id, issuer, rand.Text(), now.Unix(), now.Add(assertionLife).Unix()))
}

// assertionForm is the body of a token request by assertion.
func assertionForm(assertion string) string {
	return clientCredentials(benchScope) + "&" + url.Values{
		"client_assertion_type": {symbolon.AssertionTypeJWT}, "client_assertion": {assertion},
	}.Encode()
}

// bySecret is a token request by secret, which may be repeated.
func (h *holder) bySecret() ask {
	return ask{Auth: basic(h.id, h.secret), Form: clientCredentials(benchScope), Want: 200}
}

// byAssertion is a token request by an assertion of its own.
func (h *holder) byAssertion(p *process) (ask, error) {
	assertion, err := h.assert(h.assertions, "http://"+p.addr)
	return ask{Form: assertionForm(assertion), Want: 200}, err
}

// bySecret are token requests of all holders.
func (hs holders) bySecret() []ask {
	var asks []ask
	for _, h := range hs {
		asks = append(asks, h.bySecret())
	}
	return asks
}

// each makes n requests, of one holder after the other.
func (hs holders) each(n int, one func(*holder) (ask, error)) ([]ask, error) {
	asks := make([]ask, 0, n)
	for k := range n {
		a, err := one(hs[k%len(hs)])
		if err != nil {
			return nil, err
		}
		asks = append(asks, a)
	}
	return asks, nil
}

// byAssertion makes token requests by assertion.
func (hs holders) byAssertion(p *process) func(n int) ([]ask, error) {
	return func(n int) ([]ask, error) {
		return hs.each(n, func(h *holder) (ask, error) { return h.byAssertion(p) })
	}
}

// withProof makes token requests by secret or assertion, with a proof of a nonce
// that is asked for before.
func (hs holders) withProof(p *process, assertion bool) func(n int) ([]ask, error) {
	return func(n int) ([]ask, error) {
		nonce, err := hs[0].nonce(p)
		if err != nil {
			return nil, err
		}
		return hs.each(n, func(h *holder) (ask, error) {
			a, err := h.bySecret(), error(nil)
			if assertion {
				a, err = h.byAssertion(p)
			}
			if err != nil {
				return a, err
			}
			a.DPoP, err = h.proofs.Proof(dpop.ProofRequest{Method: http.MethodPost, URL: tokenURL(p), Nonce: nonce})
			return a, err
		})
	}
}

// nonce asks the token endpoint for one.
func (h *holder) nonce(p *process) (string, error) {
	_, nonce, err := h.ask(p, "")
	if err == nil && nonce == "" {
		err = errors.New("the answer to a proof without a nonce has none")
	}
	return nonce, err
}

// bind gets each holder a token that is bound to its key.
func (hs holders) bind(p *process) error {
	nonce, err := hs[0].nonce(p)
	if err != nil {
		return err
	}
	for _, h := range hs {
		answer, _, err := h.ask(p, nonce)
		if err != nil {
			return err
		}
		if answer.TokenType != symbolon.TokenTypeDPoP {
			return errors.New("the token is not bound to the key")
		}
		h.token = answer.AccessToken
	}
	return nil
}

// ask sends one token request with a proof, and gives the answer, which is empty
// when it was refused, and the server's nonce.
func (h *holder) ask(p *process, nonce string) (answer symbolon.TokenAnswer, next string, err error) {
	place := tokenURL(p)
	proof, err := h.proofs.Proof(dpop.ProofRequest{Method: http.MethodPost, URL: place, Nonce: nonce})
	if err != nil {
		return answer, "", err
	}
	request, err := http.NewRequest(http.MethodPost, place, strings.NewReader(clientCredentials(benchScope)))
	if err != nil {
		return answer, "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", basic(h.id, h.secret))
	request.Header.Set(symbolon.HeaderDPoP, proof)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer, "", err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
	return answer, resp.Header.Get(symbolon.HeaderDPoPNonce), err
}

func tokenURL(p *process) string { return "http://" + p.addr + "/token" }
