package resource

import (
	"errors"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestExplainToken: a bound token is explained without its key, and still lets
// nobody in without it.
func TestExplainToken(t *testing.T) {
	i, api := protected(t)
	h := newHolder(t, i, time.Now)
	token := h.bound(t, i, nil)
	checks, err := api.ExplainToken(t.Context(), token)
	if err != nil || len(checks) == 0 {
		t.Fatalf("%v after %v", err, checks)
	}
	for _, c := range checks {
		if !c.OK {
			t.Errorf("%+v", c)
		}
	}
	if _, err := api.Check(t.Context(), Request{Authorization: []string{"DPoP " + token}}); err == nil {
		t.Error("a bound token lets in without a proof")
	}
	var e *symbolon.Error
	if _, err := api.ExplainToken(t.Context(), token, "no:such"); !errors.As(err, &e) || e.Code != symbolon.InsufficientScope {
		t.Errorf("a scope that it has not: %v", err)
	}
	if checks, err := api.ExplainToken(t.Context(), token[:len(token)-4]+"AAAA"); err == nil || checks[len(checks)-1].OK {
		t.Errorf("a changed signature: %v, %v", checks, err)
	}
}
