package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// waiters are requests that wait, in goroutines of their own.
type waiters struct {
	*fixture
	begun   chan struct{} // one for each that has begun to wait
	signed  atomic.Int64
	answers chan *httptest.ResponseRecorder
}

func newWaiters(f *fixture) *waiters {
	w := &waiters{fixture: f, begun: make(chan struct{}, 1000), answers: make(chan *httptest.ResponseRecorder, 1000)}
	f.count = func(step string) {
		switch step {
		case "wait for a denial":
			w.begun <- struct{}{}
		case "sign a revocation set":
			w.signed.Add(1)
		}
	}
	return w
}

// wait starts n requests for the path and returns when all of them wait.
func (w *waiters) wait(ctx context.Context, n int, path string) {
	handler := w.handler()
	for range n {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		go func() {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			w.answers <- answer
		}()
	}
	for range n {
		<-w.begun
	}
}

// none fails the test when a request was answered.
func (w *waiters) none(when string) {
	w.t.Helper()
	if n := len(w.answers); n > 0 {
		w.t.Fatalf("%d answers %s: %s", n, when, (<-w.answers).Body)
	}
}

// longest is a wait whose end no test sees.
const longest = "&wait=55"

// TestADenialWakesAllWhoWait with one signature, whatever commit each had seen
// last; what denies nothing wakes nobody.
func TestADenialWakesAllWhoWait(t *testing.T) {
	for name, dsn := range map[string]string{"sqlite": "sqlite:" + t.TempDir() + "/symbolon.db", "postgres": pgtest.Database(t)} {
		t.Run(name, func(t *testing.T) {
			f := newFixtureOn(t, dsn)
			w := newWaiters(f)
			f.deny(ofClient("a"))
			first := f.set(f.get(base+"/revocations"), base)
			w.wait(t.Context(), 25, since(first, longest))
			f.apply(named("bystander", func(*registry.Client) {}), &registry.API{ID: "more", Issuer: "default", Identifier: "https://more.example.com"})
			f.deny(registry.Denial{What: registry.DenyJTI, Issuer: "partners", JTI: "x"})
			later := f.set(f.get(base+since(first, "")), base)
			if later.Seq != first.Seq+2 || len(later.Entries) != 0 {
				t.Fatalf("%+v", later)
			}
			w.wait(t.Context(), 25, since(later, longest))
			w.none("before the denial")
			before := w.signed.Load()
			f.deny(ofClient("b"))
			texts := map[string]bool{}
			for range 50 {
				answer := <-w.answers
				texts[answer.Body.String()] = true
				set := f.set(answer, base)
				if len(set.Entries) != 1 || set.Since == 0 || set.Since > first.Seq || set.Entries[0].Key != symbolon.NewDenialKey(1, symbolon.DenyClient, "b") {
					t.Errorf("%+v", set)
				}
			}
			if n := w.signed.Load() - before; n != 1 || len(texts) != 1 {
				t.Errorf("%d signatures and %d texts for one commit", n, len(texts))
			}
			// Who comes late is told at once.
			set := f.set(f.get(base+since(later, longest)), base)
			if len(set.Entries) != 1 {
				t.Errorf("%+v", set)
			}
		})
	}
}

// TestANewEpochWakes: the hashes in a set are those of its epoch.
func TestANewEpochWakes(t *testing.T) {
	f := newFixture(t)
	w := newWaiters(f)
	f.deny(ofClient("a"))
	first := f.set(f.get(base+"/revocations"), base)
	w.wait(t.Context(), 1, since(first, longest))
	at, err := f.store.RaiseEpoch(t.Context(), f.put(named("bystander", func(*registry.Client) {})))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.replica.Await(t.Context(), at.Seq); err != nil {
		t.Fatal(err)
	}
	if set := f.set(<-w.answers, base); set.Epoch != first.Epoch+1 || set.Since != 0 || len(set.Entries) != 1 {
		t.Errorf("%+v", set)
	}
}

