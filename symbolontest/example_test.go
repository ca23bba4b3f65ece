package symbolontest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/symbolon/symbolon/resource"
	"github.com/symbolon/symbolon/symbolontest"
)

// An API, and a client with a secret whose token is not bound to anything.
func Example() {
	_ = func(t *testing.T) { // TestOrders
		auth := symbolontest.New(t)
		orders := auth.API("orders", "orders:read")
		url := orders.Serve("orders:read", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "orders for %s", resource.CallerFrom(r.Context()).ClientID)
		}))
		billing := auth.Client("billing", orders, "orders:read")
		resp, err := billing.HTTP().Get(url + "/orders")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s, want 200", resp.Status)
		}
	}
}

// A client that authenticates with a certificate, and an API over TLS that takes its
// tokens only on connections with that certificate.
func ExampleServer_CertificateClient() {
	_ = func(t *testing.T) { // TestOrdersWithCertificates
		auth := symbolontest.New(t)
		orders := auth.API("orders", "orders:read")
		url := orders.ServeTLS("orders:read", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "bound to %s", resource.CallerFrom(r.Context()).Claims.Confirmation.X5TS256)
		}))
		billing := auth.CertificateClient("billing", orders, "orders:read")
		resp, err := billing.HTTP().Get(url + "/orders")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s, want 200", resp.Status)
		}
	}
}
