package main

import (
	"fmt"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// keys measures private_key_jwt (RFC 7523 §2.2): what an assertion costs beyond
// a secret, and what a flood of assertions costs that name unknown keys.
func (b *bench) keys(report *report) error {
	host, err := newKeyHost(b.dir)
	if err != nil {
		return err
	}
	defer host.close()
	server, err := b.configure("keys", "ES256")
	if err != nil {
		return err
	}
	if err := server.set("jwks_uri_allow: [127.0.0.0/8]\n"); err != nil {
		return err
	}
	server.variables = []string{"SSL_CERT_FILE=" + host.certificate}
	hs := newHolders()
	if err := server.populate(manyHolders+1, func(i int, now time.Time) *registry.Client {
		if i < manyHolders {
			return hs.client(i, now)
		}
		c := manyClient(i, now)
		c.JWKSURI = host.uri
		return c
	}); err != nil {
		return err
	}
	return server.serve(func(p *process) error {
		if err := b.assertions(report, p, hs); err != nil {
			return err
		}
		return b.unknownKeys(report, p, host)
	})
}

func (b *bench) assertions(report *report, p *process, hs holders) error {
	const conns = 16
	all, err := b.alternate(7,
		subject{p, job{Addr: p.addr, Path: "/token", Asks: hs.bySecret(), Conns: conns, N: b.n(20000)}},
		subject{p, job{Addr: p.addr, Path: "/token", fresh: hs.byAssertion(p), Conns: conns, N: b.n(12000)}})
	if err != nil {
		return err
	}
	secret, assertion := all[0], all[1]
	report.atMost("token by private_key_jwt, ES256, beyond the same by client_secret_basic, server CPU, "+connections(conns),
		ratio(assertion, secret, cpuBeyond), 1.2, "v")
	report.note("token by secret %.2f v, by assertion %.2f v of CPU; median %s and %s", median(secret, round.inV), median(assertion, round.inV),
		short(time.Duration(median(secret, medianTime))), short(time.Duration(median(assertion, medianTime))))
	return nil
}

// fetchEvery is how often a flood may make the server ask a jwks_uri.
const fetchEvery = 10 * time.Second

// unknownKeys floods the client whose keys are at the host with assertions of
// kids that nobody has, in turns with wrong secrets of the same client.
func (b *bench) unknownKeys(report *report, p *process, host *keyHost) error {
	victim := newHolder(manyHolders)
	victim.assertions = host.signer
	// One that is good first: it shows that the host is asked and believed.
	good, err := victim.byAssertion(p)
	if err != nil {
		return err
	}
	if _, err := (job{Addr: p.addr, Path: "/token", Asks: []ask{good}, Conns: 1, N: 1}).run(); err != nil {
		return fmt.Errorf("by the key at the jwks_uri: %w", err)
	}
	// Refusals wait for the next round of the replica, so it takes many at a time.
	const conns = 512
	wrong := ask{Auth: basic(victim.id, manySecret(0)), Form: clientCredentials(benchScope), Want: 401}
	before, began := host.count(), time.Now()
	all, err := b.alternate(7,
		subject{p, job{Addr: p.addr, Path: "/token", Asks: []ask{wrong}, Conns: conns, N: b.n(30000)}},
		subject{p, job{Addr: p.addr, Path: "/token", fresh: victim.ofUnknownKeys(p), Conns: conns, N: b.n(30000)}})
	if err != nil {
		return err
	}
	fetches, seconds := host.count()-before, time.Since(began).Seconds()
	most := 1 + int(seconds/fetchEvery.Seconds())
	report.add("fetches of a jwks_uri under a flood of assertions with unknown kid", fmt.Sprintf("%d in %.0f s", fetches, seconds),
		fmt.Sprintf("≤ %d, one in 10 s", most), fetches <= most)
	secret, unknown := all[0], all[1]
	report.atMost("server CPU per assertion with unknown kid, over a wrong secret", ratio(unknown, secret, cpuOver), 1.0, "×")
	report.note("wrong secret %.2f v, unknown kid %.2f v of CPU; %.0f and %.0f a second on %s; two fetches were at least %s apart",
		median(secret, round.inV), median(unknown, round.inV), median(secret, perSecond), median(unknown, perSecond), connections(conns), short(host.least()))
	return nil
}

// ofUnknownKeys makes assertions of keys that nobody knows, up to a thousand
// different ones: what is refused may come again.
func (h *holder) ofUnknownKeys(p *process) func(n int) ([]ask, error) {
	return func(n int) ([]ask, error) {
		return holders{h}.each(min(n, 1000), func(h *holder) (ask, error) {
			stranger, err := strangeSigner()
			if err != nil {
				return ask{}, err
			}
			assertion, err := h.assert(stranger, "http://"+p.addr)
			return ask{Form: assertionForm(assertion), Want: 401}, err
		})
	}
}
