package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// KeySourceConfig is what a KeySource works with. Its zero value is good: the
// public Internet, the system's authorities, the real clock, no log.
type KeySourceConfig struct {
	// Allow names the networks beyond the public Internet that the host of a
	// jwks_uri may be in, such as 10.20.0.0/16. An address within one of them is
	// dialled whatever else it is.
	Allow   []netip.Prefix
	RootCAs *x509.CertPool   // who may certify those hosts; nil: the system's authorities
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: discards
}

// keyLimits bounds what strangers can make a KeySource do.
type keyLimits struct {
	pause    time.Duration // between the beginnings of two fetches of a URI
	wait     time.Duration // of a request for a fetch
	patience time.Duration // of a fetch: for a place, and again for its answer
	refresh  time.Duration // age at which a set that is used is fetched anew
	stale    time.Duration // age at which a set is used no more
	fetches  int           // at once, over all URIs: an even number
	waiters  int           // requests that wait for one fetch
	uris     int           // that are remembered
	octets   int           // of memory for key sets, about
}

// usualLimits: a flood of assertions that name keys at random costs each host
// one fetch in 10 s (coreos/go-oidc#482), and this node a look into its memory
// each.
var usualLimits = keyLimits{
	pause: 10 * time.Second, wait: 3 * time.Second, patience: 5 * time.Second,
	refresh: 5 * time.Minute, stale: 24 * time.Hour,
	fetches: 16, waiters: 256, uris: 16384, octets: 64 << 20,
}

// maxUnnamed is how many keys are tried for an assertion without kid: each
// costs the verification of a signature. OpenID Connect Core §10.1 demands a
// kid as soon as there are two.
const maxUnnamed = 8

// Why a KeySource has no keys to give. Both are for records and logs: an answer
// that told them apart would tell who is a client here.
var (
	// errKeySetAway: no set was fetched within the last day.
	errKeySetAway = errors.New("the client's keys are not known")
	// errKeyNotInSet: there is a set, and the key is not in it.
	errKeyNotInSet = errors.New("the client's key set has no such key")
)

var (
	errKeySetPending = errors.New("the jwks_uri has not answered yet")
	errUnnamed       = fmt.Errorf("the client's key set has more than %d keys that it may be: let the client name one by kid", maxUnnamed)
	errKeysCrowded   = errors.New("too many other jwks_uris were asked for within the last seconds; the next request may find room")
	errKeysClosed    = errors.New("the node is stopping")
)

// KeySource remembers the key sets that clients publish at a jwks_uri (RFC 7591
// §2), with which their assertions are checked (RFC 7523 §3).
//
// It asks a host as rarely as it can, and none that is not on the public
// Internet or in an allowed network. The last good set serves for a day when a
// host is away; a key that left the set is gone with the next fetch that
// succeeds. Its methods may be called from several goroutines.
type KeySource struct {
	cfg    KeySourceConfig
	limits keyLimits
	http   *http.Client

	ctx    context.Context // of fetches
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// The places of those who fetch. URIs whose last fetch failed have places of
	// their own, so that hosts that let us wait do not keep the others out.
	places, doubtful chan struct{}

	mu     sync.Mutex
	closed bool
	memory keyMemory
}

// NewKeySource makes a KeySource. It fetches nothing before it is asked; Close
// ends it.
func NewKeySource(cfg KeySourceConfig) *KeySource { return newKeySource(cfg, usualLimits) }

