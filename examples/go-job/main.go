// Command go-job orders something every time it runs, as a program that is
// started each night would. It proves with a private key who it is, and its token
// is bound to a second key, which lives as long as the program does.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/symbolon/symbolon/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	proofs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	job, err := client.New(client.Config{
		Issuer:   "http://127.0.0.1:8080",
		ID:       "nightly",
		Auth:     client.PrivateKeyFile("nightly.key", ""),
		DPoP:     proofs, // omit for a bearer token
		Resource: "http://127.0.0.1:9090",
		Scopes:   []string{"orders:write"},
	})
	if err != nil {
		return err
	}
	defer job.Close()
	// The token is fetched, renewed and, should it be refused, replaced by this.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:9090/orders", strings.NewReader(`{"item": "tea"}`))
	if err != nil {
		return err
	}
	resp, err := job.HTTP().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 10_000))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("the order was answered %s: %s", resp.Status, answer)
	}
	fmt.Printf("ordered: %s", answer)
	return nil
}
