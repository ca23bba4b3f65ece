package resource

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
)

// possession is what an API needs for DPoP. The zero value knows no URL and can
// check no proof.
type possession struct {
	origin string // "https://orders.example.com"; empty: no DPoP here
	prefix string // the path of the public URL, without a final slash; mostly empty

	algorithms []jose.Algorithm
	algs       string // the same, for challenges
}

// possession reads what the configuration says of proofs.
func (cfg *Config) possession(public *url.URL) (p possession, err error) {
	if p.algorithms, err = cfg.proofAlgorithms(); err != nil {
		return p, err
	}
	p.algs = strings.Join(names(p.algorithms), " ")
	// The audience may be a name only: plain http elsewhere is no place to call.
	if public == nil || cfg.PublicURL == "" && public.Scheme != "https" && !symbolon.Loopback(public.Hostname()) {
		if cfg.Bound == BoundDPoP {
			return p, wrong("PublicURL", errors.New(`is needed with Bound "dpop": proofs name the URL under which callers reach the API, as "https://orders.example.com"`))
		}
		return p, nil
	}
	base, err := dpop.NormalizeURL(public.Scheme + "://" + public.Host + public.EscapedPath())
	if err != nil {
		if cfg.PublicURL == "" && cfg.Bound != BoundDPoP {
			return p, nil
		}
		return p, wrong("PublicURL", fmt.Errorf("cannot be compared with what proofs say: %w", err))
	}
	at := strings.IndexByte(base[len("https://"):], '/') + len("https://")
	p.origin, p.prefix = base[:at], strings.TrimSuffix(base[at:], "/")
	return p, nil
}

// proofAlgorithms reads Config.DPoPAlgorithms.
func (cfg *Config) proofAlgorithms() ([]jose.Algorithm, error) {
	if cfg.DPoPAlgorithms == nil {
		return dpop.DefaultAlgorithms(), nil
	}
	algorithms := make([]jose.Algorithm, len(cfg.DPoPAlgorithms))
	for i, name := range cfg.DPoPAlgorithms {
		alg, err := jose.ParseAlgorithm(name)
		if err != nil {
			return nil, wrong(fmt.Sprintf("DPoPAlgorithms[%d]", i), fmt.Errorf("%q is none of %s", name, strings.Join(names(dpop.DefaultAlgorithms()), ", ")))
		}
		algorithms[i] = alg
	}
	if len(algorithms) == 0 {
		return nil, wrong("DPoPAlgorithms", errors.New("is empty; leave it nil for all of them, or name one"))
	}
	return algorithms, nil
}

func names(algorithms []jose.Algorithm) []string {
	s := make([]string, len(algorithms))
	for i, a := range algorithms {
		s[i] = string(a)
	}
	return s
}

// can reports whether proofs can be checked here.
func (p *possession) can() bool { return p.origin != "" }

// takesDPoP reports whether callers are told of DPoP: a token that must be bound
// to a certificate gains nothing by being bound to a second key.
func (cfg *Config) takesDPoP(p *possession) bool { return p.can() && cfg.Bound != BoundMTLS }

var errNoPath = errors.New("the request's URL has no path that begins with a slash")

// htu is the URL of the request as its caller knows it, normalised. The Host
// header and what a proxy says of it take no part: both are the caller's to
// choose (RFC 9449 §4.3).
//
// A path that is not under the public URL's is put under it: a proxy took that
// away on the request's way.
func (p *possession) htu(r *Request) (string, error) {
	path := r.target
	if path == "" && r.URL != nil {
		path = r.URL.EscapedPath()
	}
	if !strings.HasPrefix(path, "/") {
		return "", errNoPath
	}
	htu, err := dpop.NormalizeURL(p.origin + path)
	if err != nil || p.prefix == "" {
		return htu, err
	}
	if rest, ok := strings.CutPrefix(htu[len(p.origin):], p.prefix); ok && (rest == "" || rest[0] == '/') {
		return htu, nil
	}
	return dpop.NormalizeURL(p.origin + p.prefix + htu[len(p.origin):])
}

// target is the path of a request target as it was sent (RFC 9112 §3.2.1), which
// middlewares such as http.StripPrefix do not change; empty when it has another
// form than a path and a query.
func target(requestURI string) string {
	if !strings.HasPrefix(requestURI, "/") {
		return ""
	}
	path, _, _ := strings.Cut(requestURI, "?")
	if strings.IndexByte(path, '#') >= 0 {
		// Nothing divides a fragment from a request target: it is a part of the
		// path that was not encoded.
		path = strings.ReplaceAll(path, "#", "%23")
	}
	return path
}

// proof: RFC 9449 §4.3, §7.1: one good proof for this request and this token,
// made with the key that the token is bound to.
func (a *API) proof(r *Request, token, jkt string, t *symbolon.Trace) (*dpop.Proof, *symbolon.Error) {
	htu, err := a.possession.htu(r)
	if err != nil {
		if t != nil {
			t.Fail("proof url", "RFC 9449 §4.3", "a URL to compare with", err.Error(), errTarget.Description)
		}
		return nil, errTarget.WithCause(err)
	}
	p, err := dpop.Check(r.DPoP, dpop.Expectation{
		Method: r.Method, URLs: []string{htu}, AccessToken: token, Now: a.cfg.Now(),
		Algorithms: a.possession.algorithms, Keys: &a.proofKeys, Trace: t,
	})
	if err != nil {
		return nil, symbolon.AsError(err)
	}
	const clause = "RFC 9449 §6.1, §7.1"
	if subtle.ConstantTimeCompare([]byte(p.Thumbprint), []byte(jkt)) != 1 {
		t.Fail("binding", clause, jkt, p.Thumbprint, errOtherKey.Description)
		return nil, errOtherKey
	}
	t.OK("binding", clause, jkt, p.Thumbprint)
	return p, a.fresh(p, t)
}
