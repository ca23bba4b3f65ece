package node

import (
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/dialect"
)

// endpointsOf are the URLs of an issuer's endpoints, which the dialects know and
// the administration shows; none while the node has not heard of the issuer.
func (n *Node) endpointsOf(id string) (e admin.IssuerEndpoints) {
	v := n.replica.Snapshot().Issuers[id]
	if v == nil {
		return e
	}
	d := dialect.Of(v)
	paths := d.Endpoints()
	e = admin.IssuerEndpoints{
		Metadata: v.Base + symbolon.WellKnownServer, JWKS: paths.JWKS.URL(v.Base),
		Introspection: paths.Introspection.URL(v.Base), Revocation: paths.Revocation.URL(v.Base),
		Revocations: paths.Revocations.URL(v.Base), RevocationKeys: paths.RevocationKeys.URL(v.Base),
		Management: dialect.ManagementURL(v),
	}
	urls := n.tokenURLs(v, d)
	if e.Token = urls[0]; len(urls) > 1 {
		e.TokenMTLS = urls[1]
	}
	return e
}
