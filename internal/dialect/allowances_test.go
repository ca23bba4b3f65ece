package dialect

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/web"
)

// TestAllowances: who changes without end waits soon, and reads on; who reads waits
// by what was looked at. Neither keeps others waiting.
func TestAllowances(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	may := newAllowances()
	call := func(method, name string, at time.Duration) *managed {
		return &managed{
			Place: server.Place{Issuer: &registry.IssuerView{Issuer: &registry.Issuer{ID: "auth0"}}}, x: &web.Exchange{Began: now.Add(at)},
			r: &http.Request{Method: method}, actor: admin.Actor{Name: name},
		}
	}
	granted := func(name string, at time.Duration, methods ...string) (n int) {
		for {
			if err := may.take(call(methods[n%len(methods)], name, at)); err != nil {
				var over *symbolon.Error
				if !errors.As(err, &over) || over.Code != symbolon.TooManyRequests || over.RetryAfter <= 0 || over.RetryAfter > time.Minute {
					t.Fatalf("%s after %d: %v", name, n, err)
				}
				return n
			}
			n++
		}
	}
	for _, c := range []struct {
		who     string
		at      time.Duration
		methods []string
		want    int
	}{
		{"a", 0, []string{"POST", "DELETE", "PATCH", "PUT"}, 200}, {"a", 0, []string{"DELETE"}, 0}, {"b", 0, []string{"POST"}, 200},
		{"a", time.Minute, []string{"POST"}, 60}, {"a", time.Minute, []string{"GET", "HEAD"}, 600}, {"a", 2 * time.Minute, []string{"GET"}, 600},
	} {
		if n := granted(c.who, c.at, c.methods...); n != c.want {
			t.Errorf("%s after %s, %v: %d, want %d", c.who, c.at, c.methods, n, c.want)
		}
	}
	long := call("GET", "c", 0)
	for range 3 {
		long.looked = lookedPerCall // no more than others
		may.charge(long)
	}
	if err := may.take(long); err != nil {
		t.Error(err)
	}
	long.looked = 30_000
	may.charge(long)
	if n := granted("c", 0, "GET"); n != 600-1-299 {
		t.Errorf("after a look at 30,000: %d more", n)
	}
	long.looked = 1 << 40
	may.charge(long)
	if n := granted("c", time.Minute, "GET"); n != 0 {
		t.Errorf("a minute after a look at everything: %d", n)
	}
	if n := granted("c", 2*time.Minute, "GET"); n != 600 {
		t.Errorf("two minutes after: %d", n)
	}
}
