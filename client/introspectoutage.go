package client

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
)

// longestOutagePause is the longest time between two looks at a server that does
// not answer, unless it names a longer one: what waits for it is refused until
// then.
const longestOutagePause = 10 * time.Second

// crowdPause is the longest time without a question after one that was too many,
// whatever time the server names (RFC 6585 §4). The server is there, and its room
// comes back bit by bit: whoever fills it with tokens of his own must not end the
// answers for all others.
const crowdPause = time.Second

// crowd is what is known of a server that was asked too much.
type crowd struct {
	err     *symbolon.Error // of the question that was too many
	until   time.Time       // before, nothing is asked
	version string          // of the credential that it was asked with
	warned  time.Time
}

// outage is what is known of a server that does not answer questions; the zero
// value is one that does.
type outage struct {
	row     int             // attempts that failed, one after the other
	err     *symbolon.Error // of the last one
	until   time.Time       // before, nothing is asked
	version string          // of the credential that was refused
	probing bool            // one call asks, the others wait for what it meets
}

// admit reports whether a call may ask with a credential of this version, and is
// the one that looks whether the server is back; or else the error that stands
// until then.
func (i *Introspector) admit(version string) (probe bool, refused *symbolon.Error) {
	now := i.client.cfg.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	d := &i.down
	if d.row == 0 {
		return false, i.crowd.refuses(now, version)
	}
	wait := d.until.Sub(now)
	// A clock that was set back must not lengthen the pause, and a refusal of one
	// credential says nothing about the next.
	if wait > longestPause || d.version != version {
		wait = 0
	}
	if wait <= 0 && !d.probing {
		d.probing = true
		return true, nil
	}
	e := *d.err
	e.RetryAfter = max(wait, minRetryAfter)
	return false, &e
}

// refuses gives the error of a question that was too many, while nothing is asked.
func (c *crowd) refuses(now time.Time, version string) *symbolon.Error {
	wait := c.until.Sub(now)
	if wait <= 0 || wait > crowdPause || c.version != version {
		return nil
	}
	e := *c.err
	e.RetryAfter = minRetryAfter
	return &e
}

// crowded takes that a question was too many.
func (i *Introspector) crowded(err *symbolon.Error, version string) {
	c, now := &i.crowd, i.client.cfg.Now()
	c.err, c.version = err, version
	c.until = now.Add(crowdPause/2 + rand.N(crowdPause/2+1))
	if now.Sub(c.warned).Abs() < time.Minute {
		return // once is enough
	}
	c.warned = now
	i.client.cfg.Logger.Warn("the issuer is asked about more tokens than it takes; some are refused",
		"issuer", i.client.cfg.Issuer, "error", err, "fix", "limit requests before the API; a secret or a certificate costs the issuer less than an assertion for each question")
}

// leave ends a call that learnt nothing.
func (i *Introspector) leave(probe bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if probe {
		i.down.probing = false
	}
}

// learn takes what a call met, with a credential of this version.
func (i *Introspector) learn(probe bool, err *symbolon.Error, version string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d, log := &i.down, i.client.cfg.Logger
	if probe {
		d.probing = false
	}
	crowded := err != nil && err.Status == http.StatusTooManyRequests
	if crowded {
		i.crowded(err, version)
	}
	if err == nil || probe && (crowded || ofTheToken(err)) {
		if d.row > 0 {
			log.Info("the introspection endpoint answers again", "issuer", i.client.cfg.Issuer)
		}
		*d = outage{probing: d.probing}
		return
	}
	now := i.client.cfg.Now()
	if crowded || ofTheToken(err) || !probe && d.row > 0 && now.Before(d.until) {
		return // the latter was asked before the failure that is known
	}
	i.found.fetched = time.Time{} // the endpoint may have moved
	level := slog.LevelWarn
	if d.row > 0 && fetch.RefusesAsker(err) == fetch.RefusesAsker(d.err) {
		level = slog.LevelDebug // once is enough
	}
	d.row++
	d.err, d.version = err, version
	d.until = now.Add(outagePause(err, d.row))
	what := "gives no answer"
	if fetch.RefusesAsker(err) {
		what = "does not take the credentials that it is asked with"
	}
	log.Log(i.client.cache.ctx, level, "the introspection endpoint "+what+"; tokens that only the issuer can check are refused",
		"issuer", i.client.cfg.Issuer, "client", i.client.cfg.ID, "error", err, "next_attempt", d.until)
}

// ofTheToken reports whether another token may well meet something else: the
// server is there, knows who asks, and cannot answer this question. Otherwise one
// odd token would stop the answers for all others.
func ofTheToken(e *symbolon.Error) bool {
	if e.RetryAfter > 0 {
		return false // it does not want to be asked
	}
	switch e.Status {
	case http.StatusOK:
		return e.Code == symbolon.ServerError
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusInternalServerError:
		return e.Code != symbolon.InvalidClient && e.Code != symbolon.TemporarilyUnavailable
	}
	return false
}

// outagePause is how long nothing is asked after the row-th failure: as pauseAfter,
// with a bound for what waits behind it.
func outagePause(e *symbolon.Error, row int) time.Duration {
	d := pauseAfter(e, row)
	if e.RetryAfter > 0 || d <= longestOutagePause {
		return d
	}
	return longestOutagePause/2 + rand.N(longestOutagePause/2+1)
}
