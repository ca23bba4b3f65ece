package admin

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// TestDenyWhileTheStoreIsFull: a denial goes to the journal, which is on another
// disk, and into the store when that has space. Nothing else is done by half: a
// client that revokes a token hears that it is not.
func TestDenyWhileTheStoreIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatalf("a full disk cannot be tried without mounting a tmpfs: %v; run `scripts/unit.sh ./internal/admin`, or as root with CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t, "sqlite:"+filepath.Join(dir, "symbolon.db"))
	w.client("billing")
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	w.ok(err)
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	w.ok(ballast.Close())
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	before := w.head()
	d, _, err := w.DenyClient(t.Context(), w.actor, "billing")
	w.ok(err)
	if d.Pending == "" || len(w.replica.Journalled()) != 1 || w.head() != before || !w.replica.Snapshot().Issuers["default"].Denied(registry.TokenFacts{Client: "billing", Gen: 1 << 60}) {
		t.Errorf("answered as %+v, journalled %v", d, w.replica.Journalled())
	}
	w.refused(w.RevokeToken(t.Context(), OfClient("billing", ""), IssuedToken{Issuer: "default", Client: "billing", JTI: "t1", Expires: w.clock.now().Add(time.Hour)}), Unavailable, "full")
	w.refused(w.MergeJournal(t.Context()), Unavailable, "full")
	if len(w.replica.Journalled()) != 1 {
		t.Error("a denial is gone that the store has not got")
	}
	w.ok(os.Remove(ballast.Name()))
	w.ok(w.MergeJournal(t.Context()))
	if _, there := w.denials()["client:billing"]; !there || w.stored("billing").State != registry.StateDisabled || len(w.replica.Journalled()) != 0 {
		t.Errorf("denied %v, the client is %s", w.denials(), w.stored("billing").State)
	}
}
