package node

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

const stateFile = `
apis:
  - {id: invoices, identifier: https://invoices.example.com, scopes: {invoices:read: Read}}
`

// TestStartWhileTheStoreIsAway: a restart during an outage issues from the local
// copy, refuses changes, and applies the declarative file when the store is back.
func TestStartWhileTheStoreIsAway(t *testing.T) {
	server := pgtest.Start(t)
	cfg := Config{Store: server.Database(t), DataDir: t.TempDir() + "/data"}
	first := start(t, cfg)
	secret := first.seed(t)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	server.Pause(t)

	cfg.URL = first.url
	cfg.Apply = filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(cfg.Apply, []byte(stateFile), 0o600); err != nil {
		t.Fatal(err)
	}
	second := start(t, cfg)
	if status, body := second.tokenAt(t, first.url, "billing", secret); status != http.StatusOK {
		t.Errorf("a token: %d %s", status, body)
	}
	if status, body := second.tokenAt(t, first.url, "billing", secret+"x"); status != http.StatusUnauthorized {
		t.Errorf("a wrong secret: %d %s", status, body)
	}
	if status, body := second.get(t, "/readyz"); status != http.StatusOK || !strings.Contains(body, "the store is away") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	_, _, err := second.Admin().CreateClient(t.Context(), admin.System(), admin.CreateClient{Client: registry.Client{ID: "late"}})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a change: %v", err)
	}

	server.Resume(t)
	within(t, "the declarative file is applied", func() bool { return second.replica.Snapshot().APIs["invoices"] != nil })
	within(t, "the node is ready without reserve", func() bool {
		_, body := second.get(t, "/readyz")
		return body == "ok\n"
	})
}

// TestStartWithATooOldCopy: past max_stale the copy is used for nothing, and a
// file with a mistake ends the start whether the store is there or not.
func TestStartWithATooOldCopy(t *testing.T) {
	server := pgtest.Start(t)
	cfg := Config{Store: server.Database(t), DataDir: t.TempDir() + "/data"}
	first := start(t, cfg)
	secret := first.seed(t)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	server.Pause(t)

	cfg.URL = first.url
	cfg.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	second := start(t, cfg)
	if status, body := second.tokenAt(t, first.url, "billing", secret); status != http.StatusServiceUnavailable {
		t.Errorf("a token of a stale copy: %d %s", status, body)
	}
	for path, want := range map[string]int{"/readyz": http.StatusServiceUnavailable, "/livez": http.StatusOK} {
		if status, body := second.get(t, path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	cfg.Apply = filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(cfg.Apply, []byte("apis: [{identity: wrong}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Listen = []Listener{{Addr: "127.0.0.1:0"}}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "identity") {
		t.Errorf("a file with a mistake: %v", err)
	}
	server.Resume(t)
}

// within waits for what is to come true within seconds.
func within(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !f(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
