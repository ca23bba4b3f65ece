package registry

import (
	"testing"

	"github.com/symbolon/symbolon"
)

// TestAllScopes: a request that names none gets all of the access where that is
// the issuer's way, and one that names some gets these.
func TestAllScopes(t *testing.T) {
	s := world(t)
	client := &Client{ID: "c", State: StateActive, Access: map[string][]string{
		"orders": {"orders:write", "orders:read", "gone"}, "stock": {"stock:write", "stock:read"},
	}}
	orders, stock := "https://orders.example.com", "https://stock.example.com/v1"
	for _, c := range []struct {
		all       bool
		resources []string
		asked     []string
		want      string
	}{
		{false, []string{orders}, nil, "orders:read"},
		{true, []string{orders}, nil, "orders:read orders:write"},
		{true, []string{orders}, []string{"orders:read"}, "orders:read"},
		{true, []string{stock}, nil, "stock:read stock:write"},
	} {
		d, err := Decide(s, Facts{Issuer: s.Issuers["default"], Client: client, Resources: c.resources, Scopes: c.asked, AllScopes: c.all}, new(symbolon.Trace))
		if err != nil || d.Scope != c.want {
			t.Errorf("%+v: %+v %v", c, d, err)
		}
	}
	if _, err := Decide(s, Facts{Issuer: s.Issuers["default"], Client: client, Resources: []string{orders}, Scopes: []string{"ping"}, AllScopes: true}, new(symbolon.Trace)); err == nil {
		t.Error("a scope that is not granted")
	}
}
