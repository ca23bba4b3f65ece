package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
)

// The ready thing: an http.Client whose requests to the API carry the token.
func Example() {
	billing, err := client.New(client.Config{
		Issuer: "https://auth.example.com", ID: "billing",
		Auth:   client.SecretFile("/run/secrets/billing"),
		Scopes: []string{"orders:read"}, Resource: "https://orders.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer billing.Close()
	resp, err := billing.HTTP().Get("https://orders.example.com/orders")
	var refused *symbolon.Error
	switch {
	case errors.As(err, &refused): // no token: what the server said, and its request id
		fmt.Println(refused.Code, refused.RequestID, refused.RetryAfter)
	case err != nil:
		fmt.Println(err)
	default:
		resp.Body.Close()
	}
}

// The token alone, for what is not HTTP.
func ExampleClient_Token() {
	billing, err := client.New(client.Config{Issuer: "https://auth.example.com", ID: "billing", Auth: client.SecretFile("/run/secrets/billing")})
	if err != nil {
		return
	}
	defer billing.Close()
	token, err := billing.Token(context.Background())
	if err != nil {
		return
	}
	r, _ := http.NewRequest(http.MethodGet, "https://orders.example.com/orders", nil)
	token.SetAuthHeader(r)
}

// A private key instead of a secret, and tokens that are worth nothing to who
// steals them: they are bound to a key that is made when the program starts.
func ExamplePrivateKeyFile() {
	proofs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return
	}
	billing, err := client.New(client.Config{
		Issuer: "https://auth.example.com", ID: "billing",
		Auth:     client.PrivateKeyFile("/run/secrets/billing.key", "k1"),
		DPoP:     proofs,
		Resource: "https://orders.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer billing.Close()
	resp, err := billing.HTTP().Get("https://orders.example.com/orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
}

// A certificate, as an agent on the machine renews it: tokens are bound to it.
func ExampleCertificateFiles() {
	billing, err := client.New(client.Config{
		Issuer: "https://auth.example.com", ID: "billing",
		Auth:     client.CertificateFiles("/run/spiffe/svid.pem", "/run/spiffe/svid.key"),
		Resource: "https://orders.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer billing.Close()
}
