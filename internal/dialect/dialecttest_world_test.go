package dialect_test

import (
	"net/http"
	"testing"
)

// TestTheWorldIsThere: the standard issuer answers over HTTPS, and nothing of it
// stands at a dialect's port.
func TestTheWorldIsThere(t *testing.T) {
	w := theWorld(t)
	w.ask(t, standard, "billing").token(t)
	if a := w.get(t, w.origin(oktaOrg)+"/livez"); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.text)
	}
}
