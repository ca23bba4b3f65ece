// Command go-api is an API that takes access tokens of its issuer: one line for
// each route says what a caller needs.
package main

import (
	"encoding/json"
	"log"
	"log/slog"
	"net/http"
	"sync"

	"github.com/symbolon/symbolon/resource"
)

type order struct {
	ID   int    `json:"id"`
	Item string `json:"item"`
	By   string `json:"by"`
}

var (
	mu     sync.Mutex
	orders = []order{{1, "tea", "somebody"}}
)

func main() {
	api, err := resource.New(resource.Config{
		Issuer:   "http://127.0.0.1:8080",
		Audience: "http://127.0.0.1:9090",
		DataDir:  "keys", // the last good keys and denials: it starts while the issuer is away
		Logger:   slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /orders", api.Require("orders:read")(http.HandlerFunc(list)))
	http.Handle("POST /orders", api.Require("orders:write")(http.HandlerFunc(add)))
	http.Handle(api.Metadata()) // where callers find the issuer (RFC 9728)
	log.Fatal(http.ListenAndServe("127.0.0.1:9090", nil))
}

func list(w http.ResponseWriter, _ *http.Request) {
	mu.Lock()
	defer mu.Unlock()
	json.NewEncoder(w).Encode(orders)
}

func add(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 10_000)).Decode(&o); err != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	mu.Lock()
	defer mu.Unlock()
	o.ID, o.By = len(orders)+1, resource.CallerFrom(r.Context()).ClientID
	orders = append(orders, o)
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(o)
}
