package symbolon_test

import (
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestRFC6749_3_3_ScopeToken goes through all octets.
func TestRFC6749_3_3_ScopeToken(t *testing.T) {
	for c := range 256 {
		want := c == 0x21 || c >= 0x23 && c <= 0x5b || c >= 0x5d && c <= 0x7e
		for _, s := range []string{string([]byte{byte(c)}), "a" + string([]byte{byte(c)}) + "b"} {
			if symbolon.ValidScope(s) != want {
				t.Errorf("%q: %v", s, !want)
			}
		}
	}
	for s, want := range map[string]bool{"": false, "orders:read": true, "a b": false, "ü": false, strings.Repeat("x", 1000): true} {
		if symbolon.ValidScope(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// TestLoopback: a name decides by itself; nobody is asked what it stands for.
func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "localhost.": true, "auth.localhost": true, "127.0.0.1": true, "127.8.9.1": true,
		"::1": true, "::ffff:127.0.0.1": true,
		"": false, ".": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "xlocalhost": false, "0.0.0.0": false, "::": false,
		"10.0.0.1": false, "128.0.0.1": false, "127.1": false, "2130706433": false, "0x7f.0.0.1": false, "127.0.0.01": false, "[::1]": false,
	} {
		if symbolon.Loopback(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}
