package client_test

import (
	"context"
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
