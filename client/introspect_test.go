package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/logtest"
)

// questions runs a test with a clock that stands still while anything works.
func questions(t *testing.T, test func(*testing.T, *Introspector, *asked)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &asked{issuer: "http://auth.localhost"}
		cfg := s.config()
		cfg.HTTP = pipe(t, s)
		test(t, newIntrospector(t, cfg), s)
	})
}

// failed asks and gives the error.
func failed(t *testing.T, i *Introspector) *symbolon.Error {
	t.Helper()
	answer, err := i.Introspect(t.Context(), opaque)
	var e *symbolon.Error
	if !errors.As(err, &e) || answer != nil {
		t.Fatalf("%v, %v", answer, err)
	}
	return e
}

// TestAServerThatIsAwayIsNotHammered: few questions while it is, by one caller at a
// time, and answers soon after its return.
func TestAServerThatIsAwayIsNotHammered(t *testing.T) {
	questions(t, func(t *testing.T, i *Introspector, s *asked) {
		active(t, i, opaque)
		s.answer(func(w http.ResponseWriter, r *request) { w.WriteHeader(http.StatusBadGateway) })
		before := s.requests.Load()
		for begin := time.Now(); time.Since(begin) < 10*time.Minute; time.Sleep(100 * time.Millisecond) {
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if e := failed(t, i); e.Status != http.StatusBadGateway || e.RetryAfter < 0 {
						t.Errorf("%#v", e)
					}
				})
			}
			wg.Wait()
		}
		if n := s.requests.Load() - before; n < 60 || n > 130 {
			t.Errorf("%d questions in ten minutes", n)
		}
		s.answer(func(w http.ResponseWriter, r *request) { say(w, activeAnswer) })
		time.Sleep(longestOutagePause)
		active(t, i, opaque)
		active(t, i, "another")
	})
}

// TestRetryAfterIsFollowed: nothing is asked before, and callers are told the rest.
func TestRetryAfterIsFollowed(t *testing.T) {
	for status, code := range map[int]string{
		http.StatusServiceUnavailable: "temporarily_unavailable", http.StatusInternalServerError: "server_error",
	} {
		questions(t, func(t *testing.T, i *Introspector, s *asked) {
			s.answer(func(w http.ResponseWriter, r *request) {
				w.Header().Set("Retry-After", "100")
				refuse(w, status, code)
			})
			failed(t, i)
			time.Sleep(99 * time.Second)
			if e := failed(t, i); e.RetryAfter < time.Second || e.RetryAfter > 21*time.Second || s.requests.Load() != 1 {
				t.Errorf("%d: %s, %d questions", status, e.RetryAfter, s.requests.Load())
			}
			s.answer(func(w http.ResponseWriter, r *request) { say(w, activeAnswer) })
			time.Sleep(22 * time.Second)
			active(t, i, opaque)
		})
	}
}

// TestTooManyQuestionsAreNoOutage: after a question that was too many there is a
// pause of a second at most, whatever the server says, then others are asked; one
// whose credential is new is asked at once. So it is at the end of an outage.
func TestTooManyQuestionsAreNoOutage(t *testing.T) {
	questions(t, func(t *testing.T, i *Introspector, s *asked) {
		many := func(w http.ResponseWriter, r *request) {
			if r.PostFormValue("token") != opaque {
				say(w, activeAnswer)
				return
			}
			w.Header().Set("Retry-After", "100")
			refuse(w, http.StatusTooManyRequests, "temporarily_unavailable")
		}
		s.answer(many)
		for range 5 {
			before := s.requests.Load()
			if e := failed(t, i); e.Status != http.StatusTooManyRequests || e.RetryAfter != 100*time.Second {
				t.Errorf("%#v", e)
			}
			for range 10 { // the pause
				if e := failed(t, i); e.RetryAfter != time.Second || e.Code != symbolon.TemporarilyUnavailable {
					t.Errorf("%#v", e)
				}
			}
			if n := s.requests.Load() - before; n != 1 {
				t.Errorf("%d questions", n)
			}
			time.Sleep(crowdPause)
			active(t, i, "another")
		}
		if s.documents.Load() != 1 {
			t.Errorf("the metadata was read %d times: the endpoint has not moved", s.documents.Load())
		}
		failed(t, i)
		if e := i.crowd.refuses(time.Now(), "new"); e != nil {
			t.Errorf("a new credential: %v", e)
		}
		if e := i.crowd.refuses(time.Now().Add(-time.Hour), i.crowd.version); e != nil {
			t.Errorf("a clock that was set back: %v", e)
		}
		time.Sleep(crowdPause)
		s.answer(func(w http.ResponseWriter, r *request) { w.WriteHeader(http.StatusBadGateway) })
		failed(t, i)
		s.answer(many)
		time.Sleep(longestOutagePause)
		failed(t, i) // the one that looks
		time.Sleep(crowdPause)
		active(t, i, "another")
	})
}

