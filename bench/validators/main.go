// Command validators is many protected APIs in one process, which know nothing
// of each other: each follows the issuer by itself, on connections of its own.
// GET /0 asks the first one, GET /1 the second.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/symbolon/symbolon/resource"
)

func main() {
	issuer := flag.String("issuer", "", "whose tokens are taken")
	audience := flag.String("audience", "", "identifier of the APIs")
	scope := flag.String("scope", "", "what a token must carry")
	nodes := flag.String("nodes", "", "host:port of the issuer's nodes, with commas: each API speaks with one of them")
	n := flag.Int("n", 50, "how many APIs")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	places := strings.Split(*nodes, ",")
	mux := http.NewServeMux()
	for i := range *n {
		api, err := resource.New(resource.Config{
			Issuer: *issuer, Audience: *audience, TokenCache: 1000, HTTP: to(places[i%len(places)]),
			Revocations: resource.Revocations{OnStale: resource.OnStaleDeny}, // one that does not follow lets nobody in
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := api.Start(ctx); err != nil {
			log.Fatal(err)
		}
		mux.Handle(fmt.Sprint("GET /", i), api.Require(*scope)(http.HandlerFunc(handle)))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}

// to makes a client of its own that speaks with one node, whatever the URL is.
func to(node string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, node)
		},
	}}
}

func handle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "three orders")
}
