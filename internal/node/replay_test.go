package node

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
)

// signing is a client that authenticates with a key.
type signing struct {
	id     string
	key    crypto.Signer
	signer *jose.Signer
}

// seedKey makes an API and a client with a key; its id is billing.
func (s *started) seedKey(t *testing.T) *signing {
	t.Helper()
	s.seed(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := jose.NewKey(key.Public(), jose.ES256, "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Admin().CreateClient(t.Context(), admin.System(), admin.CreateClient{
		Client: registry.Client{ID: "signing", Access: map[string][]string{"orders": {"orders:read"}}},
		Key:    &admin.NewKey{ID: "k1", Text: string(public.JSON())},
	})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(key, jose.ES256, "k1", symbolon.TypClientAuthentication)
	if err != nil {
		t.Fatal(err)
	}
	return &signing{"signing", key, signer}
}

// assertion is a client assertion for the issuer (RFC 7523 §2.2).
func (c *signing) assertion(t *testing.T, issuer, jti string) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{
		"iss": c.id, "sub": c.id, "aud": issuer, "jti": jti,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// present asks the node for a token of the issuer with an assertion, and a proof
// unless it is empty.
func (s *started) present(ctx context.Context, issuer, assertion, proof string) (status int, header http.Header, err error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {symbolon.AssertionTypeJWT}, "client_assertion": {assertion}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Host = strings.TrimPrefix(issuer, "http://")
	if proof != "" {
		req.Header.Set(symbolon.HeaderDPoP, proof)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, resp.Header, resp.Body.Close()
}

func (s *started) presents(t *testing.T, issuer, assertion, proof string, want int) http.Header {
	t.Helper()
	status, header, err := s.present(t.Context(), issuer, assertion, proof)
	if err != nil || status != want {
		t.Fatalf("status %d, %v, want %d", status, err, want)
	}
	return header
}

// TestReplayAfterARestart: what was good for a token is refused by the same node
// after it was started again, whichever store it has (CVE-2026-9802).
func TestReplayAfterARestart(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			cfg := Config{Store: "sqlite", DataDir: t.TempDir() + "/data"}
			if backend == "postgres" {
				cfg.Store = pgtest.Database(t)
			}
			first := start(t, cfg)
			c := first.seedKey(t)
			prover, err := dpop.NewProver(c.key)
			if err != nil {
				t.Fatal(err)
			}
			proof := func(nonce string) string {
				text, err := prover.Proof(dpop.ProofRequest{Method: "POST", URL: first.url + "/token", Nonce: nonce})
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			assertion := c.assertion(t, first.url, "once")
			nonce := first.presents(t, first.url, assertion, proof(""), http.StatusBadRequest).Get(symbolon.HeaderDPoPNonce)
			used := proof(nonce) // the refusal consumed nothing of the assertion
			first.presents(t, first.url, assertion, used, http.StatusOK)
			if err := first.stop(); err != nil {
				t.Fatal(err)
			}

			cfg.URL = first.url
			second := start(t, cfg)
			second.presents(t, first.url, assertion, "", http.StatusUnauthorized)
			second.presents(t, first.url, c.assertion(t, first.url, "other"), used, http.StatusBadRequest)
			second.presents(t, first.url, c.assertion(t, first.url, "other"), proof(nonce), http.StatusOK)
		})
	}
}

// TestReplayAfterAStartByAClockThatWasAhead: what had expired by that clock was not
// forgotten when the clock is set right.
func TestReplayAfterAStartByAClockThatWasAhead(t *testing.T) {
	cfg := Config{Store: "sqlite", DataDir: t.TempDir() + "/data"}
	first := start(t, cfg)
	c := first.seedKey(t)
	assertion := c.assertion(t, first.url, "x")
	first.presents(t, first.url, assertion, "", http.StatusOK)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	var ahead atomic.Int64
	ahead.Store(int64(30 * time.Minute))
	cfg.URL, cfg.Now = first.url, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	again := start(t, cfg)
	again.presents(t, first.url, assertion, "", http.StatusUnauthorized) // it has expired
	ahead.Store(0)
	again.presents(t, first.url, assertion, "", http.StatusServiceUnavailable)
}

