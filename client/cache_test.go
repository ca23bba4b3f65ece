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
