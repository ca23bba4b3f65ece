package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

const guardYAML = `issuer: http://%[1]s
audience: ` + benchAudience + `
proxy: {listen: "%[2]s", upstream: "http://%[3]s"}
forward_auth: {listen: "%[4]s", headers: nginx, trusted: [127.0.0.0/8]}
token_cache: %[5]d
routes:
  - {match: "GET /bare", scopes: ["` + benchScope + `"]}
`

// guarding is a guard in front of an API. Both listeners are of one process.
type guarding struct {
	proxy, forwardAuth *process
}

var guardListening = regexp.MustCompile(`forward_auth.*?(127\.0\.0\.1:\d+)`)

// guard starts one that remembers so many verified tokens.
func (b *bench) guard(issuer, api *process, cache int) (*guarding, error) {
	proxy, err := freeAddr()
	if err != nil {
		return nil, err
	}
	forwardAuth, err := freeAddr()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.dir, fmt.Sprintf("guard-%d.yaml", cache))
	if err := os.WriteFile(file, fmt.Appendf(nil, guardYAML, issuer.addr, proxy, api.addr, forwardAuth, cache), 0o600); err != nil {
		return nil, err
	}
	p, err := start(guardListening, nil, filepath.Join(b.dir, "symbolon"), "guard", "--config", file)
	if err != nil {
		return nil, err
	}
	g := &guarding{&process{p.cmd, proxy}, &process{p.cmd, forwardAuth}}
	if err := g.ready(); err != nil {
		g.stop()
		return nil, err
	}
	return g, nil
}

// ready waits until the guard has the issuer's keys.
func (g *guarding) ready() error {
	request, err := http.NewRequest(http.MethodGet, "http://"+g.forwardAuth.addr+"/readyz", nil)
	if err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if _, err = fetch(request); err == nil || time.Since(began) > 10*time.Second {
			return err
		}
	}
}

func (g *guarding) stop() { g.proxy.stop() }

// guardedPath is where the API answers.
const guardedPath = "/bare"

// through is a job whose requests go through the guard to the API.
func (g *guarding) through(tokens []string, n int) job { return through(g.proxy, tokens, n) }

func through(p *process, tokens []string, n int) job {
	j := job{Addr: p.addr, Path: guardedPath, Method: http.MethodGet, Conns: 16, N: n}
	for _, t := range tokens {
		j.Asks = append(j.Asks, ask{Auth: "Bearer " + t, Want: http.StatusOK})
	}
	return j
}

// asking is the same with the questions that nginx asks.
func (g *guarding) asking(tokens []string, n int) job {
	j := through(g.forwardAuth, tokens, n)
	j.Path = "/forward-auth"
	for i := range j.Asks {
		j.Asks[i].More = "X-Original-Method: GET\r\nX-Original-URI: " + guardedPath + "\r\n"
	}
	return j
}

// guarded measures the guard.
func (b *bench) guarded(report *report) error {
	issuer, err := b.symbolon("guard", "ES256")
	if err != nil {
		return err
	}
	defer issuer.stop()
	api, err := b.api(issuer)
	if err != nil {
		return err
	}
	defer api.stop()
	if err := b.guardCPU(report, issuer, api); err != nil {
		return err
	}
	return b.guardMemory(report, issuer, api)
}

// guardCPU measures what the guard takes for a request and for a question. The
// token is one: without a cache its signature is verified each time.
func (b *bench) guardCPU(report *report, issuer, api *process) error {
	tokens, err := b.tokensOf(issuer, 1)
	if err != nil {
		return err
	}
	plain, err := start(listening, nil, filepath.Join(b.dir, "proxy"), "-upstream", "http://"+api.addr)
	if err != nil {
		return err
	}
	defer plain.stop()
	verifying, err := b.guard(issuer, api, 0)
	if err != nil {
		return err
	}
	defer verifying.stop()
	remembering, err := b.guard(issuer, api, 10000)
	if err != nil {
		return err
	}
	defer remembering.stop()
	n := b.n(20000)
	all, err := b.alternate(7,
		subject{plain, through(plain, tokens, n)}, subject{api, through(api, tokens, 3*n)},
		subject{verifying.proxy, verifying.through(tokens, n)}, subject{remembering.proxy, remembering.through(tokens, n)},
		subject{verifying.proxy, verifying.asking(tokens, n)}, subject{remembering.proxy, remembering.asking(tokens, 2*n)})
	if err != nil {
		return err
	}
	report.atMost("guard as reverse proxy over Go's plain `httputil.ReverseProxy`, CPU per request, 16 connections", ratio(all[2], all[0], cpuBeyond), 1.3, "v")
	report.beside("the same with a token that is in its cache of verified tokens", ratio(all[3], all[0], cpuBeyond), "v")
	report.atMost("guard as forward-auth, CPU per question, all of it, 16 connections", median(all[4], round.inV), 1.5, "v")
	report.beside("the same over a bare handler of net/http", ratio(all[4], all[1], cpuBeyond), "v")
	report.beside("guard as forward-auth, all of it, with a token that is in its cache of verified tokens", median(all[5], round.inV), "v")
	report.note("the plain proxy takes %.2f v of CPU per request, the bare API %.2f v, the guard as a proxy %.2f v, with a cached token %.2f v",
		median(all[0], round.inV), median(all[1], round.inV), median(all[2], round.inV), median(all[3], round.inV))
	return nil
}
