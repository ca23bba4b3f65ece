//go:build unix

package resource

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
)

// The unit is v, one raw P-256 verification, measured in turn with what is
// compared with it, as CPU time of the process: the machine's mood and its
// other work touch both alike.

// cpu is the CPU time that the process used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// raw is one v.
func raw(b *testing.B) func() {
	key := keysOf()[jose.ES256].(*ecdsa.PrivateKey)
	sum := sha256.Sum256([]byte("x"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
			b.Fatal("no")
		}
	}
}

// inTurn runs the functions in turn and gives the CPU time of one run of each.
func inTurn(b *testing.B, functions ...func()) []time.Duration {
	const batch = 50
	spent := make([]time.Duration, len(functions))
	n := 0
	for b.Loop() {
		for i, f := range functions {
			begin := cpu(b)
			for range batch {
				f()
			}
			spent[i] += cpu(b) - begin
		}
		n += batch
	}
	for i := range spent {
		spent[i] /= time.Duration(n)
	}
	return spent
}

func benchAPI(b *testing.B, cached int) (*issuer, *API) {
	i := newIssuer(b)
	i.publish(signer(b, jose.ES256, "k1", symbolon.TypAccessToken), signer(b, jose.RS256, "rsa", symbolon.TypAccessToken))
	cfg := i.config()
	cfg.TokenCache = cached
	return i, newAPI(b, cfg)
}

func BenchmarkVerify(b *testing.B) {
	i, a := benchAPI(b, 0)
	claims := i.claims(time.Now()).AppendJSON(nil)
	for n, alg := range []string{"ES256", "RS256"} {
		b.Run(alg, func(b *testing.B) {
			token := sign(b, i.signers[n], claims)
			unit := raw(b)
			if alg == "RS256" {
				parsed, err := jose.Parse(token)
				if err != nil {
					b.Fatal(err)
				}
				key := i.signers[n].Key()
				unit = func() {
					if parsed.Verify(key) != nil {
						b.Fatal("no")
					}
				}
			}
			work := func() {
				if _, err := check(a, token, "orders:read"); err != nil {
					b.Fatal(err)
				}
			}
			allocs := testing.AllocsPerRun(100, work)
			spent := inTurn(b, unit, work)
			b.ReportMetric(allocs, "allocs/token")
			b.ReportMetric(float64(spent[1])/float64(spent[0]), "raw")
			b.ReportMetric(float64(spent[0].Nanoseconds()), "ns-raw")
		})
	}
}

func BenchmarkLookUp(b *testing.B) {
	i, a := benchAPI(b, 1000)
	token := i.token(b, nil)
	if _, err := check(a, token); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n, begin := 0, cpu(b)
	for b.Loop() {
		n++
		if _, v := a.cache.get(token); v == nil {
			b.Fatal("gone")
		}
	}
	b.ReportMetric(float64((cpu(b)-begin).Nanoseconds())/float64(n), "cpu-ns/op")
}

