package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
)

// bubble is a client and its server under synctest's clock.
func bubble(t *testing.T, test func(*testing.T, *Client, *authServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &authServer{issuer: "http://auth.localhost"}
		cfg := s.config()
		cfg.HTTP = pipe(t, s)
		test(t, newClient(t, cfg), s)
	})
}

func value(t *testing.T, c *Client) string {
	t.Helper()
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.Value()
}

// TestOneRequestForManyGoroutines: whoever comes while a request is under way
// waits for its answer.
func TestOneRequestForManyGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		s.answer(func(w http.ResponseWriter, r *request) {
			time.Sleep(time.Second)
			grant(w, r, time.Hour)
		})
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if got := value(t, c); got != "token-1" {
					t.Error(got)
				}
			})
		}
		wg.Wait()
		if n := s.requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestACancelledCallerFailsNobodyElse: the request belongs to all who wait.
func TestACancelledCallerFailsNobodyElse(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		s.answer(func(w http.ResponseWriter, r *request) {
			time.Sleep(2 * time.Second)
			grant(w, r, time.Hour)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Token(ctx)
			var e *symbolon.Error
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait() // the first request is the one of the caller who gives up
		wg.Go(func() {
			if got := value(t, c); got != "token-1" {
				t.Error(got)
			}
		})
		wg.Wait()
		if n := s.requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestRefreshInTheBackground: at about three quarters of its life a token is
// replaced, without anybody's waiting for it.
func TestRefreshInTheBackground(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		if got := value(t, c); got != "token-1" {
			t.Fatal(got)
		}
		s.answer(func(w http.ResponseWriter, r *request) {
			time.Sleep(time.Second)
			grant(w, r, time.Hour)
		})
		time.Sleep(42*time.Minute - time.Second)
		if got := value(t, c); got != "token-1" {
			t.Fatal(got)
		}
		if s.requests.Load() != 1 {
			t.Error("refreshed too early")
		}
		time.Sleep(6 * time.Minute) // 48 of 60 minutes
		begin := time.Now()
		for range 10 {
			if got := value(t, c); got != "token-1" || time.Since(begin) != 0 {
				t.Fatalf("%s after %s: a refresh kept its caller waiting", got, time.Since(begin))
			}
		}
		time.Sleep(2 * time.Second)
		if got := value(t, c); got != "token-2" || s.requests.Load() != 2 {
			t.Errorf("%s after %d requests", got, s.requests.Load())
		}
	})
}

// TestRefreshTimesAreSpread: clients that got their tokens together do not
// come back together.
func TestRefreshTimesAreSpread(t *testing.T) {
	now := time.Unix(2e9, 0)
	seen := map[time.Time]bool{}
	for range 100 {
		h := hold(&Token{Expiry: now.Add(time.Hour)}, now)
		if early := h.refresh.Sub(now); early < 42*time.Minute || early > 47*time.Minute {
			t.Fatalf("refresh after %s of an hour", early)
		}
		if h.until != now.Add(time.Hour-10*time.Second) {
			t.Fatalf("given out until %s", h.until.Sub(now))
		}
		seen[h.refresh] = true
	}
	if len(seen) < 90 {
		t.Errorf("only %d different times", len(seen))
	}
}

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

// TestRetryAfterIsHonouredWithinBounds.
func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"0": time.Second, "3": 3 * time.Second, "120": 2 * time.Minute, "86400": 5 * time.Minute, "99999999999999999999": 0, "soon": 0, "-1": 0,
		"Sat, 01 Jan 2000 00:02:00 GMT": 2 * time.Minute, "Fri, 31 Dec 1999 00:00:00 GMT": time.Second,
	} {
		t.Run(header, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *Client, s *authServer) {
				s.answer(func(w http.ResponseWriter, r *request) {
					w.Header().Set("Retry-After", header)
					w.WriteHeader(http.StatusTooManyRequests)
				})
				begin := time.Now()
				_, err := c.Token(t.Context())
				var e *symbolon.Error
				if !errors.As(err, &e) || e.Code != symbolon.TemporarilyUnavailable || e.Status != 429 {
					t.Fatal(err)
				}
				if want == 0 {
					return
				}
				if e.RetryAfter < want || e.RetryAfter > want+want/4 {
					t.Errorf("says to wait %s, want %s", e.RetryAfter, want)
				}
				attempts := s.requests.Load()
				if want > longestWait && attempts != 1 || want <= longestWait && time.Since(begin) < want {
					t.Errorf("%d attempts in %s", attempts, time.Since(begin))
				}
				time.Sleep(e.RetryAfter - time.Millisecond)
				c.Token(t.Context())
				if s.requests.Load() != attempts {
					t.Error("asked before the time was over")
				}
				s.token.Store(nil)
				time.Sleep(time.Millisecond)
				value(t, c)
			})
		})
	}
}

