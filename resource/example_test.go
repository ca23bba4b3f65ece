package resource_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"net/http"
	"time"

	"github.com/symbolon/symbolon/resource"
)

func Example() {
	orders, err := resource.New(resource.Config{
		Issuer: "https://auth.example.com", Audience: "https://orders.example.com",
		DataDir: "/var/lib/orders", // starts while the issuer is away
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer orders.Close()
	list := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello", resource.CallerFrom(r.Context()).ClientID)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", orders.Require("orders:read")(http.HandlerFunc(list)))
	mux.Handle(orders.Metadata())
}

// An API that takes only tokens bound to a key: a stolen one is worth nothing.
// Its server must ask for certificates, if clients are to use these.
func ExampleConfig_bound() {
	orders, err := resource.New(resource.Config{
		Issuer: "https://auth.example.com", Audience: "https://orders.example.com",
		Bound: resource.BoundRequired,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer orders.Close()
	list := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello", resource.CallerFrom(r.Context()).ClientID)
	}
	server := &http.Server{
		Addr: ":8443", Handler: orders.Require("orders:read")(http.HandlerFunc(list)),
		TLSConfig: &tls.Config{ClientAuth: tls.RequestClientCert},
	}
	_ = func() error { return server.ListenAndServeTLS("cert.pem", "key.pem") }
}

// A shared memory of proofs, for an API of several instances. Statements that
// insert nothing have met a proof that was presented before.
func ExampleReplay() {
	var db *sql.DB // with CREATE TABLE proofs (key bytea PRIMARY KEY, expires timestamptz)
	orders, err := resource.New(resource.Config{
		Issuer: "https://auth.example.com", Audience: "https://orders.example.com", Replay: proofs{db},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer orders.Close()
}

type proofs struct{ db *sql.DB }

func (p proofs) Claim(ctx context.Context, key [32]byte, expires time.Time) error {
	result, err := p.db.ExecContext(ctx, "INSERT INTO proofs (key, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING", key[:], expires)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return resource.ErrReplayed
	}
	return err
}

// Frameworks with handlers of their own call Check and WriteError.
func ExampleAPI_Check() {
	orders, err := resource.New(resource.Config{Issuer: "https://auth.example.com", Audience: "https://orders.example.com"})
	if err != nil {
		return
	}
	defer orders.Close()
	_ = func(w http.ResponseWriter, r *http.Request) {
		request := resource.Request{Method: r.Method, URL: r.URL, Authorization: r.Header.Values("Authorization"), DPoP: r.Header.Values("DPoP")}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			request.Certificate = r.TLS.PeerCertificates[0]
		}
		caller, err := orders.Check(r.Context(), request, "orders:read")
		if err != nil {
			orders.WriteError(w, err)
			return
		}
		fmt.Fprintln(w, caller.ClientID)
	}
}
