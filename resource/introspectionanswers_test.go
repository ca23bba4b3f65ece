package resource

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestRFC7662_4_AnswersAreKeptForASecond: not longer, and not beyond the token.
func TestRFC7662_4_AnswersAreKeptForASecond(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		wants := func(n int64) {
			t.Helper()
			if got := s.questions.Load(); got != n {
				t.Errorf("%d questions, want %d", got, n)
			}
		}
		for range 10 {
			letIn(t, a, with("opaque"))
		}
		wants(1)
		time.Sleep(maxAnswerLife - time.Millisecond)
		s.revoke("opaque")
		letIn(t, a, with("opaque"))
		wants(1)
		time.Sleep(time.Millisecond)
		refusedAs(t, a, with("opaque"), errInactive)
		wants(2)
		refusedAs(t, a, with("opaque"), errInactive) // what is refused is not kept
		wants(3)
		s.issue("opaque", nil)
		letIn(t, a, with("opaque"))
		wants(4)

		// The answer is as old as its question.
		s.reply(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(800 * time.Millisecond)
			s.mu.Lock()
			defer s.mu.Unlock()
			tell(w, s.known[r.PostFormValue("token")], "")
		})
		s.issue("slow", nil)
		letIn(t, a, with("slow"))
		wants(5)
		time.Sleep(199 * time.Millisecond)
		letIn(t, a, with("slow"))
		wants(5)
		time.Sleep(time.Millisecond)
		letIn(t, a, with("slow"))
		wants(6)
		s.reply(nil)

		s.issue("brief", func(c *symbolon.Claims) { c.Expiry = time.Now().Unix() + 1 })
		time.Sleep(time.Until(time.Unix(time.Now().Unix()+1, 0)) - 10*time.Millisecond)
		letIn(t, a, with("brief"))
		time.Sleep(10 * time.Millisecond)
		refusedAs(t, a, with("brief"), errExpired)
	})
}

// TestAnswersAreNotKept where the configuration wants none.
func TestAnswersAreNotKept(t *testing.T) {
	s := newTeller(t)
	s.issue("opaque", nil)
	a := newAPI(t, s.config())
	for range 5 {
		letIn(t, a, with("opaque"))
	}
	if s.questions.Load() != 5 {
		t.Errorf("%d questions", s.questions.Load())
	}
	s.revoke("opaque")
	refusedAs(t, a, with("opaque"), errInactive)
}

// TestCVE_2026_33496_NoAnswerIsForAnother: APIs in one process that share all they
// can, with one token: each goes by the answer to its own question.
func TestCVE_2026_33496_NoAnswerIsForAnother(t *testing.T) {
	one, two := newTeller(t), newTeller(t)
	one.issue("opaque", nil)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	hc := &http.Client{Transport: tr}
	api := func(s *teller, audience string) *API {
		cfg := s.config()
		cfg.HTTP, cfg.Audience, cfg.Introspection.Cache = hc, audience, 0
		return newAPI(t, cfg)
	}
	orders, invoices, partners := api(one, audience), api(one, "https://invoices.example.com"), api(two, audience)
	letIn(t, orders, with("opaque"))
	refusedAs(t, invoices, with("opaque"), errAudience)
	refusedAs(t, partners, with("opaque"), errInactive)
	if one.questions.Load() != 2 || two.questions.Load() != 1 {
		t.Errorf("%d and %d questions", one.questions.Load(), two.questions.Load())
	}
	// The same issuer's word at another one, about itself and about the first.
	two.issue("opaque", func(c *symbolon.Claims) { c.Issuer = one.url })
	refusedAs(t, partners, with("opaque"), errIssuer)
	two.issue("opaque", func(c *symbolon.Claims) { c.ClientID, c.Scope = "theirs", "" })
	if c := letIn(t, partners, with("opaque")); c.ClientID != "theirs" || len(c.Scopes) != 0 {
		t.Errorf("%+v", c)
	}
	if c := letIn(t, orders, with("opaque")); c.ClientID != "billing" || len(c.Scopes) != 2 {
		t.Errorf("%+v", c)
	}
	// A text that begins with the token, or ends with it, is another token.
	for _, other := range []string{"opaqu", "opaque~", "opaque=", "paque", "OPAQUE"} {
		refusedAs(t, orders, with(other), errInactive)
	}
}

