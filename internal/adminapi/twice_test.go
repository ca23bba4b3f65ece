package adminapi

import "testing"

// TestMembersNamedTwiceAreRefused: encoding/json takes the last of them, and
// whoever looked at the request before may have seen the first.
func TestMembersNamedTwiceAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ path, body string }{
		{"/admin/v1/clients", `{"id":"billing","id":"reports"}`},
		{"/admin/v1/clients", `{"id":"billing","no_secret":true,"no_secret":false}`},
		{"/admin/v1/clients", `{"id":"billing"}{"id":"reports"}`},
		{"/admin/v1/denials", `{"what":"jti","jti":"one","jti":"two"}`},
		{"/admin/v1/apis", `{"id":"orders","id":"bills","identifier":"https://orders.example.com"}`},
	} {
		w.good(400, "POST", c.path, c.body, nil)
	}
	w.good(404, "GET", "/admin/v1/clients/reports", "", nil)
}
