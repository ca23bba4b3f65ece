package main

import (
	"net/http"

	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
)

// dpop measures proofs of possession (RFC 9449) on all three sides: the token
// endpoint, an API, and the program that makes them.
func (b *bench) dpop(report *report) error {
	hs := newHolders()
	server, err := b.filled("dpop", manyHolders, hs.client)
	if err != nil {
		return err
	}
	b.prover(report)
	return server.serve(func(p *process) error {
		if err := b.proofsForTokens(report, p, hs); err != nil {
			return err
		}
		return b.proofsAtAPI(report, p, hs)
	})
}

// prover measures the making of a proof for an API.
func (b *bench) prover(report *report) {
	prover := must(dpop.NewProver(keyOf(jose.ES256)))
	request := dpop.ProofRequest{
		Method: http.MethodGet, URL: benchAudience + "/v1/orders/7?expand=lines",
		Nonce: "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", AccessToken: string(make([]byte, 900)),
	}
	proof := func() { must(prover.Proof(request)) }
	made := b.compare(rawSign(jose.ES256), proof)
	report.atMost("a client's DPoP proof, ES256", made.ratio, 1.15, "s")
	exact := b.compare(rawDeterministic(), proof)
	report.beside("the same over a raw signature of RFC 6979, which is what it asks for", exact.ratio, "×")
}

// proofsForTokens measures proofs at the token endpoint, where nonces are
// required as long as nobody turns them off.
func (b *bench) proofsForTokens(report *report, p *process, hs holders) error {
	const conns = 16
	all, err := b.alternate(7,
		subject{p, job{Addr: p.addr, Path: "/token", Asks: hs.bySecret(), Conns: conns, N: b.n(20000)}},
		subject{p, job{Addr: p.addr, Path: "/token", fresh: hs.withProof(p, false), Conns: conns, N: b.n(12000)}},
		subject{p, job{Addr: p.addr, Path: "/token", fresh: hs.withProof(p, true), Conns: conns, N: b.n(10000)}})
	if err != nil {
		return err
	}
	secret, proof, both := all[0], all[1], all[2]
	report.atMost("DPoP at the token endpoint with a nonce, beyond the same token without, server CPU, "+connections(conns),
		ratio(proof, secret, cpuBeyond), 1.2, "v")
	report.beside("private_key_jwt and DPoP together, beyond a token by secret", ratio(both, secret, cpuBeyond), "v")
	report.note("token by secret %.2f v, with a proof %.2f v, by assertion and with a proof %.2f v of CPU",
		median(secret, round.inV), median(proof, round.inV), median(both, round.inV))
	return nil
}

// proofsAtAPI measures proofs at an API, each with a bound token, against the
// same check of a bearer token.
func (b *bench) proofsAtAPI(report *report, issuer *process, hs holders) error {
	bearer, err := b.token(issuer)
	if err != nil {
		return err
	}
	if err := hs.bind(issuer); err != nil {
		return err
	}
	api, err := b.api(issuer)
	if err != nil {
		return err
	}
	defer api.stop()
	const conns = 16
	plain := func(path string, n int) subject {
		return subject{api, job{Addr: api.addr, Path: path, Method: http.MethodGet, Asks: []ask{{Auth: "Bearer " + bearer, Want: 200}}, Conns: conns, N: b.n(n)}}
	}
	bound := func(path string) subject {
		return subject{api, job{Addr: api.addr, Path: path, Method: http.MethodGet, fresh: hs.atAPI(path), Conns: conns, N: b.n(15000)}}
	}
	all, err := b.alternate(7, plain("/checked", 20000), bound("/checked"), plain("/cached", 80000), bound("/cached"))
	if err != nil {
		return err
	}
	report.atMost("DPoP at an API, beyond the check of a bearer token, CPU per request, "+connections(conns), ratio(all[1], all[0], cpuBeyond), 1.25, "v")
	report.beside("the same with tokens that are in the cache of verified tokens", ratio(all[3], all[2], cpuBeyond), "v")
	report.note("at the API: bearer %.2f v, bound %.2f v of CPU per request; with a cached token %.2f v and %.2f v",
		median(all[0], round.inV), median(all[1], round.inV), median(all[2], round.inV), median(all[3], round.inV))
	return nil
}

// atAPI makes requests with bound tokens. What proofs name is the API's public
// URL, its identifier, whatever the address of the connection.
func (hs holders) atAPI(path string) func(n int) ([]ask, error) {
	return func(n int) ([]ask, error) {
		return hs.each(n, func(h *holder) (ask, error) {
			proof, err := h.proofs.Proof(dpop.ProofRequest{Method: http.MethodGet, URL: benchAudience + path, AccessToken: h.token})
			return ask{Auth: "DPoP " + h.token, DPoP: proof, Want: 200}, err
		})
	}
}
