package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// PerRPC presents the token to gRPC services: it has the methods of
// google.golang.org/grpc/credentials.PerRPCCredentials, for
// grpc.WithPerRPCCredentials.
type PerRPC struct{ client *Client }

// PerRPC gives the client's token to gRPC. It is an error with Config.DPoP: gRPC
// has no place for a proof. For tokens that are bound to a certificate give gRPC
// the same certificate.
func (c *Client) PerRPC() (*PerRPC, error) {
	if c.prover != nil {
		return nil, wrong("DPoP", errors.New("is set, but gRPC cannot carry proofs; use a client without it, with Config.TLS where tokens must be bound"))
	}
	return &PerRPC{c}, nil
}

// GetRequestMetadata is called by gRPC for every call, with the service's URI
// ("https://orders.example.com/pkg.Service"). As with Transport, the token
// goes only to Config.Origins.
func (p *PerRPC) GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error) {
	for _, s := range uri {
		u, err := url.Parse(s)
		if err != nil || !p.allows(u) {
			return nil, fmt.Errorf("client: no token is sent to %.200q: it is not the origin of Config.Resource; if it is the API, add it to Config.Origins", s)
		}
	}
	if len(uri) == 0 && len(p.client.origins) == 0 {
		return nil, fmt.Errorf("client: no token is sent to nobody knows whom: set Config.Resource or Config.Origins")
	}
	token, err := p.client.Token(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": token.header()}, nil
}

// allows: gRPC writes https into every URI, also without TLS.
func (p *PerRPC) allows(u *url.URL) bool {
	if p.client.allows(u) {
		return true
	}
	plain := *u
	plain.Scheme = "http"
	return p.client.allows(&plain)
}

// RequireTransportSecurity tells gRPC to send the token over TLS only, unless
// every origin is plain http, which New allows for loopback names alone.
func (p *PerRPC) RequireTransportSecurity() bool {
	for _, o := range p.client.origins {
		if o.scheme != "http" {
			return true
		}
	}
	return len(p.client.origins) == 0
}
