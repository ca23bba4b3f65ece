package client

import (
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// place is where answers come from. The same origin has two memories when it is
// both: a token endpoint and an API give nonces of their own (RFC 9449 §9).
type place struct {
	origin
	api bool
}

// peer is what is known of a server from its answers.
type peer struct {
	nonce string        // the newest (RFC 9449 §8.2)
	ahead time.Duration // how far its clock is ahead of ours
}

// peers remembers what servers said. It is as large as the places to which
// proofs and assertions go, which are those of the configuration; but the
// metadata may name other token endpoints over time.
type peers struct {
	mu    sync.Mutex
	known map[place]peer
}

// Bounds of what is remembered.
const (
	maxPeers = 64
	maxNonce = 1 << 10         // characters: a proof must fit into a request's head
	slack    = 5 * time.Second // a difference of clocks that harms nobody, with an answer's time on the way
	maxAhead = 24 * time.Hour  // a larger difference is no clock's
)

func (p *peers) at(at place) peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[at]
}

func (p *peers) change(at place, f func(*peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = make(map[place]peer)
	}
	known, ok := p.known[at]
	if !ok && len(p.known) >= maxPeers {
		for other := range p.known { // any: what is forgotten is learnt again
			delete(p.known, other)
			break
		}
	}
	f(&known)
	p.known[at] = known
}

// hear takes the nonce of an answer, whatever its status (RFC 9449 §8.2). One
// that cannot stand in a proof is not one.
func (p *peers) hear(at place, h http.Header) {
	values := h[symbolon.HeaderDPoPNonce]
	// RFC 9449 §8.1: a nonce has the characters that a scope has (NQCHAR).
	if len(values) != 1 || len(values[0]) > maxNonce || !symbolon.ValidScope(values[0]) {
		return
	}
	if p.at(at).nonce != values[0] {
		p.change(at, func(known *peer) { known.nonce = values[0] })
	}
}

// hearTime takes the time of a refusal, and reports whether it is another than
// was thought when the request was made.
func (p *peers) hearTime(at place, h http.Header, sent peer, now time.Time) bool {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return false
	}
	ahead := date.Sub(now)
	if (ahead-sent.ahead).Abs() <= slack || ahead.Abs() > maxAhead {
		return false
	}
	p.change(at, func(known *peer) { known.ahead = ahead })
	return true
}

// corrections are what a request was repeated for, each at most once.
type corrections struct{ nonce, clock bool }

// correct reports whether a request that was refused should be repeated,
// because the answer told something about the server that was not known when
// it was sent: its nonce (RFC 9449 §8) or its time.
func (c *Client) correct(done *corrections, at place, sent peer, refused symbolon.Code, h http.Header) bool {
	again := false
	switch refused {
	case symbolon.UseDPoPNonce:
		if !done.nonce && c.prover != nil && c.peers.at(at).nonce != sent.nonce {
			done.nonce, again = true, true
		}
	case symbolon.InvalidDPoPProof, symbolon.InvalidClient:
	default:
		return false
	}
	if !done.clock && c.peers.hearTime(at, h, sent, c.cfg.Now()) {
		done.clock, again = true, true
	}
	return again
}

// prove adds a new proof to the request (RFC 9449 §4.1). token is "" at the
// token endpoint.
func (c *Client) prove(r *http.Request, known peer, token string) error {
	proof, err := c.prover.Proof(dpop.ProofRequest{
		Method: methodOf(r), URL: targetOf(r), Nonce: known.nonce, AccessToken: token, Time: c.cfg.Now().Add(known.ahead),
	})
	if err != nil {
		return err
	}
	r.Header[symbolon.HeaderDPoP] = []string{proof}
	return nil
}

func methodOf(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// targetOf is the request's target URI (RFC 9110 §7.1), without what an htu
// does not have: the server knows the host that the request names, which need
// not be the one that it is sent to.
func targetOf(r *http.Request) string {
	u := url.URL{Scheme: r.URL.Scheme, Opaque: r.URL.Opaque, Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}
	if r.Host != "" {
		u.Host = r.Host
	}
	return u.String()
}
