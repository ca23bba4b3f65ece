package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

const killReplayState = `
apis: [{id: orders, issuer: default, identifier: "https://orders.example.com", scopes: {"orders:read": Read}}]
clients:
  - {id: signing, keys: [{id: k1, jwk: %s}], access: {orders: ["orders:read"]}}
  - {id: proving, secrets: [{id: s1, hash: "%s"}], access: {orders: ["orders:read"]}}
`

// thief is a victim's client that keeps what it presented, and presents it again.
type thief struct {
	*victim
	asserter, prover *jose.Signer
	nonce            string // the server's newest, of the connection with the proofs

	mu   sync.Mutex
	took []presented // each was good for a token that arrived
}

// presented is a request for a token; one of both is empty.
type presented struct{ assertion, proof string }

// TestKillNineForgetsNoReplay kills the whole program under load: what was good
// for a token that arrived is good for none after the restart (RFC 7523 §3,
// RFC 9449 §11.1).
func TestKillNineForgetsNoReplay(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			th := newThief(t, backend)
			for range 4 {
				th.runAndKill(t)
			}
			cmd, _ := th.start(t)
			th.presentAgain(t)
			cmd.Process.Signal(os.Interrupt)
			if err := cmd.Wait(); err != nil {
				t.Errorf("the server did not stop well: %v", err)
			}
		})
	}
}

func newThief(t *testing.T, backend string) *thief {
	t.Helper()
	v := newVictim(t, backend)
	th := &thief{victim: v}
	var err error
	if th.asserter, err = jose.NewSigner(newP256(t), jose.ES256, "k1", symbolon.TypClientAuthentication); err != nil {
		t.Fatal(err)
	}
	if th.prover, err = jose.NewProofSigner(newP256(t), jose.ES256, symbolon.TypDPoPProof); err != nil {
		t.Fatal(err)
	}
	secret, hash := generatedSecret()
	v.secret = secret
	write(t, filepath.Join(v.dir, "state.yaml"), fmt.Appendf(nil, killReplayState, th.asserter.Key().JSON(), hash))
	return th
}

// runAndKill presents again what the round before was given tokens for, then
// loads the server from two connections and kills it once both kinds of tokens
// arrived.
func (th *thief) runAndKill(t *testing.T) {
	t.Helper()
	cmd, _ := th.start(t)
	th.presentAgain(t)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var arrived sync.WaitGroup
	for _, next := range []func() presented{th.nextAssertion, th.nextProof} {
		arrived.Add(1)
		load.Go(func() { th.take(ctx, next, sync.OnceFunc(arrived.Done)) })
	}
	both := make(chan struct{})
	go func() { arrived.Wait(); close(both) }()
	select {
	case <-both:
	case <-time.After(30 * time.Second):
		stop()
		cmd.Process.Kill()
		t.Fatal("no tokens arrived within 30 s")
	}
	cmd.Process.Kill()
	cmd.Wait()
	stop()
	load.Wait()
}

// take asks for tokens and keeps what it presented for those that arrived; enough
// is called when some have.
func (th *thief) take(ctx context.Context, next func() presented, enough func()) {
	defer enough()
	var c http.Client
	defer c.CloseIdleConnections()
	for n := 0; ctx.Err() == nil; {
		p := next()
		if code, err := th.present(ctx, &c, p); err != nil || code != "" {
			continue
		}
		th.mu.Lock()
		th.took = append(th.took, p)
		th.mu.Unlock()
		if n++; n == 10 {
			enough()
		}
	}
}

// presentAgain wants a refusal for everything that was taken before: a replay's,
// for what has not expired is refused for nothing else.
func (th *thief) presentAgain(t *testing.T) {
	t.Helper()
	var c http.Client
	defer c.CloseIdleConnections()
	const each = 40 // of the last ones, which the kill was nearest to
	counts := make(map[bool]int)
	for i := len(th.took) - 1; i >= 0; i-- {
		p := th.took[i]
		want := symbolon.InvalidClient
		if p.proof != "" {
			want = symbolon.InvalidDPoPProof
		}
		if counts[p.proof != ""]++; counts[p.proof != ""] > each {
			continue
		}
		if code, err := th.present(t.Context(), &c, p); err != nil || code != want {
			t.Errorf("presented again after the restart: %q, %v; want %s", code, err, want)
		}
	}
	if len(th.took) > 0 {
		t.Logf("%d assertions and %d proofs were taken before the kill", counts[false], counts[true])
	}
	th.took = nil
}

// present asks for a token; code is empty when one arrived.
func (th *thief) present(ctx context.Context, c *http.Client, p presented) (code symbolon.Code, err error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if p.assertion != "" {
		form.Set("client_assertion_type", symbolon.AssertionTypeJWT)
		form.Set("client_assertion", p.assertion)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+th.addr+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.proof != "" {
		req.SetBasicAuth("proving", th.secret)
		req.Header.Set(symbolon.HeaderDPoP, p.proof)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if nonce := resp.Header.Get(symbolon.HeaderDPoPNonce); nonce != "" {
		th.nonce = nonce
	}
	var answer struct {
		Error       symbolon.Code `json:"error"`
		AccessToken string        `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if (answer.Error == "") != (answer.AccessToken != "") {
		return "", errors.New("neither a token nor an error, or both")
	}
	return answer.Error, nil
}

func (th *thief) nextAssertion() presented {
	now := time.Now()
	return presented{assertion: signed(th.asserter, `{"iss":"signing","sub":"signing","aud":"http://%s","jti":"%s","iat":%d,"exp":%d}`,
		th.addr, rand.Text(), now.Unix(), now.Add(4*time.Minute).Unix())}
}

func (th *thief) nextProof() presented {
	return presented{proof: signed(th.prover, `{"htm":"POST","htu":"http://%s/token","jti":"%s","nonce":"%s","iat":%d}`,
		th.addr, rand.Text(), th.nonce, time.Now().Unix())}
}

func signed(s *jose.Signer, payload string, args ...any) string {
	token, err := s.Sign(fmt.Appendf(nil, payload, args...))
	if err != nil {
		panic(err)
	}
	return token
}