// TestOneOddTokenStopsNoOther: what the server cannot answer about one token, it
// is asked about the others all the same.
func TestOneOddTokenStopsNoOther(t *testing.T) {
	for name, odd := range map[string]func(http.ResponseWriter){
		"garbage":     func(w http.ResponseWriter) { say(w, `{"active":1}`) },
		"a refusal":   func(w http.ResponseWriter) { refuse(w, http.StatusBadRequest, "invalid_request") },
		"a breakdown": func(w http.ResponseWriter) { refuse(w, http.StatusInternalServerError, "server_error") },
	} {
		questions(t, func(t *testing.T, i *Introspector, s *asked) {
			s.answer(func(w http.ResponseWriter, r *request) {
				if r.PostFormValue("token") == opaque {
					odd(w)
					return
				}
				say(w, activeAnswer)
			})
			for range 10 {
				failed(t, i)
				active(t, i, "another")
			}
			if s.requests.Load() != 20 {
				t.Errorf("%s: %d questions", name, s.requests.Load())
			}
		})
	}
}

// TestAServerThatDoesNotAnswer is given up in time, and that one caller waits for
// it keeps no other.
func TestAServerThatDoesNotAnswer(t *testing.T) {
	for name, silent := range map[string]func(http.ResponseWriter, *request){
		"nothing": func(w http.ResponseWriter, r *request) { <-r.Context().Done() },
		"headers": func(w http.ResponseWriter, r *request) {
			w.Header().Set("Content-Type", "application/json")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"a drop at a time": func(w http.ResponseWriter, r *request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, " ")
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &asked{issuer: "http://auth.localhost"}
			s.answer(func(w http.ResponseWriter, r *request) {
				r.ParseForm() // a connection that ends is noticed behind the body
				silent(w, r)
			})
			cfg := s.config()
			cfg.HTTP, cfg.Timeout = pipe(t, s), 3*time.Second
			i := newIntrospector(t, cfg)
			begin := time.Now()
			if e := failed(t, i); e.Code != symbolon.TemporarilyUnavailable || e.Status != 0 || time.Since(begin) != 3*time.Second {
				t.Errorf("%s: %v after %s", name, e, time.Since(begin))
			}
			if e := failed(t, i); e.RetryAfter == 0 || time.Since(begin) != 3*time.Second {
				t.Errorf("%s: waited again: %v", name, e)
			}
			time.Sleep(2 * time.Second) // the handler notices
		})
	}
}

// TestACallerWhoGoesSaysNothingOfTheServer: the next one asks, also when the first
// was looking for the metadata, or whether the server is back.
func TestACallerWhoGoesSaysNothingOfTheServer(t *testing.T) {
	questions(t, func(t *testing.T, i *Introspector, s *asked) {
		slow := func(w http.ResponseWriter, r *request) {
			time.Sleep(time.Second)
			say(w, activeAnswer)
		}
		s.answer(slow)
		give := func() {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := i.Introspect(ctx, opaque)
			var e *symbolon.Error
			if !errors.As(err, &e) || e.Code != symbolon.TemporarilyUnavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		give()
		active(t, i, opaque)
		s.answer(func(w http.ResponseWriter, r *request) { w.WriteHeader(http.StatusBadGateway) })
		failed(t, i)
		s.answer(slow)
		time.Sleep(time.Minute)
		give() // the one that looks
		active(t, i, opaque)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		before := s.requests.Load()
		if _, err := i.Introspect(gone, opaque); !errors.Is(err, context.Canceled) || s.requests.Load() != before {
			t.Error(err)
		}
	})
}

// TestMetadataIsLookedForOnce, however many ask; again after an hour and after an
// outage, in which the endpoint may have moved; and an old one is better than none.
func TestMetadataIsLookedForOnce(t *testing.T) {
	questions(t, func(t *testing.T, i *Introspector, s *asked) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { active(t, i, opaque) })
		}
		wg.Wait()
		if s.documents.Load() != 1 {
			t.Errorf("looked %d times", s.documents.Load())
		}
		time.Sleep(metadataLife)
		active(t, i, opaque)
		if s.documents.Load() != 2 {
			t.Errorf("looked %d times", s.documents.Load())
		}
		s.says(`"introspection_endpoint":"` + s.issuer + `/moved"`)
		s.answer(func(w http.ResponseWriter, r *request) {
			if r.URL.Path != "/moved" {
				http.NotFound(w, r.Request)
				return
			}
			say(w, activeAnswer)
		})
		if e := failed(t, i); e.Status != http.StatusNotFound {
			t.Error(e)
		}
		time.Sleep(longestOutagePause)
		active(t, i, opaque)
		s.says(`"introspection_endpoint":7`)
		time.Sleep(metadataLife)
		active(t, i, opaque)
	})
}

