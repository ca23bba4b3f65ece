package audit

import (
	"net/netip"
	"time"

	"github.com/symbolon/symbolon"
)

// typical is the record of an ordinary token: about 1 KB with eight checks.
func typical() *Record {
	return &Record{
		Time: time.Date(2026, 3, 1, 12, 30, 45, 123456000, time.UTC), Outcome: Issued, Issuer: "default", Client: "billing", Verified: true,
		Cred: "s1", APIs: []string{"orders"}, RequestID: "q3Zt0mV1xw8fYk2Lr5Bn7A", Endpoint: "token", Method: "client_secret_basic",
		Scope: "orders:read orders:write", JTI: "w9PzXj4mT2aQh7Lk1VbN0c", KID: "k-2026-01-11-a", Gen: 1<<40 + 12345, Exp: 1772368245,
		Peer: netip.MustParseAddr("192.0.2.17"), Micros: 61,
		Checks: []symbolon.Check{
			{Name: "content type", Clause: "RFC 6749 §4.4.2", Got: "application/x-www-form-urlencoded", OK: true},
			{Name: "grant type", Clause: "RFC 6749 §4.4.2", Expected: "client_credentials", Got: "client_credentials", OK: true},
			{Name: "client", Clause: "RFC 6749 §2.3", Got: "billing", OK: true},
			{Name: "secret", Clause: "RFC 6749 §2.3.1", Expected: "a live secret", Got: "s1", OK: true},
			{Name: "state", Expected: "active", Got: "active", OK: true},
			{Name: "api", Clause: "RFC 8707 §2", Got: "orders", OK: true},
			{Name: "scope", Clause: "RFC 6749 §3.3", Expected: "orders:read orders:write", Got: "orders:read orders:write", OK: true},
			{Name: "lifetime", Clause: "RFC 9068 §2.2", Expected: "at most 1h0m0s", Got: "10m0s", OK: true},
		},
	}
}
