package resource

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
)

func refuseAsker(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, `{"error":"invalid_client"}`)
}

// TestARefusalOfWhoAsksIsTold, also before somebody comes with a token, and taken
// back when it is over. Nothing else makes it.
func TestARefusalOfWhoAsksIsTold(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		is := func(what string, want bool) {
			t.Helper()
			synctest.Wait()
			err := a.Degraded()
			if want && !refusedWith(err, errAsker) || !want && err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		s.reply(refuseAsker)
		is("nothing is known", false)
		is("it refuses", true)
		if n := s.questions.Load(); n != 1 {
			t.Errorf("%d questions", n)
		}
		is("it refuses still", true)
		s.reply(nil)
		time.Sleep(lookAgain)
		is("the last that is known", true)
		is("it takes them", false)
		time.Sleep(10 * time.Minute)
		asked := s.questions.Load()
		is("it took them", false)
		if s.questions.Load() != asked {
			t.Error("it is asked though it answers")
		}
		s.reply(http.NotFound)
		refusedAs(t, a, with("other"), errNoAnswer)
		is("there is no answer", false)
		s.reply(refuseAsker)
		time.Sleep(time.Minute)
		refusedAs(t, a, with("other"), errNoAnswer)
		is("a token met it", true)
		s.reply(http.NotFound)
		time.Sleep(time.Minute)
		refusedAs(t, a, with("other"), errNoAnswer)
		is("no answer since", true)
		s.reply(nil)
		time.Sleep(time.Minute)
		letIn(t, a, with("opaque"))
		is("a token met an answer", false)
	})
}

// TestReadyWhereAllIsAsked: nothing can be judged while the issuer refuses who asks.
func TestReadyWhereAllIsAsked(t *testing.T) {
	i, s := newIssuer(t), newTeller(t)
	both := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks" {
			i.ServeHTTP(w, r)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(both.Close)
	s.url = both.URL
	s.reply(refuseAsker)
	for always, want := range map[bool]*symbolon.Error{false: nil, true: errAsker} {
		cfg := s.config()
		cfg.Introspection.Always = always
		a := newAPI(t, cfg)
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		until(t, "it is degraded", func() bool { return a.Degraded() != nil })
		if err := a.Ready(); want == nil && err != nil || want != nil && !refusedWith(err, want) {
			t.Errorf("always %t: %v", always, err)
		}
	}
}
