package registry

import (
	"fmt"
	"time"
)

// Attr is one indexed attribute of an object. The store keeps it beside the
// document and finds the object by it.
type Attr struct {
	Name  string
	Value string
}

// Names of attributes.
const (
	AttrName      = "name"       // for search
	AttrOwner     = "owner"      // operator id
	AttrState     = "state"      // of a client
	AttrLabel     = "label"      // "key=value"
	AttrIssuer    = "issuer"     // issuer id; a client, an operator token and a denial have one per issuer
	AttrAPI       = "api"        // API id that a client has access to, or a denial names
	AttrClient    = "client"     // client id that a denial names
	AttrExpires   = "expires"    // IndexTime; a client has one per credential that expires
	AttrDigest    = "digest"     // Hash of a secret or an operator token, Digest of a key or certificate
	AttrManagedBy = "managed_by" // set of the declarative file
	AttrTarget    = "identifier" // of an API
	AttrRole      = "role"       // of an operator or an operator token
)

// IndexTime is a time as an attribute: microseconds since 1970 with leading
// zeros, so that text order is time order.
func IndexTime(t time.Time) string { return fmt.Sprintf("%020d", t.UnixMicro()) }

// Index gives the attributes of an object (*Issuer, *API, *Client, *Key,
// *Operator, *OperatorToken or *Denial), without empty ones, in a fixed order.
func Index(obj any) []Attr {
	var x index
	switch o := obj.(type) {
	case *Issuer:
		x.add(AttrManagedBy, o.ManagedBy)
	case *API:
		x.add(AttrName, o.Name)
		x.add(AttrIssuer, o.Issuer)
		x.add(AttrTarget, o.Identifier)
		x.add(AttrManagedBy, o.ManagedBy)
	case *Client:
		x.client(o)
	case *Key:
		x.add(AttrIssuer, o.Issuer)
	case *Operator:
		x.add(AttrName, o.Name)
		x.add(AttrRole, o.Role)
		x.add(AttrManagedBy, o.ManagedBy)
	case *OperatorToken:
		x.add(AttrName, o.Name)
		x.add(AttrRole, o.Role)
		x.add(AttrManagedBy, o.ManagedBy)
		for _, id := range o.Issuers {
			x.add(AttrIssuer, id)
		}
		x.add(AttrDigest, o.Hash)
		x.time(o.Expires)
	case *Denial:
		x.add(AttrIssuer, o.Issuer)
		for _, id := range o.Issuers {
			x.add(AttrIssuer, id)
		}
		x.add(AttrClient, o.Client)
		x.add(AttrAPI, o.API)
		x.time(o.Expires)
	}
	return x
}

type index []Attr

func (x *index) add(name, value string) {
	if value != "" {
		*x = append(*x, Attr{Name: name, Value: value})
	}
}

func (x *index) time(t time.Time) {
	if !t.IsZero() {
		x.add(AttrExpires, IndexTime(t))
	}
}

func (x *index) client(c *Client) {
	x.add(AttrName, c.Name)
	x.add(AttrOwner, c.Owner)
	x.add(AttrState, c.State)
	x.add(AttrManagedBy, c.ManagedBy)
	for _, key := range sortedKeys(c.Labels) {
		x.add(AttrLabel, key+"="+c.Labels[key])
	}
	for _, id := range c.IssuerIDs() {
		x.add(AttrIssuer, id)
	}
	for _, api := range sortedKeys(c.Access) {
		x.add(AttrAPI, api)
	}
	for i := range c.Secrets {
		x.add(AttrDigest, c.Secrets[i].Hash)
		x.time(c.Secrets[i].Expires)
	}
	for i := range c.Keys {
		x.add(AttrDigest, c.Keys[i].Digest())
		x.time(c.Keys[i].Expires)
	}
	for i := range c.Certificates {
		x.add(AttrDigest, c.Certificates[i].Digest())
		x.time(c.Certificates[i].Expires)
	}
}
