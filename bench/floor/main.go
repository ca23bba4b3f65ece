// Command floor is the least that a token endpoint can do: net/http, the form,
// Basic authentication, one map look-up, one ES256 signature over the claims
// that symbolon issues. No scopes, no evidence, no limits. It is what the
// server's CPU per token is compared with. Its introspection is the same with
// the claims themselves for an answer, and no signature made or verified.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"time"
)

type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expiry   int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	ID       string `json:"jti"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Gen      int64  `json:"gen"`
	Cred     string `json:"cred"`
}

type answer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
}

type introspection struct {
	Active    bool   `json:"active"`
	TokenType string `json:"token_type"`
	claims
}

func write(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(answer)
}

func main() {
	addr := flag.String("listen", "127.0.0.1:0", "address")
	id := flag.String("client", "bench", "client id")
	secret := flag.String("secret", "", "its secret")
	audience := flag.String("audience", "https://orders.example.com", "aud")
	scope := flag.String("scope", "orders:read", "scope")
	flag.Parse()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	clients := map[string][32]byte{*id: sha256.Sum256([]byte(*secret))}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"floor-key-0123456789abcd","typ":"at+jwt"}`))

	sign := func(c claims) (string, error) {
		payload, err := json.Marshal(c)
		if err != nil {
			return "", err
		}
		input := header + "." + base64.RawURLEncoding.EncodeToString(payload)
		digest := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return "", err
		}
		var sig [64]byte
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		return input + "." + base64.RawURLEncoding.EncodeToString(sig[:]), nil
	}

	authenticated := func(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
		user, password, ok := r.BasicAuth()
		sum := sha256.Sum256([]byte(password))
		want, known := clients[user]
		if !ok || !known || subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return "", false
		}
		return user, true
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		user, ok := authenticated(w, r)
		if !ok {
			return
		}
		if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("scope") != *scope {
			http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
			return
		}
		now := time.Now().Unix()
		token, err := sign(claims{"http://" + r.Host, user, *audience, now + 600, now, rand.Text(), user, *scope, 1<<40 + 17, "s1"})
		if err != nil {
			http.Error(w, `{"error":"server_error"}`, http.StatusInternalServerError)
			return
		}
		write(w, answer{token, "Bearer", 600, *scope})
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		user, ok := authenticated(w, r)
		if !ok {
			return
		}
		if err := r.ParseForm(); err != nil || r.PostForm.Get("token") == "" {
			http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
			return
		}
		now := time.Now().Unix()
		write(w, introspection{true, "Bearer", claims{"http://" + r.Host, user, *audience, now + 600, now, rand.Text(), user, *scope, 1<<40 + 17, "s1"}})
	})
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}
