//go:build unix

package client

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// BenchmarkProof is what a proof adds to a request to an API, in s, raw P-256
// signatures, measured in turn with it as CPU time of the process. The bound is
// 1.15 s.
func BenchmarkProof(b *testing.B) {
	key := p256(b)
	c, err := New(Config{TokenURL: "https://auth.example.com/token", ID: "c", Auth: Secret("s"), DPoP: key, Resource: "https://orders.example.com"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	req, err := http.NewRequest(http.MethodGet, "https://orders.example.com/v1/orders/7?expand=lines", nil)
	if err != nil {
		b.Fatal(err)
	}
	at := place{originOf(req.URL), true}
	c.peers.hear(at, http.Header{"Dpop-Nonce": {"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}})
	token := string(make([]byte, 900))
	prove := func() {
		if err := c.prove(req, c.peers.at(at), token); err != nil {
			b.Fatal(err)
		}
	}
	sum := sha256.Sum256([]byte("x"))
	raw := func() {
		if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
			b.Fatal(err)
		}
	}
	allocs := testing.AllocsPerRun(100, prove)
	var spent [2]time.Duration
	n := 0
	for b.Loop() {
		for i, f := range []func(){raw, prove} {
			begin := cpu(b)
			for range 50 {
				f()
			}
			spent[i] += cpu(b) - begin
		}
		n += 50
	}
	b.ReportMetric(allocs, "allocs/proof")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "raw")
	b.ReportMetric(float64(spent[0].Nanoseconds())/float64(n), "ns-raw")
}

// cpu is the CPU time that the process used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
