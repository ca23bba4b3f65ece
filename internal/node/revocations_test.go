package node

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/pgtest"
)

// revocations asks the node for the set of the issuer with that URL.
func (s *started) revocations(ctx context.Context, t *testing.T, issuer, query string) *symbolon.RevocationSet {
	t.Helper()
	ask := func(path string) string {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Error(err)
			return ""
		}
		req.Host = strings.TrimPrefix(issuer, "http://")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %v %s", path, resp.Status, err, body)
		}
		return string(body)
	}
	token, err := jose.Parse(ask("/revocations" + query))
	if err != nil {
		t.Error(err)
		return new(symbolon.RevocationSet)
	}
	set, err := symbolon.ParseRevocationSet(token.Payload)
	if err != nil {
		t.Error(err)
		return new(symbolon.RevocationSet)
	}
	return set
}

func after(set *symbolon.RevocationSet) string {
	return "?since=" + strconv.FormatInt(set.Seq, 10) + "&epoch=" + strconv.FormatInt(set.Epoch, 10) + "&wait=55"
}

// waits returns when so many requests wait at the node.
func (s *started) waits(n int) {
	for s.oauth.Waiting() < n {
		runtime.Gosched()
	}
}

// TestADenialReachesWhoWaitsOnEveryNode, with one key on all nodes.
func TestADenialReachesWhoWaitsOnEveryNode(t *testing.T) {
	dsn := pgtest.Database(t)
	first := start(t, Config{Store: dsn})
	first.seed(t)
	second := start(t, Config{Store: dsn, URL: first.url, MasterKey: first.masterKey(t)})
	_, key := first.get(t, "/revocations/keys")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, second.url+"/revocations/keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = strings.TrimPrefix(first.url, "http://")
	if status, other := fetch(t, req); status != http.StatusOK || other != key {
		t.Errorf("%d %s on the second node, %s on the first", status, other, key)
	}

	before := first.revocations(t.Context(), t, first.url, "")
	answers := make(chan *symbolon.RevocationSet)
	for _, node := range []*started{first, second} {
		go func() { answers <- node.revocations(t.Context(), t, first.url, after(before)) }()
	}
	first.waits(1)
	second.waits(1)
	began := time.Now()
	if _, _, err := first.Admin().DenyClient(t.Context(), admin.System(), "billing"); err != nil {
		t.Fatal(err)
	}
	want := symbolon.NewDenialKey(before.Epoch, symbolon.DenyClient, "billing")
	for range 2 {
		set := <-answers
		if len(set.Entries) != 1 || set.Entries[0].Key != want || set.Entries[0].N == 0 {
			t.Errorf("%+v", set)
		}
	}
	t.Logf("both were told after %v", time.Since(began))
}

// TestANodeThatStopsLetsNobodyWait: what waits is answered, and the end does not
// wait for it.
func TestANodeThatStopsLetsNobodyWait(t *testing.T) {
	s := start(t, Config{})
	before := s.revocations(t.Context(), t, s.url, "")
	answers := make(chan *symbolon.RevocationSet)
	for range 3 {
		go func() { answers <- s.revocations(t.Context(), t, s.url, after(before)) }()
	}
	s.waits(3)
	began := time.Now()
	ended := make(chan error)
	go func() { ended <- s.stop() }()
	for range 3 {
		if set := <-answers; set.Seq != before.Seq {
			t.Errorf("%+v", set)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took >= drainTime {
		t.Errorf("the end took %v", took)
	}
}