// TestCVE_2026_33496_Key: no two questions have one, however their parts are cut.
func TestCVE_2026_33496_Key(t *testing.T) {
	cert := &x509.Certificate{Raw: []byte("certificate")}
	h, other := newHolder(t, newIssuer(t), time.Now), newHolder(t, newIssuer(t), time.Now)
	type asked struct {
		issuer, audience, token string
		request                 *Request
	}
	base := asked{"https://a.example", "https://orders.example.com", "opaque", nil}
	cases := map[string]func(*asked){
		"as it is":                     func(*asked) {},
		"another issuer":               func(q *asked) { q.issuer = "https://b.example" },
		"another audience":             func(q *asked) { q.audience = "https://invoices.example.com" },
		"another token":                func(q *asked) { q.token = "Opaque" },
		"the audience begins sooner":   func(q *asked) { q.issuer, q.audience = "https://a.exampl", "ehttps://orders.example.com" },
		"the token begins sooner":      func(q *asked) { q.audience, q.token = "https://orders.example.co", "mopaque" },
		"the token ends sooner":        func(q *asked) { q.token = "opaqu" },
		"with a certificate":           func(q *asked) { q.request = &Request{Certificate: cert} },
		"with another certificate":     func(q *asked) { q.request = &Request{Certificate: &x509.Certificate{Raw: []byte("another")}} },
		"with a key":                   func(q *asked) { q.request = &Request{DPoP: []string{h.proof(t, nil)}} },
		"with another key":             func(q *asked) { q.request = &Request{DPoP: []string{other.proof(t, nil)}} },
		"with a certificate and a key": func(q *asked) { q.request = &Request{DPoP: []string{h.proof(t, nil)}, Certificate: cert} },
		"with garbage for a proof":     func(q *asked) { q.request = &Request{DPoP: []string{"garbage"}} },
	}
	key := func(change func(*asked)) answerKey {
		q := base
		change(&q)
		i := &introspection{issuer: q.issuer, audience: q.audience}
		return i.key(q.token, presentedBy(q.request))
	}
	seen := make(map[answerKey]string)
	for name, change := range cases {
		k := key(change)
		if seen[k] != "" {
			t.Errorf("%s has the key of %s", name, seen[k])
		}
		seen[k] = name
		if key(change) != k { // also with a new proof
			t.Errorf("%s has no key that stays", name)
		}
	}
}

// TestOneQuestionForManyRequests, and that one of them goes ends it for nobody
// else, be it the one that began it.
func TestOneQuestionForManyRequests(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		letIn(t, a, with("opaque")) // the metadata is known
		time.Sleep(maxAnswerLife)
		s.reply(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(900 * time.Millisecond)
			s.mu.Lock()
			defer s.mu.Unlock()
			tell(w, s.known[r.PostFormValue("token")], "")
		})
		before := s.questions.Load()
		first, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := a.Check(first, with("opaque")); !errors.Is(err, context.Canceled) || !errors.Is(err, errNoAnswer) {
				t.Errorf("the one that went: %v", err)
			}
		})
		time.Sleep(100 * time.Millisecond)
		for range 50 {
			wg.Go(func() { letIn(t, a, with("opaque")) })
		}
		wg.Go(func() { refusedAs(t, a, with("unknown"), errInactive) })
		time.Sleep(100 * time.Millisecond)
		leave()
		wg.Wait()
		if n := s.questions.Load() - before; n != 2 {
			t.Errorf("%d questions about two tokens", n)
		}
	})
}

