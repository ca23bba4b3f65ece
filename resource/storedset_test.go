package resource

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/logtest"
)

// TestAStartWhileTheIssuerIsAway goes by what was stored, and by nothing that
// somebody else wrote.
func TestAStartWhileTheIssuerIsAway(t *testing.T) {
	f := newFeedIssuer(t)
	f.deny(0, symbolon.DenyJTI, "denied")
	dir := t.TempDir()
	first := followed(t, f, func(cfg *Config) { cfg.DataDir = dir })
	f.deny(0, symbolon.DenyJTI, "too")
	until(t, "the second denial", func() bool {
		_, err := check(first, f.token(t, func(c *symbolon.Claims) { c.ID = "too" }))
		return refusedWith(err, errRevoked)
	})
	first.Close()
	path := first.sources[0].denied.storedPath()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.update(func() { f.answer, f.keysAre = http.NotFound, http.NotFound })
	start := func(onStale string) (*API, string) {
		var log logtest.Buffer
		a := newAPI(t, Config{
			Issuer: f.url, Audience: audience, DataDir: dir, Revocations: Revocations{OnStale: onStale},
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return a, log.String()
	}
	a, _ := start(OnStaleAllow)
	for _, id := range []string{"denied", "too"} {
		if _, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = id })); !refusedWith(err, errRevoked) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := check(a, f.token(t, nil)); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"cut":             func(b []byte) []byte { return b[:len(b)/2] },
		"empty":           func([]byte) []byte { return nil },
		"another version": func(b []byte) []byte { return bytes.Replace(b, []byte(`"v":1`), []byte(`"v":2`), 1) },
		"another issuer":  func(b []byte) []byte { return bytes.Replace(b, []byte(f.url), []byte("http://localhost:1"), 1) },
		"another address": func(b []byte) []byte { return bytes.Replace(b, []byte("/revocations/keys"), []byte("/else/keys"), 1) },
		"another time":    func(b []byte) []byte { return bytes.Replace(b, []byte(`"heard":1`), []byte(`"heard":2`), 1) },
	} {
		if err := os.WriteFile(path, change(bytes.Clone(text)), 0o600); err != nil {
			t.Fatal(err)
		}
		a, log := start(OnStaleDeny)
		if !strings.Contains(log, "the stored revocation set is not used") {
			t.Errorf("%s: %s", name, log)
		}
		if _, err := check(a, f.token(t, nil)); !refusedWith(err, errNoSet) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	if _, log := start(OnStaleAllow); !strings.Contains(log, "the stored revocation set is not used") {
		t.Error("a file that anybody may write was used")
	}
}

// TestAStartWithAWrongClock: what is stored stays in force when the clock is ahead
// at the start, as one is that was not set yet, and is set right later: the next
// answer is a difference, and would not bring it back.
func TestAStartWithAWrongClock(t *testing.T) {
	f := newFeedIssuer(t)
	f.deny(0, symbolon.DenyJTI, "denied")
	f.update(func() {
		f.set.Pending = []symbolon.PendingDenial{{ID: "p1", Key: symbolon.NewDenialKey(0, symbolon.DenyJTI, "pending"), Expires: time.Now().Add(time.Hour).Unix()}}
	})
	dir, clk := t.TempDir(), newClock()
	first := followed(t, f, func(cfg *Config) { cfg.DataDir, cfg.Now = dir, clk.Now })
	until(t, "the set is stored", func() bool { _, err := os.Stat(first.sources[0].denied.storedPath()); return err == nil })
	first.Close()
	clk.Advance(48 * time.Hour)
	cfg := f.config()
	cfg.DataDir, cfg.Now = dir, clk.Now
	a := newAPI(t, cfg)
	if _, err := check(a, f.token(t, nil)); !refusedWith(err, errExpired) { // it has read what is stored
		t.Fatal(err)
	}
	clk.Advance(-48 * time.Hour)
	for _, id := range []string{"denied", "pending"} {
		if _, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = id })); !refusedWith(err, errRevoked) {
			t.Errorf("%s: %v", id, err)
		}
	}
}
