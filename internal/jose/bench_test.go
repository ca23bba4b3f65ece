package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"
)

// benchPayload is an access token's claims as the server writes them (RFC 9068 §2.2).
var benchPayload = []byte(`{"iss":"https://auth.example.com","sub":"billing","aud":"https://orders.example.com",` +
	`"exp":1794000600,"iat":1794000000,"jti":"2QvWcZkq7mF0aJt3o8Yh1w","client_id":"billing",` +
	`"scope":"orders:read orders:write","gen":42,"cred":"s1"}`)

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
	b.ReportMetric(testing.AllocsPerRun(10, raw), "raw-allocs")
	b.ReportMetric(testing.AllocsPerRun(10, full), "full-allocs")
}

// BenchmarkSign compares a whole token with one signature of crypto/ecdsa or crypto/rsa,
// hash included. "Randomized" is ecdsa.SignASN1, "RFC6979" what the signer itself asks for.
func BenchmarkSign(b *testing.B) {
	message := []byte(must(must(NewSigner(p256TestKey(), ES256, "k1", "at+jwt")).Sign(benchPayload)))
	raw := func(key crypto.Signer, random bool, options crypto.SignerOpts) func() {
		source := rand.Reader
		if !random {
			source = nil
		}
		return func() {
			sum := sha256.Sum256(message)
			must(key.Sign(source, sum[:], options))
		}
	}
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	for _, c := range []struct {
		name string
		alg  Algorithm
		raw  func()
	}{
		{"ES256/Randomized", ES256, raw(p256TestKey(), true, crypto.SHA256)},
		{"ES256/RFC6979", ES256, raw(p256TestKey(), false, crypto.SHA256)},
		{"RS256", RS256, raw(rsaTestKey(), true, crypto.SHA256)},
		{"PS256", PS256, raw(rsaTestKey(), true, pss)},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := must(NewSigner(testKeyFor(c.alg), c.alg, "k1", "at+jwt"))
			alternate(b, c.raw, func() { must(s.Sign(benchPayload)) })
		})
	}
}

// BenchmarkVerify compares Parse, Verify and CheckObject with one verification of
// crypto/ecdsa or crypto/rsa, hash included.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []Algorithm{ES256, RS256} {
		b.Run(string(alg), func(b *testing.B) {
			s := must(NewSigner(testKeyFor(alg), alg, "k1", "at+jwt"))
			text := must(s.Sign(benchPayload))
			token := must(Parse(text))
			message, signature := token.text[:token.signed], token.signature
			var raw func()
			if alg == ES256 {
				der := appendDER(nil, signature)
				raw = func() {
					sum := sha256.Sum256(message)
					if !ecdsa.VerifyASN1(&p256TestKey().PublicKey, sum[:], der) {
						panic("not verified")
					}
				}
			} else {
				raw = func() {
					sum := sha256.Sum256(message)
					if err := rsa.VerifyPKCS1v15(&rsaTestKey().PublicKey, crypto.SHA256, sum[:], signature); err != nil {
						panic(err)
					}
				}
			}
			alternate(b, raw, func() {
				token := must(Parse(text))
				if err := token.Verify(s.Key()); err != nil {
					panic(err)
				}
				if err := CheckObject(token.Payload); err != nil {
					panic(err)
				}
			})
		})
	}
}

// BenchmarkParse is what verification adds to the raw signature check.
func BenchmarkParse(b *testing.B) {
	text := must(must(NewSigner(p256TestKey(), ES256, "k1", "at+jwt")).Sign(benchPayload))
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(Parse(text))
		}
	})
	b.Run("CheckObject", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := CheckObject(benchPayload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
