package client

import (
	"math/rand/v2"
	"time"

	"github.com/symbolon/symbolon"
)

// How often and how long a caller's search goes on: four attempts, with pauses of
// two to four seconds in all, which is a server's restart.
const (
	maxAttempts = 4
	firstPause  = 500 * time.Millisecond
	longestWait = 5 * time.Second // a longer pause is not waited for, but told to the caller
)

// Pauses between searches that fail: after trouble on the way or at the
// server, after an answer that will not change by itself, and the bound of
// both (with the jitter on a Retry-After).
const (
	troublePause = time.Minute
	refusalPause = 10 * time.Second
	longestPause = maxRetryAfter + maxRetryAfter/5
)

// pauseAfter is how long nothing is asked after the failure, the row-th one
// after the other. All pauses are spread, so that many clients that lost the
// same server do not come back in the same instant.
func pauseAfter(e *symbolon.Error, row int) time.Duration {
	if e.RetryAfter > 0 { // never earlier than the server says
		d := min(max(e.RetryAfter, minRetryAfter), maxRetryAfter)
		return d + rand.N(d/5+1)
	}
	first, most := firstPause, troublePause
	if lasting(e) {
		first, most = refusalPause, maxRetryAfter
	}
	d := most
	if row < 16 { // beyond, the shift could overflow
		d = min(first<<(max(row, 1)-1), most)
	}
	return d/2 + rand.N(d/2+1)
}

// pauseWhileValid is the pause after trouble while a token is valid for left:
// nobody is in a hurry, so the clients of a server that was away come back
// spread over their tokens' lives, and each asks the more often the less it
// has left.
func pauseWhileValid(left time.Duration) time.Duration {
	left = min(left, longestPause)
	return max(left/4+rand.N(left/2+1), time.Second)
}

// hold gives the token its times: a new one is asked for at about three
// quarters of its life, so that an outage of a fifth of it goes unnoticed, and
// it is not given out in its last seconds, which the request may spend on the
// way.
func hold(t *Token, now time.Time) *held {
	life := t.Expiry.Sub(now)
	if life <= 0 {
		return &held{token: t, refresh: now, until: now}
	}
	until := t.Expiry.Add(-min(10*time.Second, life/10))
	if t.shown != nil && t.shown.notAfter.Before(until) {
		until = t.shown.notAfter // no connection is made with it any more
	}
	early := life*70/100 + rand.N(life*8/100+1)
	return &held{token: t, refresh: now.Add(early), until: until}
}