// TestANewCredentialIsTriedAtOnce: a refusal of the old one says nothing about it.
func TestANewCredentialIsTriedAtOnce(t *testing.T) {
	s := newAsked(t)
	s.answer(func(w http.ResponseWriter, r *request) {
		if _, secret, _ := r.BasicAuth(); secret != "new" {
			refuse(w, http.StatusUnauthorized, "invalid_client")
			return
		}
		say(w, activeAnswer)
	})
	file := write(t, "", []byte("old"))
	cfg := s.config()
	cfg.Auth = SecretFile(file)
	i := newIntrospector(t, cfg)
	for range 3 {
		if e := failed(t, i); e.Code != symbolon.InvalidClient {
			t.Error(e)
		}
	}
	if s.requests.Load() != 1 {
		t.Errorf("%d questions", s.requests.Load())
	}
	write(t, file, []byte("new"))
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	active(t, i, opaque)
}

// TestARefusalOfWhoAsksIsLogged once, also while the server was away already.
func TestARefusalOfWhoAsksIsLogged(t *testing.T) {
	var log logtest.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := &asked{issuer: "http://auth.localhost"}
		cfg := s.config()
		cfg.HTTP, cfg.Logger = pipe(t, s), log.Logger()
		i := newIntrospector(t, cfg)
		for _, answer := range []func(http.ResponseWriter, *request){
			func(w http.ResponseWriter, _ *request) { w.WriteHeader(http.StatusBadGateway) },
			func(w http.ResponseWriter, _ *request) { refuse(w, http.StatusUnauthorized, "invalid_client") },
		} {
			s.answer(answer)
			for range 3 {
				failed(t, i)
				time.Sleep(longestPause)
			}
		}
		s.answer(func(w http.ResponseWriter, _ *request) { say(w, activeAnswer) })
		active(t, i, opaque)
	})
	for _, want := range []string{"endpoint gives no answer", "endpoint does not take the credentials", "endpoint answers again"} {
		if log.Count(want) != 1 {
			t.Errorf("%q: %d times\n%s", want, log.Count(want), log.String())
		}
	}
}

// TestNoTokenIsWritten: not by a server that repeats it, nor by what prints.
func TestNoTokenIsWritten(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, answer := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, `{"error":%q,"error_description":"%s what is %s?"}`, opaque, strings.Repeat("x", 290), opaque)
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":"%s of nobody"}`, opaque)
		},
		func(w http.ResponseWriter) { say(w, `{"active":true,"`+opaque+`":1,"`+opaque+`":2}`) },
		func(w http.ResponseWriter) { say(w, `{"active":"`+opaque+`"}`) },
		func(w http.ResponseWriter) {
			w.Header().Set("Location", "/?"+opaque)
			w.WriteHeader(http.StatusFound)
		},
		func(w http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		s := newAsked(t)
		s.answer(func(w http.ResponseWriter, r *request) { answer(w) })
		cfg := s.config()
		cfg.Logger = logger
		i := newIntrospector(t, cfg)
		e := failed(t, i)
		token := opaque
		x := &exchange{to: &discovered{name: introspectionEndpoint}, token: &token}
		var printed strings.Builder
		for _, v := range []any{e, cfg, i, x, struct{ x *exchange }{x}, []any{cfg, i, x, e}} {
			printAll(&printed, v, logger)
		}
		for err := error(e); err != nil; err = errors.Unwrap(err) {
			fmt.Fprintln(&out, err)
		}
		out.WriteString(printed.String())
	}
	if text := out.String(); strings.Contains(text, opaque[:12]) || strings.Contains(text, "s3cr3t") {
		t.Errorf("written: %s", text)
	} else if !strings.Contains(text, "the introspection endpoint gives no answer") || !strings.Contains(text, "[redacted] of nobody") {
		t.Errorf("nothing was written: %s", text)
	}
}
