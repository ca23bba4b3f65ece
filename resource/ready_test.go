package resource

import (
	"net/http"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestReadyIsWhatRequestsHear: where they are answered 503, the API is not ready,
// and only there.
func TestReadyIsWhatRequestsHear(t *testing.T) {
	for name, c := range map[string]struct {
		policy Revocations
		after  time.Duration
		want   *symbolon.Error
	}{
		"heard just now":         {Revocations{OnStale: OnStaleDeny}, 0, nil},
		"deny: after max_age":    {Revocations{OnStale: OnStaleDeny}, 40 * time.Second, errNoSet},
		"allow: after max_age":   {Revocations{}, 40 * time.Second, nil},
		"allow: after max_stale": {Revocations{MaxStale: time.Minute}, 2 * time.Minute, errNoSet},
		"off":                    {Revocations{Off: true}, time.Hour, nil},
		"the keys are too old":   {Revocations{MaxStale: 48 * time.Hour}, 25 * time.Hour, errNoKeys},
		"too old, and off":       {Revocations{Off: true}, 25 * time.Hour, errNoKeys},
		"the clock is set back":  {Revocations{OnStale: OnStaleDeny}, -2 * time.Minute, errNoKeys},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeedIssuer(t)
			clock := newClock()
			a := followed(t, f, func(cfg *Config) { cfg.Now, cfg.Revocations = clock.Now, c.policy })
			f.update(func() { f.answer, f.keysAre = http.NotFound, http.NotFound })
			clock.Advance(c.after)
			err := a.Ready()
			if c.want == nil && err != nil || c.want != nil && !refusedWith(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			claims := f.claims(clock.Now())
			if _, refused := check(a, sign(t, f.signers[0], claims.AppendJSON(nil))); (refused == nil) != (err == nil) {
				t.Errorf("it says %v, and a request hears %v", err, refused)
			}
		})
	}
	f := newFeedIssuer(t)
	a := newAPI(t, f.config())
	if err := a.Ready(); !refusedWith(err, errNoKeys) || f.asked.Load() > 0 {
		t.Errorf("before the start: %v", err)
	}
}

// TestAnIssuerThatIsBackIsHeardAtOnce, though it has no news.
func TestAnIssuerThatIsBackIsHeardAtOnce(t *testing.T) {
	f := newFeedIssuer(t)
	clock := newClock()
	a := followed(t, f, func(cfg *Config) { cfg.Now, cfg.Revocations = clock.Now, Revocations{OnStale: OnStaleDeny} })
	f.update(func() { f.answer = http.NotFound })
	asked := f.asked.Load()
	until(t, "it was asked in vain", func() bool { return f.asked.Load() > asked })
	clock.Advance(time.Minute)
	f.update(func() { f.answer = nil })
	until(t, "it is heard", func() bool { return a.Ready() == nil })
}
