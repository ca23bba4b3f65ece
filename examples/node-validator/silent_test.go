package validator_test

import (
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
)

// preloaded are the options that have Node run a script before the validator.
func preloaded(script string) []string {
	return []string{"--import", "data:text/javascript," + url.PathEscape(script)}
}

// tenTimesFaster lets the validator's time pass ten times as fast as ours.
const tenTimesFaster = `
import timers from 'node:timers/promises'
import { syncBuiltinESMExports } from 'node:module'
const [date, timeout, sleep, start] = [Date.now, AbortSignal.timeout, timers.setTimeout, Date.now()]
Date.now = () => start + (date() - start) * 10
AbortSignal.timeout = ms => timeout.call(AbortSignal, ms / 10)
timers.setTimeout = ms => sleep(ms > 2 ** 31 - 1 ? 1 : ms / 10) // Node itself takes what is longer for 1
syncBuiltinESMExports()`

// every answers each request for the set in the server's place, until the
// test sets it anew; nil: the server answers.
func (f *front) every(answer func(http.ResponseWriter, *http.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = answer
}

// until waits for a status of the API, and fails when it does not come: in a minute,
// since machines that run tests are busy.
func (w *world) until(token string, status int) {
	w.Helper()
	for end := time.Now().Add(time.Minute); ; {
		got, body := w.call(token)
		switch {
		case got == status:
			return
		case time.Now().After(end):
			w.Fatalf("%d %s, and never %d", got, body, status)
		}
	}
}

// TestASilentIssuer: requests for the set are not answered at all, or the node says
// that it wants to be left alone for ever. What was good stays so for 30 seconds of
// the validator's, what was denied stays denied; then nothing is taken, until the
// issuer is back, which is heard at once.
func TestASilentIssuer(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"it does not answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"it does not end its answer": func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "eyJ")
			http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		},
		"it wants to be left alone": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "99999999")
			rw.WriteHeader(http.StatusServiceUnavailable)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, preloaded(tenTimesFaster)...)
			good, denied := w.token("batch"), w.token("billing")
			_, _, err := w.admin.DenyClient(t.Context(), admin.System(), "billing")
			w.ok(err)
			heard := time.Now() // or later
			w.settle()
			w.front.every(answer)
			w.deny("wake") // ends the request that the server still has
			began := time.Now()
			first, _ := w.call(good)
			second, _ := w.call(denied)
			if d := time.Since(heard); d < 2*time.Second && (first != http.StatusOK || second != http.StatusUnauthorized) {
				t.Errorf("after %v, which are less than 20 seconds for the validator: %d and %d", d, first, second)
			}
			for len(w.front.asked) > 0 {
				<-w.front.asked
			}
			w.until(good, http.StatusServiceUnavailable)
			if d := time.Since(began); d < 2*time.Second {
				t.Errorf("after %v, which are less than 20 seconds for the validator", d)
			}
			w.wants(denied, http.StatusServiceUnavailable, "")
			w.front.every(nil)
			w.until(good, http.StatusOK)
			if n, d := len(w.front.asked), time.Since(began); n > 10+2*int(d/time.Second) {
				t.Errorf("asked %d times in %v", n, d)
			}
			w.wants(denied, http.StatusUnauthorized, revoked)
		})
	}
}