// TestAJournalledDenialWakes who waits, is told to who comes from elsewhere, and
// is an entry once a commit holds it.
func TestAJournalledDenialWakes(t *testing.T) {
	f := newFixture(t)
	w := newWaiters(f)
	f.deny(ofClient("a"))
	first := f.set(f.get(base+"/revocations"), base)
	etag := f.get(base + "/revocations").Header().Get("Etag")
	if first.Journal != "" {
		t.Errorf("an empty journal is %q", first.Journal)
	}
	w.wait(t.Context(), 1, since(first, longest+"&journal="))
	w.wait(t.Context(), 1, since(first, longest)) // does not say what it has
	w.none("before the denial")
	kept, err := f.replica.Journal(replica.Pending{Denial: *f.denial(ofClient("billing"))})
	if err != nil {
		t.Fatal(err)
	}
	want := symbolon.PendingDenial{ID: kept.ID, Key: symbolon.NewDenialKey(0, symbolon.DenyClient, "billing"), Expires: wholeSeconds(kept.Denial.Expires)}
	for range 2 {
		set := f.set(<-w.answers, base)
		if len(set.Entries) != 0 || len(set.Pending) != 1 || set.Pending[0] != want || set.Seq != first.Seq || set.Journal == "" {
			t.Errorf("%+v", set)
		}
	}
	if w := f.get(base+"/revocations", "If-None-Match", etag); w.Code != http.StatusOK || w.Header().Get("Etag") == etag {
		t.Errorf("%d: the tag says nothing of the journal", w.Code)
	}
	// Between two requests of a validator, on the way from another node.
	second := f.set(f.get(base+since(first, longest+"&journal=")), base)
	if len(second.Pending) != 1 {
		t.Errorf("%+v", second)
	}
	w.wait(t.Context(), 1, since(second, longest+"&journal="+second.Journal))
	f.deny(registry.Denial{What: registry.DenyJTI, Issuer: "partners", JTI: "x"})
	w.none("of the same journal")

	merged := f.denial(ofClient("billing"))
	merged.Merged = []registry.MergedDenial{{ID: kept.ID, Expires: kept.Denial.Expires}}
	f.apply(merged)
	third := f.set(<-w.answers, base)
	if len(third.Entries) != 1 || third.Entries[0].N == 0 || !slices.Equal(third.Merged, []string{kept.ID}) || third.Journal == second.Journal {
		t.Errorf("%+v", third)
	}
	if err := f.replica.Forget(kept.ID); err != nil {
		t.Fatal(err)
	}
	fourth := f.set(f.get(base+since(third, longest+"&journal="+third.Journal)), base)
	if len(fourth.Pending) != 0 || !slices.Equal(fourth.Merged, []string{kept.ID}) {
		t.Errorf("%+v", fourth)
	}
	f.advance(2 * time.Hour)
	if last := f.set(f.get(base+"/revocations"), base); len(last.Merged) != 0 || last.Journal != "" {
		t.Errorf("nobody holds it any more: %+v", last)
	}
	// Of another issuer: nobody is told here.
	if _, err := f.replica.Journal(replica.Pending{Denial: *f.denial(registry.Denial{What: registry.DenyJTI, Issuer: "partners", JTI: "y"})}); err != nil {
		t.Fatal(err)
	}
	if here := f.set(f.get(base+"/revocations"), base); len(here.Pending) != 0 {
		t.Errorf("%+v", here)
	}
	if there := f.set(f.get(base+"/partners/revocations"), base+"/partners"); len(there.Pending) != 1 {
		t.Errorf("%+v", there)
	}
}

// TestAWaitEnds: without news after its time, for a validator that is ahead of
// the node too; when its client goes away; when the node stops.
func TestAWaitEnds(t *testing.T) {
	f := newFixture(t)
	w := newWaiters(f)
	f.deny(ofClient("a"))
	first := f.set(f.get(base+"/revocations"), base)
	ahead := *first
	ahead.Seq += 100
	later := ahead
	later.Epoch++
	f.advance(time.Minute)
	for _, s := range []*symbolon.RevocationSet{first, &ahead, &later} {
		w.wait(t.Context(), 1, since(s, "&wait=1"))
	}
	for range 3 {
		set := f.set(<-w.answers, base)
		if len(set.Entries) != 0 || set.Since == 0 || set.Seq != first.Seq || set.AsOf != f.now().Unix() || set.Expires != f.now().Unix()+300 {
			t.Errorf("%+v", set)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	w.wait(ctx, 1, since(first, longest))
	cancel()
	if answer := <-w.answers; answer.Body.Len() != 0 {
		t.Errorf("to nobody: %s", answer.Body)
	}

	w.wait(t.Context(), 3, since(first, longest))
	f.Drain()
	f.Drain()
	for range 3 {
		f.set(<-w.answers, base)
	}
	f.set(f.get(base+since(first, longest)), base) // and nobody waits any more
	if n := f.Waiting(); n != 0 {
		t.Errorf("%d places are not given back", n)
	}
}

// TestWaitingForDenialsIsBounded: per network and in all. Who gets no place can ask
// without waiting.
func TestWaitingForDenialsIsBounded(t *testing.T) {
	f := newFixture(t)
	w := newWaiters(f)
	f.feeds.waiting.PerNetwork = 2 // httptest's client is 192.0.2.1
	first := f.set(f.get(base+"/revocations"), base)
	ctx, cancel := context.WithCancel(t.Context())
	w.wait(ctx, 2, since(first, longest))
	full := refusedBy(errNoPlace, "Retry-After", "5")
	full.check(t, f.get(base+since(first, longest)))
	f.set(f.get(base+since(first, "")), base)
	f.set(f.get(base+"/revocations"), base)
	cancel()
	<-w.answers
	<-w.answers
	f.feeds.waiting.PerNetwork, f.feeds.waiting.InAll = 10, 1
	w.wait(t.Context(), 1, since(first, longest))
	full.check(t, f.get(base+since(first, longest)))
	f.deny(ofClient("a"))
	f.set(<-w.answers, base)
	// What is not waited for takes no place.
	f.feeds.waiting.InAll = 0
	if set := f.set(f.get(base+since(first, longest)), base); len(set.Entries) != 1 {
		t.Errorf("%+v", set)
	}
}

// TestWaitsOutliveTheLimitsOfTheListener, which are for answers that come at
// once; and the next request of the connection has them again.
func TestWaitsOutliveTheLimitsOfTheListener(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			f := newFixture(t)
			first := f.set(f.get(base+"/revocations"), base)
			s := httptest.NewUnstartedServer(f.handler())
			s.EnableHTTP2 = http2
			s.Config.ReadTimeout, s.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
			s.StartTLS()
			defer s.Close()
			for range 2 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+since(first, "&wait=1"), nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Host = "auth.example.com"
				resp, err := s.Client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || (resp.ProtoMajor == 2) != http2 || strings.Count(string(body), ".") != 2 {
					t.Errorf("%v %s %s", err, resp.Status, body)
				}
			}
		})
	}
}