func newKeySource(cfg KeySourceConfig, limits keyLimits) *KeySource {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &KeySource{
		cfg: cfg, limits: limits, http: keyClient(cfg.Allow, cfg.RootCAs),
		places: make(chan struct{}, limits.fetches/2), doubtful: make(chan struct{}, limits.fetches/2),
		memory: newKeyMemory(limits),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends what is under way and waits for it. Keys fetches nothing from then
// on.
func (s *KeySource) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	s.http.CloseIdleConnections()
}

// Keys gives the keys of a client's jwks_uri among which the one of an assertion
// may be: with a kid the one key of that kid; without, those that go with the
// algorithm, at most 8; without both all. The slice is not the caller's to
// change, and never empty without an error.
//
// A key that the remembered set has not got leads to a fetch, at most one in
// 10 s for each URI. Who needs it waits for it, up to 3 s or until ctx ends, and
// then gets what is there. The URI must be a registered client's: a stranger's
// would let strangers choose whom this node asks.
//
// An error tells an operator what to do. It is never for an answer; it holds
// nothing of what the host said.
func (s *KeySource) Keys(ctx context.Context, uri, kid string, alg jose.Algorithm) ([]*jose.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	e, err := s.memory.entry(uri, now)
	if err != nil {
		return nil, err
	}
	set := e.usable(now, s.limits.stale)
	found := set.find(kid, alg)
	if len(found) == 0 {
		if fetched := s.fetch(e, now); fetched != nil && e.waiting < s.limits.waiters {
			s.await(ctx, e, fetched)
			set = e.usable(s.cfg.Now(), s.limits.stale)
			found = set.find(kid, alg)
		}
	} else if now.Sub(set.confirmed).Abs() >= s.limits.refresh {
		s.fetch(e, now) // for those who come later
	}
	switch {
	case len(found) == 0:
		return nil, s.why(e, set)
	case kid == "" && alg != "" && len(found) > maxUnnamed:
		return nil, errUnnamed
	}
	return found, nil
}

// await waits for a fetch; the lock is held before and after.
func (s *KeySource) await(ctx context.Context, e *keyEntry, fetched <-chan struct{}) {
	e.waiting++
	s.mu.Unlock()
	timer := time.NewTimer(s.limits.wait)
	select {
	case <-fetched:
	case <-timer.C:
	case <-ctx.Done():
	}
	timer.Stop()
	s.mu.Lock()
	e.waiting--
}

// why tells why there is no key in the set; the lock is held.
func (s *KeySource) why(e *keyEntry, set *clientKeys) error {
	what, cause := errKeyNotInSet, e.failed
	if set == nil {
		what = errKeySetAway
		if cause == nil {
			cause = errKeySetPending
		}
	}
	if s.closed {
		cause = errKeysClosed
	}
	if cause == nil {
		return what
	}
	return fmt.Errorf("%w: %w", what, cause)
}

// fetch gives the fetch under way, or begins one if there may be one now; nil:
// there may not. The lock is held.
func (s *KeySource) fetch(e *keyEntry, now time.Time) <-chan struct{} {
	if e.round != nil {
		return e.round
	}
	if s.closed || e.cooling(now, s.limits.pause) {
		return nil
	}
	done := make(chan struct{})
	e.round = done
	places := s.places
	if e.failed != nil {
		places = s.doubtful
	}
	s.wg.Go(func() {
		s.run(e, places)
		close(done)
	})
	return done
}

// run makes one fetch as soon as it has a place, and keeps what it brought.
func (s *KeySource) run(e *keyEntry, places chan struct{}) {
	set, skipped, err := s.turn(e, places)
	s.mu.Lock()
	e.round = nil
	old, failed := e.set, e.failed
	e.failed = err
	if err == nil {
		set.confirmed = s.cfg.Now()
		s.memory.store(e, set)
	}
	s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	log := s.cfg.Logger.With("jwks_uri", loggedURI(e.uri))
	switch {
	case err != nil && failed == nil:
		log.Warn("a client's keys cannot be fetched; the last good ones stay in use for a day", "error", err)
	case err != nil:
		log.Debug("a client's keys still cannot be fetched", "error", err) // once is enough
	case failed != nil:
		log.Info("a client's keys can be fetched again")
	}
	for _, k := range skipped {
		log.Debug("a key of a client is not used", "index", k.Index, "reason", k.Reason)
	}
	if n := set.lacks(old); err == nil && n > 0 {
		log.Info("keys left a client's key set", "keys", n)
	}
}

var errKeyPlaces = errors.New("too many other jwks_uris are being asked, and do not answer")

// turn waits for a place and fetches. The pause runs from when it has one.
func (s *KeySource) turn(e *keyEntry, places chan struct{}) (*clientKeys, []jose.SkippedKey, error) {
	timer := time.NewTimer(s.limits.patience)
	defer timer.Stop()
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-timer.C:
		return nil, nil, errKeyPlaces
	case <-s.ctx.Done():
		return nil, nil, errKeysClosed
	}
	s.mu.Lock()
	e.next = s.cfg.Now().Add(s.limits.pause)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, s.limits.patience)
	defer cancel()
	text, err := readKeySet(ctx, s.http, e.uri)
	if err != nil {
		return nil, nil, err
	}
	return parseClientKeys(text)
}
