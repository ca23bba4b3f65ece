package client

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
)

// cache keeps one token and sees to it that at most one request for a new one
// is under way, and none too soon after one that failed.
type cache struct {
	ask   func(context.Context) (*Token, *symbolon.Error)
	now   func() time.Time
	auth  Auth
	bound *ClientCertificate // nil: tokens are not bound to a certificate
	log   *slog.Logger

	current atomic.Pointer[held] // read without the lock

	mu      sync.Mutex
	flight  *flight
	failed  *failure  // nil after a success
	dropped time.Time // when an API's refusal last dropped a token

	ctx    context.Context // of what runs in the background
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// held is a token with its times.
type held struct {
	token   *Token
	refresh time.Time // from then on a new one is asked for in the background
	until   time.Time // from then on it is not given out
}

// flight is one search for a token, with its retries. Callers come and go:
// that one of them gives up ends nothing for the others.
type flight struct {
	done    chan struct{}
	waiting atomic.Int32                   // callers that want the result; a refresh has none
	last    atomic.Pointer[symbolon.Error] // what the last attempt met
	token   *Token
	err     *symbolon.Error
}

// failure is what is answered until a new request may be made.
type failure struct {
	err     *symbolon.Error
	until   time.Time
	version string // of the credential that was refused
	row     int    // how many requests failed, one after the other
}

func (c *cache) init(cfg Config, ask func(context.Context) (*Token, *symbolon.Error)) {
	c.ask, c.now, c.auth, c.bound, c.log = ask, cfg.Now, cfg.Auth, cfg.bound(), cfg.Logger
	c.ctx, c.cancel = context.WithCancel(context.Background())
}

func (c *cache) close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.wg.Wait()
}

// Token gives a token that is valid for a while yet: the one that is kept, or
// a new one. It waits for as long as ctx lets it, at most for a few attempts.
// Errors are *symbolon.Error: from the server as it wrote them, with its
// request id; temporarily_unavailable when it could not be reached. After a
// failure the same error is given at once, without a request, until it makes
// sense to ask again (RetryAfter).
func (c *Client) Token(ctx context.Context) (*Token, error) {
	token, err := c.cache.get(ctx)
	if err != nil {
		return nil, err
	}
	return token, nil
}

// Forget drops the token if it is the one that is kept, as after a 401
// invalid_token from an API that was reached by other means than HTTP or
// Transport. It reports whether Token will give another one: an API that
// refuses every token causes at most one token request in ten seconds.
func (c *Client) Forget(t *Token) bool { return c.cache.drop(t) }

// dropPause is the least time between two tokens dropped because of refusals.
const dropPause = 10 * time.Second

func (c *cache) drop(t *Token) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.current.Load()
	if h == nil || h.token != t {
		return true // somebody else did
	}
	now := c.now()
	if !c.dropped.IsZero() && now.Sub(c.dropped).Abs() < dropPause {
		return false
	}
	c.dropped = now
	c.current.Store(nil)
	return true
}

func (c *cache) get(ctx context.Context) (*Token, *symbolon.Error) {
	now := c.now()
	h := c.current.Load()
	if h != nil && now.Before(h.until) {
		if c.due(h, now) {
			c.refresh(now)
		}
		return h.token, nil
	}
	if ctx.Err() != nil {
		return nil, waitEnded(ctx, nil)
	}
	f, err := c.join(now)
	if f == nil {
		return nil, err
	}
	defer f.waiting.Add(-1)
	select {
	case <-f.done:
		if f.err != nil {
			return nil, f.err
		}
		return f.token, nil
	case <-ctx.Done():
		return nil, waitEnded(ctx, f.last.Load())
	}
}

// due reports whether a new token should be asked for: the one that is held is
// old, or bound to a certificate that has a successor.
func (c *cache) due(h *held, now time.Time) bool {
	return !now.Before(h.refresh) || c.bound != nil && h.token.shown != c.bound.current(now)
}

// refresh begins a search that nobody waits for, when none is under way and
// the last one did not fail just now.
func (c *cache) refresh(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.current.Load(); h == nil || !c.due(h, now) {
		return // another goroutine's refresh came in between
	}
	if c.flight == nil && c.cooling(now) == nil {
		c.begin(0)
	}
}

// join gives the search that is under way, or begins one; or else the error
// that stands until the next one may begin.
func (c *cache) join(now time.Time) (*flight, *symbolon.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight == nil {
		if err := c.cooling(now); err != nil {
			return nil, err
		}
		if h := c.current.Load(); h != nil && now.Before(h.until) {
			f := &flight{done: make(chan struct{}), token: h.token}
			f.waiting.Store(1)
			close(f.done)
			return f, nil
		}
		if !c.begin(1) {
			return nil, errClosed
		}
		return c.flight, nil
	}
	c.flight.waiting.Add(1)
	return c.flight, nil
}

var errClosed = symbolon.NewError(symbolon.TemporarilyUnavailable, "the client was closed; make a new one").WithCause(errors.New("client: closed"))

// cooling gives the last failure while no new request may be made. A changed
// credential ends that: a refusal of the old one says nothing about it.
func (c *cache) cooling(now time.Time) *symbolon.Error {
	f := c.failed
	// A clock that was set back must not lengthen the pause.
	if f == nil || !now.Before(f.until) || f.until.Sub(now) > longestPause {
		return nil
	}
	if f.version != c.version() {
		return nil
	}
	e := *f.err
	e.RetryAfter = f.until.Sub(now)
	return &e
}

// begin starts the search, for which so many wait already; the lock is held.
func (c *cache) begin(waiting int32) bool {
	if c.ctx.Err() != nil {
		return false
	}
	f := &flight{done: make(chan struct{})}
	f.waiting.Store(waiting)
	row := 0
	if c.failed != nil {
		row = c.failed.row
	}
	c.flight = f
	c.wg.Go(func() { c.search(f, row) })
	return true
}

// search asks until there is a token, or an answer that will not change, or
// nobody waits any more.
func (c *cache) search(f *flight, row int) {
	for attempt := 1; ; attempt++ {
		version := c.version()
		token, err := c.ask(c.ctx)
		if err == nil {
			c.succeed(f, token)
			return
		}
		f.last.Store(err)
		pause := pauseAfter(err, row+attempt)
		if h := c.current.Load(); h != nil && err.RetryAfter == 0 && !lasting(err) {
			if left := h.until.Sub(c.now()); left > 0 {
				pause = pauseWhileValid(left)
			}
		}
		if attempt == maxAttempts || lasting(err) || f.waiting.Load() == 0 || pause > longestWait || !c.sleep(pause) {
			e := *err
			e.RetryAfter = pause
			c.fail(f, &failure{err: &e, until: c.now().Add(pause), version: version, row: row + attempt})
			return
		}
	}
}

func (c *cache) version() string {
	version := c.bound.version()
	if v, ok := c.auth.(versioned); ok {
		version += " " + v.version()
	}
	return version
}

// sleep reports whether the time passed before the end of everything.
func (c *cache) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

func (c *cache) succeed(f *flight, token *Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current.Store(hold(token, c.now()))
	c.failed, c.flight = nil, nil
	f.token = token
	close(f.done)
}

func (c *cache) fail(f *flight, why *failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed, c.flight = why, nil
	f.err = why.err
	if h := c.current.Load(); h != nil {
		c.log.Warn("no new token; the old one stays in use while it is valid",
			"error", why.err, "expires", h.token.Expiry, "next_attempt", why.until)
	}
	close(f.done)
}
