// Command api is a protected API as small as one can be, with the same handler
// four times: by itself, behind one raw signature verification, behind package
// resource, and behind that with a cache of verified tokens. The bench compares
// them.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
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
	mux.HandleFunc("GET /raw", verified())
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

// verified does what every check of a token has to do, and nothing else.
func verified() http.HandlerFunc {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	text := make([]byte, 480) // about what is signed of a token
	sum := sha256.Sum256(text)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		log.Fatal(err)
	}
	return func(w http.ResponseWriter, req *http.Request) {
		if sum := sha256.Sum256(text); !ecdsa.Verify(&key.PublicKey, sum[:], r, s) {
			http.Error(w, "the signature does not verify", http.StatusInternalServerError)
			return
		}
		handle(w, req)
	}
}

func handle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, "three orders")
}
