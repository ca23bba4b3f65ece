package server

import (
	"github.com/symbolon/symbolon/internal/registry"
)

// decide settles which API the token is for, with which scopes and for how long
// (RFC 6749 §4.4, RFC 8707). The rules are the registry's: a simulation of a
// request asks the same function.
func (s *Server) decide(c *call, client *registry.Client) error {
	s.counted("decide")
	d, err := registry.Decide(c.Snapshot, registry.Facts{
		Issuer:     c.Issuer,
		Client:     client,
		Credential: c.record.Cred,
		Method:     c.record.Method,
		Binding:    c.binding.kind,
		Resources:  c.request.Resources,
		Audience:   c.request.Audience,
		Scopes:     c.request.Scopes,
		AllScopes:  c.Dialect != nil && c.Dialect.AllScopes,
		Now:        c.now,
	}, &c.trace)
	if err != nil {
		return err
	}
	c.decided = d
	for _, api := range d.APIs {
		c.record.APIs = append(c.record.APIs, api.ID)
	}
	c.record.Scope = d.Scope
	return nil
}
