package client

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
)

// TestAValidTokenStaysInUseWhileTheServerIsAway: for all of its life, with few
// requests, and a new one soon after the server's return.
func TestAValidTokenStaysInUseWhileTheServerIsAway(t *testing.T) {
	for life, most := range map[time.Duration]int64{time.Minute: 20, time.Hour: 20, 24 * time.Hour: 200} {
		bubble(t, func(t *testing.T, c *Client, s *authServer) {
			s.answer(func(w http.ResponseWriter, r *request) { grant(w, r, life) })
			value(t, c)
			s.answer(func(w http.ResponseWriter, r *request) { w.WriteHeader(http.StatusBadGateway) })
			for end := time.Now().Add(life * 97 / 100 * 5 / 6); time.Now().Before(end); {
				time.Sleep(time.Second)
				if got := value(t, c); got != "token-1" {
					t.Fatal(got)
				}
			}
			if n := s.requests.Load(); n < 2 || n > most {
				t.Errorf("life of %s: %d requests while the server was away", life, n)
			}
			s.answer(func(w http.ResponseWriter, r *request) { grant(w, r, life) })
			time.Sleep(min(life/10, longestPause))
			value(t, c)
			time.Sleep(time.Second)
			if got := value(t, c); got == "token-1" {
				t.Errorf("life of %s: still the old token after the server's return", life)
			}
		})
	}
}

// TestAShortOutageIsNotNoticed: a caller without a token waits while a server
// restarts.
func TestAShortOutageIsNotNoticed(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		s.answer(func(w http.ResponseWriter, r *request) {
			if r.n <= 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			grant(w, r, time.Hour)
		})
		begin := time.Now()
		if got := value(t, c); got != "token-3" {
			t.Error(got)
		}
		if d := time.Since(begin); d < 700*time.Millisecond || d > 2*time.Second {
			t.Errorf("took %s", d)
		}
	})
}

// TestAnOutageIsToldAndNotHammered: a few attempts, then the error at once
// until the pause is over.
func TestAnOutageIsToldAndNotHammered(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		s.answer(func(w http.ResponseWriter, r *request) { w.WriteHeader(http.StatusInternalServerError) })
		_, err := c.Token(t.Context())
		var e *symbolon.Error
		if !errors.As(err, &e) || e.Code != symbolon.ServerError || e.Status != 500 || e.RetryAfter <= 0 {
			t.Fatalf("%#v", err)
		}
		if n := s.requests.Load(); n != maxAttempts {
			t.Errorf("%d attempts", n)
		}
		for range 1000 {
			if _, err := c.Token(t.Context()); err == nil {
				t.Fatal("a token from nowhere")
			}
		}
		if n := s.requests.Load(); n != maxAttempts {
			t.Errorf("%d requests in the pause", n)
		}
		s.token.Store(nil)
		time.Sleep(e.RetryAfter)
		value(t, c)
	})
}

// TestRestartStorm: 5,000 clients lose their server for a minute. No
// call fails while the outage is shorter than a fifth of the tokens' life, and
// the server's return is no storm.
func TestRestartStorm(t *testing.T) {
	const clients, life = 5000, 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		var (
			mu     sync.Mutex
			away   bool
			second = map[int64]int{}
		)
		begin := time.Now()
		s := &authServer{issuer: "http://auth.localhost"}
		s.answer(func(w http.ResponseWriter, r *request) {
			mu.Lock()
			defer mu.Unlock()
			second[int64(time.Since(begin)/time.Second)]++
			if away {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			grant(w, r, life)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range clients {
			cfg := s.config()
			cfg.Issuer, cfg.TokenURL = "", s.issuer+"/token"
			cfg.HTTP = &http.Client{Transport: direct{s}}
			c := newClient(t, cfg)
			wg.Go(func() {
				time.Sleep(life * time.Duration(i) / clients) // the service grew over time
				for ctx.Err() == nil {
					if _, err := c.Token(ctx); err != nil && ctx.Err() == nil {
						t.Errorf("after %s: %v", time.Since(begin), err)
						return
					}
					select {
					case <-ctx.Done():
					case <-time.After(15 * time.Second):
					}
				}
			})
		}
		set := func(b bool) {
			mu.Lock()
			away = b
			mu.Unlock()
		}
		time.Sleep(2 * life)
		set(true)
		time.Sleep(time.Minute)
		set(false)
		back := int64(time.Since(begin) / time.Second)
		time.Sleep(time.Minute)
		cancel()
		wg.Wait()
		normal, after := 0, 0
		for sec := back - 160; sec < back-60; sec++ {
			normal += second[sec] // in 100 seconds
		}
		for sec := back + 10; sec < back+30; sec++ {
			after += second[sec] * 5 // in 20 seconds, times five
		}
		if normal == 0 || after > 2*normal {
			t.Errorf("%d requests per 100 s before, %d from ten seconds after the return", normal, after)
		}
		t.Logf("per second: %.1f before, %.1f after", float64(normal)/100, float64(after)/100)
	})
}

// TestAnOutageOfAFifthOfTheLifeIsNotNoticed: also one that begins with a
// client's own refresh.
func TestAnOutageOfAFifthOfTheLifeIsNotNoticed(t *testing.T) {
	const life = 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		for range 200 {
			s := &authServer{issuer: "http://auth.localhost"}
			var began time.Time
			s.answer(func(w http.ResponseWriter, r *request) {
				switch {
				case r.n == 2:
					began = time.Now()
					fallthrough
				case r.n > 2 && time.Since(began) < life*19/100:
					w.WriteHeader(http.StatusServiceUnavailable)
				default:
					grant(w, r, life)
				}
			})
			cfg := s.config()
			cfg.Issuer, cfg.TokenURL = "", s.issuer+"/token"
			cfg.HTTP = &http.Client{Transport: direct{s}}
			c := newClient(t, cfg)
			wg.Go(func() {
				for range int(2 * life / time.Second) {
					if _, err := c.Token(t.Context()); err != nil {
						t.Errorf("%v after %d requests", err, s.requests.Load())
						return
					}
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
	})
}