func handler(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// BenchmarkMiddleware is what Require adds to a handler, in v.
func BenchmarkMiddleware(b *testing.B) {
	for name, cached := range map[string]int{"plain": 0, "cached": 1000} {
		b.Run(name, func(b *testing.B) {
			i, a := benchAPI(b, cached)
			r := httptest.NewRequest(http.MethodGet, "/orders", nil)
			r.Header.Set("Authorization", "Bearer "+i.token(b, nil))
			w := httptest.NewRecorder()
			run := func(h http.Handler) func() {
				return func() {
					w.Body.Reset()
					h.ServeHTTP(w, r)
					if w.Code != 200 {
						b.Fatal(w.Code)
					}
				}
			}
			spent := inTurn(b, raw(b), run(http.HandlerFunc(handler)), run(a.Require("orders:read")(http.HandlerFunc(handler))))
			b.ReportMetric(float64(spent[2]-spent[1])/float64(spent[0]), "v/request")
			b.ReportMetric(float64((spent[2] - spent[1]).Nanoseconds()), "ns-added")
		})
	}
}

// BenchmarkProof is what Require adds for a token that is bound to a DPoP key,
// and what that is more than for a bearer token, in v. Each request has a proof
// of its own, made while nobody counts.
func BenchmarkProof(b *testing.B) {
	for name, cached := range map[string]int{"plain": 0, "cached": 1000} {
		b.Run(name, func(b *testing.B) {
			i, a := benchAPI(b, cached)
			h := newHolder(b, i, time.Now)
			prover, err := dpop.NewProver(h.key)
			if err != nil {
				b.Fatal(err)
			}
			protected := a.Require("orders:read")(http.HandlerFunc(handler))
			bearer, bound := httptest.NewRequest(http.MethodGet, "/orders", nil), httptest.NewRequest(http.MethodGet, "/orders", nil)
			bearer.Header.Set("Authorization", "Bearer "+i.token(b, nil))
			bound.Header.Set("Authorization", "DPoP "+h.token)
			w := httptest.NewRecorder()
			serve := func(h http.Handler, r *http.Request) {
				w.Body.Reset()
				if h.ServeHTTP(w, r); w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
			unit := raw(b)
			const batch = 50
			var spent [4]time.Duration
			n := 0
			for b.Loop() {
				var proofs [batch]string
				for k := range proofs {
					if proofs[k], err = prover.Proof(dpop.ProofRequest{Method: "GET", URL: ordersURL, AccessToken: h.token}); err != nil {
						b.Fatal(err)
					}
				}
				for part, f := range []func(string){
					func(string) { unit() },
					func(string) { serve(http.HandlerFunc(handler), bearer) },
					func(string) { serve(protected, bearer) },
					func(proof string) {
						bound.Header["Dpop"] = []string{proof}
						serve(protected, bound)
					},
				} {
					begin := cpu(b)
					for _, proof := range proofs {
						f(proof)
					}
					spent[part] += cpu(b) - begin
				}
				n += batch
			}
			v := float64(spent[0])
			b.ReportMetric(float64(spent[3]-spent[1])/v, "v/request")
			b.ReportMetric(float64(spent[3]-spent[2])/v, "v-over-bearer")
			b.ReportMetric(v/float64(n), "ns-raw")
		})
	}
}

// BenchmarkProofAllocs counts the allocations of one check of a bound token.
func BenchmarkProofAllocs(b *testing.B) {
	i, a := benchAPI(b, 1000)
	h := newHolder(b, i, time.Now)
	a.cfg.Replay = forgetful{} // so that one proof does
	r := Request{Method: "GET", URL: &url.URL{Path: "/orders"}, Authorization: []string{"DPoP " + h.token}, DPoP: []string{h.proof(b, nil)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Check(b.Context(), r, "orders:read"); err != nil {
			b.Fatal(err)
		}
	}
}

type forgetful struct{}

func (forgetful) Claim(context.Context, [32]byte, time.Time) error { return nil }

// BenchmarkServer is the same over net/http and loopback, with a client that
// costs next to nothing: what a request takes in comparison with one to the
// bare handler.
func BenchmarkServer(b *testing.B) {
	for name, cached := range map[string]int{"plain": 0, "cached": 1000} {
		b.Run(name, func(b *testing.B) {
			i, a := benchAPI(b, cached)
			token := i.token(b, nil)
			spent := inTurn(b, raw(b), ask(b, http.HandlerFunc(handler), token), ask(b, a.Require("orders:read")(http.HandlerFunc(handler)), token))
			b.ReportMetric(float64(spent[2])/float64(spent[1]), "bare")
			b.ReportMetric(float64(spent[2]-spent[1])/float64(spent[0]), "v/request")
			b.ReportMetric(float64(spent[1].Nanoseconds()), "ns-bare")
		})
	}
}

// ask sends one request over one connection.
func ask(b *testing.B, h http.Handler, token string) func() {
	srv := httptest.NewServer(h)
	b.Cleanup(srv.Close)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	request := []byte("GET /orders HTTP/1.1\r\nHost: orders.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	in := bufio.NewReader(conn)
	return func() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 {
			b.Fatal(resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
