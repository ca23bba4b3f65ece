package client

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
)

// longestOutagePause is the longest time between two looks at a server that does
// not answer, unless it names a longer one: what waits for it is refused until
// then.
const longestOutagePause = 10 * time.Second

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
		return false, nil
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
	if err == nil || probe && ofTheToken(err) {
		if d.row > 0 {
			log.Info("the introspection endpoint answers again", "issuer", i.client.cfg.Issuer)
		}
		*d = outage{probing: d.probing}
		return
	}
	now := i.client.cfg.Now()
	if ofTheToken(err) || !probe && d.row > 0 && now.Before(d.until) {
		return // the latter was asked before the failure that is known
	}
	i.found.fetched = time.Time{} // the endpoint may have moved
	d.row++
	d.err, d.version = err, version
	d.until = now.Add(outagePause(err, d.row))
	level := slog.LevelWarn
	if d.row > 1 {
		level = slog.LevelDebug // once is enough
	}
	log.Log(i.client.cache.ctx, level, "the introspection endpoint gives no answer; tokens that only the issuer can check are refused",
		"issuer", i.client.cfg.Issuer, "error", err, "next_attempt", d.until)
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
