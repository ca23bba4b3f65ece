// Command api is a protected API as small as one can be, with the same handler
// three times: by itself, behind package resource, and behind it with a cache
// of verified tokens. The bench compares them.
package main

import (
	"flag"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/symbolon/symbolon/resource"
)

func main() {
	addr := flag.String("listen", "127.0.0.1:0", "address")
	issuer := flag.String("issuer", "", "whose tokens are taken")
	audience := flag.String("audience", "", "identifier of this API")
	scope := flag.String("scope", "", "what a token must carry")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /bare", handle)
	for path, cache := range map[string]int{"GET /checked": 0, "GET /cached": 1000} {
		api, err := resource.New(resource.Config{Issuer: *issuer, Audience: *audience, TokenCache: cache})
		if err != nil {
			log.Fatal(err)
		}
		mux.Handle(path, api.Require(*scope)(http.HandlerFunc(handle)))
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}

func handle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "three orders")
}
