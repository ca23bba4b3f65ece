package symbolontest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/symbolon/symbolon/resource"
	"github.com/symbolon/symbolon/symbolontest"
)

// TestKeysEverywhere: a server, an API and clients with keys instead of secrets
// and bound tokens instead of bearer tokens, with the public packages alone.
func TestKeysEverywhere(t *testing.T) {
	auth := symbolontest.New(t)
	orders := auth.API("orders", "orders:read")
	url := orders.Serve("orders:read", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := resource.CallerFrom(r.Context())
		fmt.Fprintf(w, "%s %v", c.ClientID, c.Claims.Confirmation != nil)
	}))
	secret, key := auth.Client("secret", orders, "orders:read"), auth.KeyClient("key", orders, "orders:read")
	for want, c := range map[string]*symbolontest.Client{
		"secret false": secret, "secret true": secret.DPoP(), "key false": key, "key true": key.DPoP(),
	} {
		for n := range 3 {
			if status, body := get(t, c, fmt.Sprintf("%s/orders/%d?page=1", url, n)); status != http.StatusOK || body != want {
				t.Errorf("%d %s, want 200 %s", status, body, want)
			}
			auth.Advance(40 * time.Minute) // its token expires meanwhile
		}
	}
	// A bound token is worth nothing to who has only that.
	stolen := token(t, key.DPoP())
	if status, body := call(t, url, stolen); status != http.StatusUnauthorized {
		t.Errorf("%d %s, want 401 for a bound token under Bearer", status, body)
	}
	if key.Key == nil || key.Secret != "" || secret.Key != nil || secret.Secret == "" {
		t.Error("each client has what it authenticates with")
	}
}

func get(t *testing.T, c *symbolontest.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.HTTP().Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