// TestReplayAcrossNodes: of many presentations to several nodes exactly one wins.
// While the memory that they share is away, nobody gets a token by an assertion,
// unless the issuer leaves that to each node.
func TestReplayAcrossNodes(t *testing.T) {
	server := pgtest.Start(t)
	first := start(t, Config{Store: server.Database(t)})
	c := first.seedKey(t)
	nodes := []*started{first}
	for range 2 {
		cfg := first.cfg
		cfg.Listen, cfg.Sockets, cfg.DataDir = nil, nil, t.TempDir()+"/data"
		cfg.MasterKey = first.masterKey(t)
		nodes = append(nodes, start(t, cfg))
	}
	for round := range 15 {
		assertion := c.assertion(t, first.url, fmt.Sprint("round ", round))
		var won, lost atomic.Int64
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() {
				switch status, _, err := nodes[i%3].present(t.Context(), first.url, assertion, ""); {
				case err != nil:
					t.Error(err)
				case status == http.StatusOK:
					won.Add(1)
				case status == http.StatusUnauthorized:
					lost.Add(1)
				default:
					t.Errorf("status %d", status)
				}
			})
		}
		if wg.Wait(); won.Load() != 1 || lost.Load() != 8 {
			t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
		}
	}

	server.Pause(t)
	assertion := c.assertion(t, first.url, "away")
	first.presents(t, first.url, assertion, "", http.StatusServiceUnavailable)
	server.Resume(t)
	within(t, "the refusal consumed nothing", func() bool {
		status, _, err := first.present(t.Context(), first.url, assertion, "")
		return err == nil && status == http.StatusOK
	})
	local, err := admin.ReadNamed[registry.Issuer]([]byte(`{"replay":"local"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := first.Admin().UpdateIssuer(t.Context(), admin.System(), admin.Update[registry.Issuer]{
		Target: admin.Target{ID: registry.DefaultIssuer}, Change: local,
	}); err != nil {
		t.Fatal(err)
	}
	taken := c.assertion(t, first.url, "taken before the outage")
	first.presents(t, first.url, taken, "", http.StatusOK)
	second := nodes[1]
	within(t, "the other node knows the change", func() bool {
		issuer := second.replica.Snapshot().Issuers[registry.DefaultIssuer]
		return issuer != nil && !issuer.StrictReplay()
	})
	server.Pause(t)
	second.presents(t, first.url, taken, "", http.StatusServiceUnavailable)
	// What is made from now on cannot have been taken before.
	n := 0
	within(t, "a node goes by itself", func() bool {
		n++
		assertion = c.assertion(t, first.url, fmt.Sprint("away again ", n))
		status, _, err := first.present(t.Context(), first.url, assertion, "")
		return err == nil && status == http.StatusOK
	})
	first.presents(t, first.url, assertion, "", http.StatusUnauthorized)
	second.presents(t, first.url, taken, "", http.StatusServiceUnavailable)
	server.Resume(t)
	within(t, "the store is back, and knows", func() bool {
		first.shared.mu.Lock()
		defer first.shared.mu.Unlock()
		return len(first.shared.later) == 0 && first.shared.away.IsZero()
	})
	// Its connections may come back later: until then it goes by itself.
	within(t, "the store is back for the other node", func() bool {
		second.shared.mu.Lock()
		defer second.shared.mu.Unlock()
		return second.shared.away.IsZero()
	})
	within(t, "the other node asks it", func() bool {
		status, _, err := second.present(t.Context(), first.url, assertion, "")
		if status == http.StatusOK {
			t.Fatal("what was taken while the store was away is taken again")
		}
		return err == nil && status == http.StatusUnauthorized
	})
}

// TestReplayAfterTheSpoolWasLost: who does not know what it took takes nothing
// that may be it.
func TestReplayAfterTheSpoolWasLost(t *testing.T) {
	cfg := Config{Store: "sqlite", DataDir: t.TempDir() + "/data"}
	first := start(t, cfg)
	c := first.seedKey(t)
	assertion := c.assertion(t, first.url, "x")
	first.presents(t, first.url, assertion, "", http.StatusOK)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(cfg.DataDir + "/spool"); err != nil {
		t.Fatal(err)
	}
	cfg.URL = first.url
	for range 2 { // the second start finds the gap that the first one left
		again := start(t, cfg)
		again.presents(t, first.url, assertion, "", http.StatusServiceUnavailable)
		n := 0
		within(t, "new assertions are good", func() bool {
			n++
			status, _, err := again.present(t.Context(), first.url, c.assertion(t, first.url, fmt.Sprint(time.Now(), n)), "")
			return err == nil && status == http.StatusOK
		})
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
