package server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// slowReader reads nothing of the answer's body until it is told to.
type slowReader struct {
	*httptest.ResponseRecorder
	begun, read chan struct{}
}

func (r *slowReader) Write(b []byte) (int, error) {
	r.begun <- struct{}{}
	<-r.read
	return r.ResponseRecorder.Write(b)
}

// TestLongAnswersAreBounded: who reads a long set slowly holds a place, of its
// network and of all; others are told to come back, and short answers take none.
func TestLongAnswersAreBounded(t *testing.T) {
	f := newFixture(t)
	f.feeds.long, f.feeds.sending.PerNetwork = 100, 1 // httptest's client is 192.0.2.1
	first := f.set(f.get(base+"/revocations"), base)
	slow := &slowReader{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.handler().ServeHTTP(slow, httptest.NewRequestWithContext(t.Context(), "GET", base+"/revocations", nil))
	}()
	<-slow.begun
	w := f.get(base + "/revocations")
	refusedBy(errLongAnswers, "Retry-After", "5").check(t, w)
	if w.Header().Get("Etag") != "" {
		t.Errorf("a refusal has the set's tag: %v", w.Header())
	}
	refusedBy(errLongAnswers, "Retry-After", "5").check(t, f.get(base+since(first, "")))
	f.feeds.sending.PerNetwork, f.feeds.sending.InAll = 2, 1
	refusedBy(errLongAnswers, "Retry-After", "5").check(t, f.get(base+"/revocations"))
	f.feeds.long = longAnswer
	f.set(f.get(base+"/revocations"), base)
	f.feeds.long = 100
	close(slow.read)
	<-done
	f.set(f.get(base+"/revocations"), base) // the place is free again
	if n := f.feeds.sending.Taken(); n != 0 || slow.Code != 200 || strings.Count(slow.Body.String(), ".") != 2 {
		t.Errorf("%d places are not given back, %d %s", n, slow.Code, slow.Body)
	}
}

// TestLongTextsAreKeptLonger: a second, and one more for each MiB.
func TestLongTextsAreKeptLonger(t *testing.T) {
	for _, c := range []struct {
		octets int
		age    time.Duration
		want   bool
	}{
		{1000, 0, true}, {1000, time.Second - 1, true}, {1000, time.Second, false}, {1000, -1, false},
		{1<<20 - 1, time.Second, false}, {1 << 20, time.Second, true}, {10 << 20, 11*time.Second - 1, true}, {10 << 20, 11 * time.Second, false},
	} {
		set := &signedSet{text: make([]byte, c.octets), made: start}
		if got := set.fresh(start.Add(c.age)); got != c.want {
			t.Errorf("%d octets after %v: %v", c.octets, c.age, got)
		}
	}
}
