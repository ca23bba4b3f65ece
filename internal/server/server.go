// Package server holds the OAuth endpoints of an issuer: one file per endpoint,
// grant or RFC. routes.go lists them all.
//
// token.go reads as the checklist of a token request; its steps are readRequest
// (request.go), authenticate (clientauth.go), prove (proof.go), decide
// (clientcredentials.go), consume (consume.go), issue (issue.go) and the record
// (record.go), and what they find out stands in the call (call.go).
//
// introspection.go and revocation.go are the other endpoints at which clients
// authenticate. Their walk is that of a token request but for what is about a new
// token, and what the three share stands in endpoint.go: serve reads the request,
// admit lets the client in (judge, identify, consume). Then current
// (issuedtoken.go) finds out whether the text is a token of the issuer that has not
// expired; introspection goes on with inspect, and with signAnswer
// (introspectionjwt.go) where the API wants to keep the answer.
//
// What the issuer denies is told to those who check its tokens by the revocation
// set: revocationset.go answers, revocationfeed.go knows what there is,
// revocationtext.go signs it and revocationwait.go lets validators wait for it.
//
// Issuers whose programs were written for another vendor have a Dialect
// (dialect.go): where their endpoints stand (paths.go), and what the walk lets pass
// there and nowhere else. It is looked at in formjson.go, formquery.go, basic.go,
// allowance.go and where issue.go writes claims and answer. recognize.go is for
// the vendor's endpoints that are none of OAuth's.
//
// What anybody may read, the metadata (metadata.go) and the keys (jwks.go), is made
// once and handed out (published.go). authorize.go is there to say no.
//
// The package decides on the node's own replica and writes nothing but the spool;
// that a client's token is denied it has its Revoker write. It asks others for two
// things alone: the keys at a client's jwks_uri (jwksuri.go), and the memory of
// several nodes, whether an assertion or a proof was presented before.
package server

import (
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/web"
)

// Config is what the endpoints work with. Replica, Ring and Spool are needed.
type Config struct {
	Replica *replica.Replica
	Ring    *keys.Ring
	Spool   *audit.Spool

	// Keys fetches the keys of clients that publish them at a jwks_uri. Nil: they
	// are not fetched, and only registered keys count.
	Keys *KeySource
	// Nonces are demanded in DPoP proofs where the issuer says so (RFC 9449 §8).
	// Nil: nowhere.
	Nonces *dpop.Nonces
	// Replay remembers the assertions and proofs that were presented to this node;
	// default: a memory of its own. Shared is the memory of several nodes, which
	// is asked first; nil: there is none.
	Replay dpop.Replay
	Shared SharedReplay
	// IssuedSince: Replay does not know all that was presented before then, so
	// what may have been issued earlier is refused unless Shared knows of it.
	// Zero: it does.
	IssuedSince time.Time

	// Revoker stores what clients revoke. Nil: there is no revocation endpoint.
	Revoker Revoker

	// Certificates says how the certificate of a client can reach the issuer of
	// that URL, without a final slash: ok, that it can, and the URL that stands for the issuer's where
	// certificates are asked for (RFC 8705 §5), "" when there is none but its own.
	// Nil: no certificate reaches any issuer.
	Certificates func(issuer string) (alias string, ok bool)
	// ClientCAs gives the roots that the certificate of a client with
	// tls_client_auth (RFC 8705 §2.1) must lead to, as they are now. Nil: there
	// are none, and no client can authenticate so.
	ClientCAs func() *x509.CertPool

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: discards
}

// Server answers the endpoints that Routes lists. Its methods may be called
// from several goroutines.
type Server struct {
	cfg     Config
	hashing *hashers
	decoy   *decoy
	leaks   *web.Limiter // of the log's lines
	chains  *chains
	library library
	feeds   feeds
	calls   sync.Pool // of *call

	proofKeys dpop.Keys
	normal    normalURLs // of token endpoints

	// count is told of each call of a step that could tell refusals apart, by
	// its name. Nil outside tests.
	count func(step string)
}

// New makes a Server. It starts nothing and has nothing to close.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Replay == nil {
		cfg.Replay = dpop.NewMemory(dpop.MemoryConfig{Now: cfg.Now})
	}
	s := &Server{cfg: cfg, hashing: newHashers(), decoy: newDecoy(), leaks: newLeakLimit(), chains: newChains()}
	s.library.config = &s.cfg
	s.feeds = feeds{
		config: &s.cfg, waiting: web.Places{InAll: waitingInAll, PerNetwork: waitingPerNetwork},
		sending: web.Places{InAll: sendingInAll, PerNetwork: sendingPerNetwork}, long: longAnswer,
		drained: make(chan struct{}), counted: s.counted,
	}
	s.calls.New = func() any { return newCall() }
	return s
}

// Drain answers what waits for the revocation set now, and lets nothing wait any
// more: for a node that stops. It may be called more than once.
func (s *Server) Drain() { s.feeds.drain.Do(func() { close(s.feeds.drained) }) }

// Waiting is how many requests wait for a denial now.
func (s *Server) Waiting() int { return s.feeds.waiting.Taken() }

func (s *Server) counted(step string) {
	if s.count != nil {
		s.count(step)
	}
}

// errStale: past max_stale a node knows too little to answer for anybody.
var errStale = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "this node has not heard from its store for too long; try again, or try another node",
	RetryAfter:  5 * time.Second,
}

// fapiStale is how long a node may be cut off and still issue for an issuer of
// the FAPI 2.0 Security Profile.
const fapiStale = time.Hour

// stale reports whether this node has not heard from its store for too long to
// answer for the issuer.
func (s *Server) stale(issuer *registry.IssuerView) bool {
	return s.cfg.Replica.Stale() || issuer.FAPI2() && s.cfg.Now().Sub(s.cfg.Replica.Contact()) > fapiStale
}