// TestAStaleNodeStillTellsWhatItDenies: the validator sees in as_of how old that
// is, and decides.
func TestAStaleNodeStillTellsWhatItDenies(t *testing.T) {
	f := newFixtureOn(t, pgtest.Database(t))
	f.deny(ofClient("a"))
	heard := f.now()
	f.advance(2 * time.Hour)
	if set := f.set(f.get(base+"/revocations"), base); set.AsOf != heard.Unix() || set.Expires != f.now().Unix()+300 {
		t.Errorf("%+v, heard at %d", set, heard.Unix())
	}
}

// counter counts what crosses a connection, in both directions.
type counter struct {
	net.Conn
	octets *atomic.Int64
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.octets.Add(int64(n))
	return n, err
}

func (c counter) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.octets.Add(int64(n))
	return n, err
}

// TestAQuietMinuteCostsAValidatorLittle: three requests that wait for 20 seconds,
// heads included, of a set that is not empty.
func TestAQuietMinuteCostsAValidatorLittle(t *testing.T) {
	f := newFixture(t)
	denials := make([]registry.Denial, 1000)
	for i := range denials {
		denials[i] = ofClient(fmt.Sprint("c", i))
	}
	f.deny(denials...)
	at := f.replica.Snapshot().Position
	set := &symbolon.RevocationSet{Epoch: at.Epoch, Seq: at.Seq}
	f.Drain() // the answers of a minute in a moment
	s := httptest.NewServer(f.handler())
	defer s.Close()
	var octets atomic.Int64
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return counter{c, &octets}, err
	}}}
	defer client.CloseIdleConnections()
	for range 3 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+since(set, "&wait=20"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "auth.example.com"
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v %s %s", err, resp.Status, body)
		}
	}
	t.Logf("%d octets", octets.Load())
	if n := octets.Load(); n > 4000 {
		t.Errorf("%d octets in a minute, want 4000 at most", n)
	}
}

// TestDifferencesAreFew: from wherever validators ask, each gets all that came
// after, of a few texts in all.
func TestDifferencesAreFew(t *testing.T) {
	d := &denied{epoch: 1}
	for commit := int64(10); len(d.entries) < 1000; commit += 1 + commit%3 {
		for range 1 + commit%4 {
			d.entries = append(d.entries, deniedEntry{commit: commit})
		}
	}
	texts := map[int]bool{}
	for since := int64(1); since <= d.newest()+5; since++ {
		q := &revocationQuery{difference: true}
		q.since.Seq, q.since.Epoch = since, 1
		i, after := d.first(q)
		texts[i] = true
		missing := slices.ContainsFunc(d.entries[:i], func(e deniedEntry) bool { return e.commit > after })
		if after > since || missing || i > 0 != (after > 0) || i < len(d.entries) && d.entries[i].commit <= after {
			t.Fatalf("since %d: from %d, after %d", since, i, after)
		}
	}
	if len(texts) > 12 {
		t.Errorf("%d texts for %d denials", len(texts), len(d.entries))
	}
	empty := &denied{epoch: 1}
	if i, after := empty.first(&revocationQuery{difference: true}); i != 0 || after != 0 {
		t.Errorf("of none: %d %d", i, after)
	}
}

// TestLookingIsSafe for many at once, while others write.
func TestLookingIsSafe(t *testing.T) {
	f := newFixture(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				f.set(f.get(base+"/revocations"), base)
			}
		})
	}
	for i := range 20 {
		f.deny(ofClient(fmt.Sprint("c", i)))
	}
	all.Wait()
	if n := len(f.set(f.get(base+"/revocations"), base).Entries); n != 20 {
		t.Errorf("%d entries", n)
	}
}
