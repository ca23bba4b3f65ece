package dpop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// alternate runs raw and full in turns, so that both meet the same machine, and reports how
// much longer full takes. ns/op is of both together.
func alternate(b *testing.B, raw, full func()) {
	const batch = 8
	var rawTime, fullTime time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		for range batch {
			raw()
		}
		middle := time.Now()
		for range batch {
			full()
		}
		rawTime += middle.Sub(start)
		fullTime += time.Since(middle)
	}
	n := float64(b.N * batch)
	b.ReportMetric(float64(rawTime.Nanoseconds())/n, "raw-ns")
	b.ReportMetric(float64(fullTime.Nanoseconds())/n, "full-ns")
	b.ReportMetric(float64(fullTime)/float64(rawTime), "ratio")
	b.ReportMetric(testing.AllocsPerRun(10, full), "full-allocs")
}

// BenchmarkProof compares a proof with one signature of crypto/ecdsa, hash included: by
// ecdsa.SignASN1, and the way the Prover asks for it (RFC 6979).
func BenchmarkProof(b *testing.B) {
	p := must(NewProver(p256Key()))
	message := []byte(must(p.Proof(testRequest())))
	full := func() { must(p.Proof(testRequest())) }
	b.Run("SignASN1", func(b *testing.B) {
		alternate(b, func() {
			sum := sha256.Sum256(message)
			must(ecdsa.SignASN1(rand.Reader, p256Key(), sum[:]))
		}, full)
	})
	b.Run("RFC6979", func(b *testing.B) {
		alternate(b, func() {
			sum := sha256.Sum256(message)
			must(p256Key().Sign(nil, sum[:], crypto.SHA256))
		}, full)
	})
}

// BenchmarkCheck compares a check with one verification of crypto/ecdsa, hash included.
func BenchmarkCheck(b *testing.B) {
	text := must(must(NewProver(p256Key())).Proof(testRequest()))
	digest := sha256.Sum256([]byte(text))
	signature := must(ecdsa.SignASN1(rand.Reader, p256Key(), digest[:]))
	header, e := []string{text}, expected()
	alternate(b, func() {
		sum := sha256.Sum256([]byte(text))
		if !ecdsa.VerifyASN1(&p256Key().PublicKey, sum[:], signature) {
			panic("not verified")
		}
	}, func() { must(Check(header, e)) })
}

func BenchmarkParseProofKey(b *testing.B) {
	p := must(jose.ParseProof(forge(testHeader, testClaims)))
	b.ReportAllocs()
	for b.Loop() {
		must(p.Key())
	}
}

func BenchmarkNormalizeURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		must(NormalizeURL("HTTPS://API.example.com:443/a/%7Eb/../orders?x=y"))
	}
}

func BenchmarkNonceCheck(b *testing.B) {
	n := NewNonces(NonceKey{1}, NonceKey{2})
	nonce := n.Issue(place, testNow)
	b.ReportAllocs()
	for b.Loop() {
		if !n.Check(place, nonce, testNow) {
			b.Fatal()
		}
	}
}

// BenchmarkClaim is a claim while 1,000,000 entries are live: of a new one, with as many
// expiring as are added, and of a known one.
func BenchmarkClaim(b *testing.B) {
	const million = 1_000_000
	const pace = 60 * time.Microsecond // so many live for a minute
	var c clock
	c.set(testNow)
	before := heap()
	m := NewMemory(MemoryConfig{Max: 1 << 30, MaxPerOwner: 1 << 30, Now: c.now})
	for i := range million {
		m.Load([]Entry{entry(i, testNow.Add(time.Duration(i)*pace), "a")})
	}
	bytes := float64(heap()-before) / million
	keys := make([][32]byte, 4*million)
	for i := range keys {
		keys[i] = key(million + i)
	}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(bytes, "bytes/entry")
		i := 0
		for b.Loop() {
			if m.Claim(context.Background(), Entry{Key: keys[0], Expires: testNow.Add(time.Hour), Owner: "a"}) == nil && i > 0 {
				b.Fatal("accepted")
			}
			i++
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			c.Add(int64(pace))
			m.Claim(context.Background(), Entry{Key: keys[i%len(keys)], Expires: c.now().Add(million * pace), Owner: "a"})
		}
	})
	runtime.KeepAlive(m)
}
