package main

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/symbolon/symbolon"
)

// What the API with opaque tokens is called, and who may ask about tokens.
const (
	sealedScope = "sealed:read"
	askerClient = "asker"
)

const askingYAML = `set: bench
apis:
  - id: orders
    identifier: ` + benchAudience + `
    scopes: {"` + benchScope + `": Read orders}
    token: {lifetime: 1h, algorithm: ES256}
  - id: sealed
    identifier: https://sealed.example.com
    scopes: {"` + sealedScope + `": Read what is sealed}
    token: {lifetime: 1h, format: opaque}
clients:
  - id: ` + benchClient + `
    secrets: [{id: s1, value_from: {env: BENCH_SECRET}}]
    access: {orders: ["` + benchScope + `"], sealed: ["` + sealedScope + `"]}
  - id: ` + askerClient + `
    secrets: [{id: s1, value_from: {env: BENCH_SECRET}}]
resource_servers:
  - {api: orders, client: ` + askerClient + `}
  - {api: sealed, client: ` + askerClient + `}
`

// configureAsking is configure with a second API, whose tokens are opaque, and a
// client that may ask about the tokens of both.
func (b *bench) configureAsking(name string) (*instance, error) {
	i, err := b.configure(name, "ES256")
	if err != nil {
		return nil, err
	}
	return i, os.WriteFile(i.state, []byte(askingYAML), 0o600)
}

// tokensAsked is how many tokens are asked about in turn.
const tokensAsked = 100

// introspection measures what an answer about a token costs (RFC 7662).
func (b *bench) introspection(report *report) error {
	server, err := b.configureAsking("introspection")
	if err != nil {
		return err
	}
	floor, err := b.floor()
	if err != nil {
		return err
	}
	defer floor.stop()
	return server.serve(func(p *process) error {
		signed, err := b.questions(p, benchScope)
		if err != nil {
			return err
		}
		sealed, err := b.questions(p, sealedScope)
		if err != nil {
			return err
		}
		return b.answers(report, p, floor, signed, sealed)
	})
}

// answers measures introspection beside the floor.
func (b *bench) answers(report *report, p, floor *process, signed, sealed []ask) error {
	const conns = 16
	n := b.n(20000)
	// The floor has one client, and takes any text for a token.
	least := []ask{{Auth: basic(benchClient, b.secret), Form: signed[0].Form, Want: 200}}
	all, err := b.alternate(7,
		subject{p, job{Addr: p.addr, Path: "/introspect", Asks: signed, Conns: conns, N: n}},
		subject{p, job{Addr: p.addr, Path: "/introspect", Asks: sealed, Conns: conns, N: n}},
		subject{floor, job{Addr: floor.addr, Path: "/introspect", Asks: least, Conns: conns, N: n}},
		subject{floor, b.tokenJob(floor, conns, n)})
	if err != nil {
		return err
	}
	asked := []struct {
		what   string
		rounds []round
	}{{"ES256", all[0]}, {"opaque", all[1]}}
	for _, a := range asked {
		report.atMost("server CPU per introspection, "+a.what+" token, over the floor without a signature + v, "+connections(conns),
			ratio(a.rounds, all[2], cpuOverFloor), 1.3, "×")
		report.beside("the same over the floor of tokens + v", ratio(a.rounds, all[3], cpuOverFloor), "×")
	}
	report.note("introspection of an ES256 token %.2f v, of an opaque one %.2f v of CPU; the floor %.2f v without a signature, %.2f v with one; median %s and %s",
		median(all[0], round.inV), median(all[1], round.inV), median(all[2], round.inV), median(all[3], round.inV),
		short(time.Duration(median(all[0], medianTime))), short(time.Duration(median(all[1], medianTime))))
	return nil
}

// cpuOverFloor is the CPU per request of a in that of the floor and one
// verification.
func cpuOverFloor(a, floor round) float64 { return a.inV() / (floor.inV() + 1) }

// questions gets tokens of a scope and makes the questions about them. Each is
// asked once: an answer is 200 for a token of nobody's, too.
func (b *bench) questions(p *process, scope string) ([]ask, error) {
	wanted := make([]ask, tokensAsked)
	for i := range wanted {
		wanted[i] = ask{Auth: basic(benchClient, b.secret), Form: clientCredentials(scope)}
	}
	tokens, err := collect(p, wanted)
	if err != nil {
		return nil, err
	}
	var asks []ask
	for _, token := range tokens {
		a := b.question(token)
		if err := active(p, a); err != nil {
			return nil, err
		}
		asks = append(asks, a)
	}
	return asks, nil
}

// question asks about one token.
func (b *bench) question(token string) ask {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	return ask{Auth: basic(askerClient, b.secret), Form: form.Encode(), Want: 200}
}

// active asks, and demands that the token is.
func active(p *process, a ask) error {
	body, err := post(http.DefaultClient, "http://"+p.addr+"/introspect", a)
	if err != nil {
		return err
	}
	answer, err := symbolon.ParseIntrospection(body)
	if err != nil {
		return err
	}
	if !answer.Active {
		return errors.New("a token is not active: " + string(body))
	}
	return nil
}