// TestARefusalIsNotHammered: who is refused asks again only after a while,
// longer each time.
func TestARefusalIsNotHammered(t *testing.T) {
	for code, status := range map[string]int{"invalid_client": 401, "unauthorized_client": 400, "invalid_scope": 400, "invalid_target": 400, "invalid_request": 404} {
		t.Run(code, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *Client, s *authServer) {
				s.answer(func(w http.ResponseWriter, r *request) { refuse(w, status, code) })
				for range 3600 {
					_, err := c.Token(t.Context())
					var e *symbolon.Error
					if !errors.As(err, &e) || string(e.Code) != code || e.Status != status || e.RequestID != "rid-1" || e.Description != "words from the server" {
						t.Fatalf("%#v", err)
					}
					time.Sleep(time.Second)
				}
				if n := s.requests.Load(); n < 10 || n > 40 {
					t.Errorf("%d requests in an hour", n)
				}
			})
		})
	}
}

// TestARotatedSecretFileEndsTheRefusal: the pause after invalid_client belongs
// to the old secret.
func TestARotatedSecretFileEndsTheRefusal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	s := newAuthServer(t)
	s.answer(func(w http.ResponseWriter, r *request) {
		if _, secret, _ := r.BasicAuth(); secret != "the+new+one" {
			refuse(w, http.StatusUnauthorized, "invalid_client")
			return
		}
		grant(w, r, time.Hour)
	})
	cfg := s.config()
	cfg.Auth = SecretFile(path)
	c := newClient(t, cfg)
	for range 5 {
		if _, err := c.Token(t.Context()); !errors.Is(err, symbolon.NewError(symbolon.InvalidClient, "")) {
			t.Fatal(err)
		}
	}
	if n := s.requests.Load(); n != 1 {
		t.Fatalf("%d requests with the old secret", n)
	}
	write("the new one\n")
	if got := value(t, c); got != "token-2" {
		t.Error(got)
	}
}

// TestASecretFileThatGoesAway: the token in use is not affected, and the error
// says which file.
func TestASecretFileThatGoesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newAuthServer(t)
	cfg := s.config()
	cfg.Auth = SecretFile(path)
	c := newClient(t, cfg)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := c.Token(t.Context())
	if !errors.Is(err, os.ErrNotExist) || s.requests.Load() != 0 {
		t.Errorf("%v after %d requests", err, s.requests.Load())
	}
}

// TestForgetBounds: an API that refuses every token does not turn into load on
// the server.
func TestForgetBounds(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		for range 60 {
			token, err := c.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.Forget(token)
			time.Sleep(time.Second)
		}
		if n := s.requests.Load(); n < 5 || n > 7 {
			t.Errorf("%d requests in a minute", n)
		}
		token, _ := c.Token(t.Context())
		if !c.Forget(&Token{}) || value(t, c) != token.Value() {
			t.Error("an older token's refusal dropped a newer token")
		}
	})
}

// TestClose: what is held is still given out, nothing more is fetched, and no
// goroutine is left (synctest would report it).
func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		value(t, c)
		c.Close()
		c.Close()
		value(t, c)
		time.Sleep(2 * time.Hour)
		if _, err := c.Token(t.Context()); !errors.Is(err, errClosed) {
			t.Error(err)
		}
	})
}

// TestCloseEndsASearch: Close does not wait for a server that does not answer.
func TestCloseEndsASearch(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		s.answer(func(w http.ResponseWriter, r *request) {
			io.Copy(io.Discard, r.Body) // only then does the server notice that the client is gone
			<-r.Context().Done()
		})
		done := make(chan error)
		go func() {
			_, err := c.Token(t.Context())
			done <- err
		}()
		synctest.Wait()
		begin := time.Now()
		c.Close()
		if err := <-done; err == nil || time.Since(begin) > time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

// TestTheLifeCountsFromTheRequest: the time that an answer takes is not added
// to the token's life.
func TestTheLifeCountsFromTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T, c *Client, s *authServer) {
		s.answer(func(w http.ResponseWriter, r *request) {
			time.Sleep(5 * time.Second)
			grant(w, r, time.Minute)
		})
		begin := time.Now()
		token, err := c.Token(t.Context())
		if err != nil || token.Expiry.Sub(begin) != time.Minute {
			t.Errorf("%v, %v", token, err)
		}
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
