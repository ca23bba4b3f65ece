package resource

import (
	"errors"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
)

// keeping runs a test in which time passes only while nothing happens, with an API
// that keeps what its issuer denies in cfg.DataDir.
func keeping(t *testing.T, test func(*testing.T, *feedIssuer, Config)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := unservedFeed(t)
		f.url, f.set.Issuer = "http://auth.localhost", "http://auth.localhost"
		cfg := f.config()
		cfg.HTTP, cfg.DataDir = pipe(t, f), dir
		test(t, f, cfg)
	})
}

// begun is an API that heard its issuer.
func begun(t *testing.T, cfg Config, change func(*follower)) (*API, *follower) {
	t.Helper()
	a := newAPI(t, cfg)
	follower := &a.sources[0].denied
	if change != nil {
		change(follower)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return a, follower
}

// storedSeq is the position of the stored set; 0: there is none.
func storedSeq(t *testing.T, f *follower) int64 {
	t.Helper()
	set, _, _, err := f.read()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0
	case err != nil:
		t.Fatal(err)
	}
	return set.seq
}

// TestTheStoredSetIsWrittenSeldom, however many denials there are: at once at
// first, then after each pause, after the last one, and at the end.
func TestTheStoredSetIsWrittenSeldom(t *testing.T) {
	keeping(t, func(t *testing.T, f *feedIssuer, cfg Config) {
		a, follower := begun(t, cfg, nil)
		last := storedSeq(t, follower)
		if last != 10 {
			t.Fatalf("the first set was not stored, but %d", last)
		}
		writes := 0
		const minute = 60 * time.Second
		for begin := time.Now(); time.Since(begin) < minute; time.Sleep(100 * time.Millisecond) {
			f.deny(0, symbolon.DenyJTI, "denied")
			synctest.Wait()
			if held := follower.current.Load().seq; f.set.Seq-held > 3 {
				t.Fatalf("%d is held of %d", held, f.set.Seq)
			}
			if seq := storedSeq(t, follower); seq != last {
				last = seq
				writes++
			}
		}
		if most := int(minute / storePause); writes > most || writes < most-2 {
			t.Errorf("%d writes in a minute", writes)
		}
		time.Sleep(2 * storePause)
		if seq := storedSeq(t, follower); seq != f.set.Seq {
			t.Errorf("after a pause %d is stored of %d", seq, f.set.Seq)
		}
		for range 2 {
			f.deny(0, symbolon.DenyJTI, "denied")
			time.Sleep(time.Second)
		}
		if seq := storedSeq(t, follower); seq != f.set.Seq-1 {
			t.Errorf("the second of two that follow a pause was stored, too: %d of %d", seq, f.set.Seq)
		}
		a.Close()
		if seq := storedSeq(t, follower); seq != f.set.Seq {
			t.Errorf("at the end %d is stored of %d", seq, f.set.Seq)
		}
	})
}

// TestASlowDiskDelaysNoDenial: what is denied counts while the copy is written.
func TestASlowDiskDelaysNoDenial(t *testing.T) {
	keeping(t, func(t *testing.T, f *feedIssuer, cfg Config) {
		disk := make(chan struct{})
		writes := 0
		a, _ := begun(t, cfg, func(f *follower) {
			f.copies.write = func(*heldSet, places, time.Time) { writes++; <-disk }
		})
		for _, id := range []string{"one", "two"} {
			f.deny(0, symbolon.DenyJTI, id)
			time.Sleep(time.Second)
			if _, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = id })); !refusedWith(err, errRevoked) {
				t.Errorf("%s: %v", id, err)
			}
		}
		time.Sleep(10 * storePause)
		if writes != 1 {
			t.Errorf("%d writes at a time", writes)
		}
		close(disk)
		a.Close()
		if writes != 2 {
			t.Errorf("%d writes, and the last set is not among them", writes)
		}
	})
}

// TestAStartWithAnOlderSet, as a crash leaves it, goes by it and asks for what came
// since.
func TestAStartWithAnOlderSet(t *testing.T) {
	keeping(t, func(t *testing.T, f *feedIssuer, cfg Config) {
		f.deny(0, symbolon.DenyJTI, "stored")
		a, _ := begun(t, cfg, nil)
		a.Close()
		f.deny(0, symbolon.DenyJTI, "since")
		f.update(func() { f.answer = http.NotFound })
		a, _ = begun(t, cfg, nil)
		denied := func(id string) bool {
			_, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = id }))
			return refusedWith(err, errRevoked)
		}
		if !denied("stored") || denied("since") {
			t.Error("what was stored is not in force")
		}
		var since []int64
		f.update(func() {
			f.answer, f.change = nil, func(s *symbolon.RevocationSet) { since = append(since, s.Since) }
		})
		time.Sleep(time.Minute)
		if !denied("stored") || !denied("since") {
			t.Error("what came since is not in force")
		}
		if len(since) == 0 || since[0] != 11 {
			t.Errorf("asked for what came since %v", since)
		}
	})
}
