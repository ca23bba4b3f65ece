package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/resource"
)

// rsaBits is the size of the server's own RSA keys.
const rsaBits = 2048

// library measures tokens made and checked in this process.
func (b *bench) library(report *report) error {
	for _, l := range []libraryCase{
		{jose.ES256, 1.12, "s", "v"},
		{jose.RS256, 1.25, "× raw", "× raw"},
	} {
		made := b.compare(rawSign(l.algorithm), construct(l.algorithm))
		name := string(l.algorithm)
		report.atMost("token construction, claims to signed text, "+name, made.ratio, l.most, l.sign)
		report.allocations("construction, "+name, made)
		if l.algorithm == jose.ES256 {
			exact := b.compare(rawDeterministic(), construct(l.algorithm))
			report.beside("the same over a raw signature of RFC 6979, which is what it asks for", exact.ratio, "×")
		}
		if err := b.verification(report, l); err != nil {
			return err
		}
	}
	return nil
}

// libraryCase is an algorithm, how much of the raw operation its tokens may
// take to make or to check, and the names of those operations.
type libraryCase struct {
	algorithm    jose.Algorithm
	most         float64
	sign, verify string
}

func (b *bench) compare(raw, full func()) compared {
	if b.short {
		return compare(3, 100*time.Millisecond, raw, full)
	}
	return compare(9, 600*time.Millisecond, raw, full)
}

// maxAllocations is for the making or the checking of one token.
const maxAllocations = 45

func (r *report) allocations(what string, c compared) {
	r.add("allocations: "+what, fmt.Sprintf("%.0f, of which %.0f in the standard library's raw operation", c.fullAllocs, c.rawAllocs),
		fmt.Sprintf("≤ %d", maxAllocations), c.fullAllocs <= maxAllocations)
}

// keyOf makes a key that fits the algorithm.
func keyOf(algorithm jose.Algorithm) crypto.Signer {
	if algorithm == jose.RS256 {
		return must(rsa.GenerateKey(rand.Reader, rsaBits))
	}
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

// rawSign is one s for ES256, and for RS256 what the standard library takes.
func rawSign(algorithm jose.Algorithm) func() {
	if algorithm == jose.ES256 {
		sign, _ := rawUnits()
		return sign
	}
	key, input := keyOf(algorithm), make([]byte, tokenSize)
	return func() {
		digest := sha256.Sum256(input)
		must(key.Sign(rand.Reader, digest[:], crypto.SHA256))
	}
}

// rawDeterministic is one P-256 signature without randomness (RFC 6979).
func rawDeterministic() func() {
	key, input := keyOf(jose.ES256), make([]byte, tokenSize)
	return func() {
		digest := sha256.Sum256(input)
		must(key.Sign(nil, digest[:], crypto.SHA256))
	}
}

// construct is a whole token: its claims as the server has them, their JSON,
// the signature, the text.
func construct(algorithm jose.Algorithm) func() {
	signer := must(jose.NewSigner(keyOf(algorithm), algorithm, "bench-key-0123456789abcd", symbolon.TypAccessToken))
	claims := symbolon.Claims{
		Issuer: "https://auth.example.com", Subject: "billing", Audience: []string{benchAudience}, Expiry: 1794000600, IssuedAt: 1794000000,
		ID: "2QvWcZkq7mF0aJt3o8Yh1w", ClientID: "billing", Scope: "orders:read orders:write", Gen: 1<<40 + 17, Cred: "s1",
	}
	var space []byte
	return func() {
		space = claims.AppendJSON(space[:0])
		must(signer.Sign(space))
	}
}

// verification compares a raw check of a token's signature with jose's and
// with the whole check of package resource, on a token of a running server.
func (b *bench) verification(report *report, l libraryCase) error {
	name := string(l.algorithm)
	server, err := b.symbolon("library-"+name, name)
	if err != nil {
		return err
	}
	defer server.stop()
	token, err := b.token(server)
	if err != nil {
		return err
	}
	raw, check, err := checks(server, token)
	if err != nil {
		return err
	}
	api, err := resource.New(resource.Config{Issuer: "http://" + server.addr, Audience: benchAudience})
	if err != nil {
		return err
	}
	defer api.Close()
	request := resource.Request{Method: http.MethodGet, Authorization: []string{"Bearer " + token}}
	if _, err := api.Check(context.Background(), request, benchScope); err != nil {
		return err
	}
	for _, c := range []struct {
		what, short string
		full        func()
	}{
		{"in-process verification, text to payload, ", "verification, ", check},
		{"the same with all that package resource checks, ", "resource's check, ", func() { must(api.Check(context.Background(), request, benchScope)) }},
	} {
		found := b.compare(raw, c.full)
		report.atMost(c.what+name, found.ratio, l.most, l.verify)
		report.allocations(c.short+name, found)
	}
	return nil
}

// token gets one token.
func (b *bench) token(p *process) (string, error) {
	return tokenOf(http.DefaultClient, p, b.tokenAsk())
}

func emptyToken(a *symbolon.TokenAnswer) error {
	if a.AccessToken == "" {
		return errors.New("the answer has no token")
	}
	return nil
}

func fetch(request *http.Request) ([]byte, error) { return fetchBy(http.DefaultClient, request) }

func fetchBy(client *http.Client, request *http.Request) ([]byte, error) {
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", request.URL, answer.Status, body)
	}
	return body, err
}

// checks gives the raw check of the token's signature by the standard library,
// hash included, and jose's of the whole text.
func checks(p *process, token string) (raw, full func(), err error) {
	parsed, err := jose.Parse(token)
	if err != nil {
		return nil, nil, err
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+p.addr+"/jwks/"+parsed.Header.KeyID+".pem", nil)
	if err != nil {
		return nil, nil, err
	}
	text, err := fetch(request)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, errors.New("the key is not PEM")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, err := jose.NewKey(public, parsed.Header.Algorithm, parsed.Header.KeyID)
	if err != nil {
		return nil, nil, err
	}
	full = func() {
		t := must(jose.Parse(token))
		if err := errors.Join(t.Verify(key), jose.CheckObject(t.Payload)); err != nil {
			panic(err)
		}
	}
	if parsed.Header.Algorithm == jose.ES256 {
		_, raw = rawUnits()
		return raw, full, nil
	}
	end := strings.LastIndexByte(token, '.')
	signed, signature := []byte(token[:end]), must(jose.DecodeSegment(token[end+1:]))
	return func() {
		digest := sha256.Sum256(signed)
		if err := rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
			panic(err)
		}
	}, full, nil
}
