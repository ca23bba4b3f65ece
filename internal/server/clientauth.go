package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// Private causes of a refused authentication: for the record, never for the
// answer.
var (
	errUnknownClient = errors.New("there is no client of that id")
	errElsewhere     = errors.New("the client may not authenticate at this issuer")
	errNoIssuer      = errors.New("the issuer was deleted a moment ago")
	errNotByMethod   = errors.New("the client may not authenticate by this method")
)

// presented is what a request's proof of identity came to: one of the client's
// credentials, or why it is none.
type presented struct {
	cred   string // id of the credential; "" when it is none of the client's
	clause string // that the method follows
	why    *fault // nil: it fits
}

// authenticate finds out whether the client is who it says it is, and by which
// of its credentials. All causes of a refusal take the same steps and have one
// answer (RFC 6749 §5.2). Only the record tells them apart.
func (s *Server) authenticate(ctx context.Context, c *call, entry *replica.Entry) error {
	c.record.Client, c.record.Method = c.request.ClientID, c.request.Method
	c.record.Verified, c.record.Cred = false, ""
	var p presented
	var err error // of this node, not of the client
	switch c.request.Method {
	case symbolon.AuthPrivateKeyJWT:
		p, err = s.byAssertion(ctx, c, entry)
	case symbolon.AuthTLSClient:
		p = s.byCertificate(c, entry)
	default:
		p, err = s.bySecret(ctx, c, entry)
	}
	if err != nil {
		return err
	}
	if why := s.fits(c, entry, p); why != nil {
		c.trace.Fail(checkAuthentication, why.clause, why.expected, why.got, why.fix)
		return registry.ErrClient.WithCause(why.cause)
	}
	c.trace.OK(checkAuthentication, p.clause, "a live credential of an active client", p.cred)
	c.record.Client, c.record.Cred, c.record.Verified = entry.Client.ID, p.cred, true
	return nil
}

// checkAuthentication is the one name of the check that all causes fail. The
// cap on refusals counts by it: were there several, it would tell them apart.
const checkAuthentication = "client authentication"

// fits says why the client may not have a token; nil when it may.
func (s *Server) fits(c *call, entry *replica.Entry, p presented) *fault {
	refuse := func(expected, got, fix string, cause error) *fault {
		return &fault{"RFC 6749 §5.2", expected, got, fix, cause}
	}
	client := entry.Client
	switch {
	case entry.Unusable != nil:
		return refuse("a document that this version can use", "another", "upgrade this node, or write the client again", entry.Unusable)
	case client == nil:
		return refuse("a known client", "an unknown id", "create the client, or correct the id in the program", errUnknownClient)
	case !client.AtIssuer(c.Issuer.ID):
		return refuse("a client of issuer "+c.Issuer.ID, "a client of others only", "add the issuer to the client's issuers, or use one of them", errElsewhere)
	case client.State != registry.StateActive:
		return refuse(registry.StateActive, client.State, "symbolon client enable "+client.ID, fmt.Errorf("the client is %s", client.State))
	case !client.Authenticates(c.record.Method):
		return refuse("a method that the client may use", c.record.Method, "authenticate by a credential that the client has, or widen its auth", errNotByMethod)
	}
	return p.why
}

// usable reports whether the client could authenticate here at all: only for
// such a client anybody else is asked for its keys.
func (s *Server) usable(c *call, entry *replica.Entry) bool {
	client := entry.Client
	return entry.Unusable == nil && client != nil && client.AtIssuer(c.Issuer.ID) &&
		client.State == registry.StateActive && client.Authenticates(c.request.Method)
}
