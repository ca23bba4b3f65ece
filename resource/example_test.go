package resource_test

import (
	"fmt"
	"net/http"

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

// Frameworks with handlers of their own call Check and WriteError.
func ExampleAPI_Check() {
	orders, err := resource.New(resource.Config{Issuer: "https://auth.example.com", Audience: "https://orders.example.com"})
	if err != nil {
		return
	}
	defer orders.Close()
	_ = func(w http.ResponseWriter, r *http.Request) {
		caller, err := orders.Check(r.Context(), resource.Request{Method: r.Method, URL: r.URL, Authorization: r.Header["Authorization"]}, "orders:read")
		if err != nil {
			orders.WriteError(w, err)
			return
		}
		fmt.Fprintln(w, caller.ClientID)
	}
}