// TestAnOldQuestionIsNotJoined: what was revoked since it was asked is not in its
// answer.
func TestAnOldQuestionIsNotJoined(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		letIn(t, a, with("opaque"))
		time.Sleep(maxAnswerLife)
		s.reply(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			claims := s.known[r.PostFormValue("token")]
			s.mu.Unlock()
			time.Sleep(2 * time.Second)
			tell(w, claims, "")
		})
		var wg sync.WaitGroup
		wg.Go(func() { letIn(t, a, with("opaque")) })
		time.Sleep(500 * time.Millisecond)
		s.revoke("opaque")
		time.Sleep(500 * time.Millisecond)
		refusedAs(t, a, with("opaque"), errInactive)
		wg.Wait()
		refusedAs(t, a, with("opaque"), errInactive) // nor is the late answer kept
	})
}

// TestQuestionsAreBounded: an issuer that is slow does not make the API hold any
// number of them.
func TestQuestionsAreBounded(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		letIn(t, a, with("opaque"))
		s.reply(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			tell(w, nil, "")
		})
		var wg sync.WaitGroup
		for n := range maxQuestions {
			wg.Go(func() { refusedAs(t, a, with(fmt.Sprint("token", n)), errInactive) })
		}
		time.Sleep(500 * time.Millisecond)
		refusedAs(t, a, with("more"), errNoAnswer)
		letIn(t, a, with("opaque")) // is known
		wg.Wait()
		refusedAs(t, a, with("more"), errInactive)
	})
}

// TestAnswersLeave, also when nobody asks any more, and are bounded while many do.
func TestAnswersLeave(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		size := func() int {
			h := &a.introspection.answers
			h.mu.Lock()
			defer h.mu.Unlock()
			return len(h.young) + len(h.old)
		}
		letIn(t, a, with("opaque"))
		if size() != 1 {
			t.Error(size())
		}
		time.Sleep(2*maxAnswerLife + time.Millisecond)
		if size() != 0 {
			t.Errorf("%d answers are kept of a token that nobody uses", size())
		}
		v, failed := a.judged(t.Context(), nil, "opaque", nil)
		if failed != nil {
			t.Fatal(failed)
		}
		for n := range 3 * mostAnswers {
			a.introspection.answers.put(answerKey{byte(n), byte(n >> 8), byte(n >> 16)}, v, time.Now(), maxAnswerLife)
		}
		if size() > 2*mostAnswers {
			t.Errorf("%d answers are kept", size())
		}
		a.Close()
		if size() != 0 {
			t.Error("answers are kept after Close")
		}
		refusedAs(t, a, with("opaque"), errNoAnswer)
	})
}

// TestCloseEndsOpenQuestions: it does not wait for an issuer that says nothing.
func TestCloseEndsOpenQuestions(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		s.reply(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { refusedAs(t, a, with("opaque"), errNoAnswer) })
		time.Sleep(time.Second)
		a.Close()
		wg.Wait()
		if d := time.Since(begin); d != time.Second {
			t.Errorf("waited for %s", d)
		}
	})
}

// TestAClockThatIsSetBackKeepsNoAnswer longer than its second.
func TestAClockThatIsSetBackKeepsNoAnswer(t *testing.T) {
	s := newTeller(t)
	s.issue("opaque", nil)
	now := newClock()
	cfg := s.config()
	cfg.Introspection.Cache, cfg.Now, cfg.ClockSkew = 0, now.Now, time.Minute
	a := newAPI(t, cfg)
	letIn(t, a, with("opaque"))
	now.Advance(-time.Second)
	letIn(t, a, with("opaque"))
	if s.questions.Load() != 2 {
		t.Errorf("%d questions", s.questions.Load())
	}
}

// TestACallerPrintsNoToken, though it is kept to ask again.
func TestACallerPrintsNoToken(t *testing.T) {
	s := newTeller(t)
	s.issue("opaque", nil)
	a := newAPI(t, s.config())
	c := letIn(t, a, with("opaque"))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, *c); strings.Contains(text, "opaque") {
			t.Errorf("a caller prints its token: %s", text)
		}
	}
}
