package admin

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Export gives everything that a declarative file can say, or with a set what
// that set owns: applying it elsewhere makes the same objects, with the hashes
// of their secrets. Keys, denials, spent credentials and what the server itself
// keeps are not part of it.
func (a *Admin) Export(ctx context.Context, actor Actor, set string) (State, error) {
	var out State
	if err := actor.May(GrantsAdmin); err != nil {
		return out, err // whoever has the hashes may guess what is behind them
	}
	var err error
	if out.Issuers, err = export[registry.Issuer](ctx, a, registry.KindIssuer, set); err != nil {
		return out, err
	}
	if out.APIs, err = export[registry.API](ctx, a, registry.KindAPI, set); err != nil {
		return out, err
	}
	out.APIs = slices.DeleteFunc(out.APIs, func(n Named[registry.API]) bool { return n.Object.Builtin() })
	nameResourceServers(out.APIs)
	if out.Clients, err = export[registry.Client](ctx, a, registry.KindClient, set); err != nil {
		return out, err
	}
	if out.Operators, err = export[registry.Operator](ctx, a, registry.KindOperator, set); err != nil {
		return out, err
	}
	out.OperatorTokens, err = export[registry.OperatorToken](ctx, a, registry.KindOperatorToken, set)
	return out, err
}

// nameResourceServers names them of every API where one has some: the file has
// one list for all of its APIs.
func nameResourceServers(apis []Named[registry.API]) {
	const member = "resource_servers"
	if !slices.ContainsFunc(apis, func(n Named[registry.API]) bool { return n.Fields.Has(member) }) {
		return
	}
	for i := range apis {
		if !apis[i].Fields.Has(member) {
			apis[i].Fields = append(apis[i].Fields, member)
			slices.Sort(apis[i].Fields)
		}
	}
}

func export[T any](ctx context.Context, a *Admin, kind, set string) ([]Named[T], error) {
	var out []Named[T]
	err := a.Reader.All(ctx, kind, func(o store.Object) error {
		obj, err := registry.Decode(kind, o.Doc)
		if err != nil {
			return err
		}
		if set != "" && metaOf(obj).ManagedBy != set {
			return nil
		}
		n, err := named(obj.(*T))
		out = append(out, n)
		return err
	})
	return out, fromStore(err)
}

// bookkeeping are members that a file does not give.
var bookkeeping = []string{"id", "v", "min", "created", "updated", "managed_by", "state_by", "spent"}

// named names what an object has.
func named[T any](obj *T) (Named[T], error) {
	*metaOf(obj) = registry.Meta{}
	if client, ok := any(obj).(*registry.Client); ok {
		client.StateBy, client.Spent = "", nil
		for i := range client.Secrets {
			client.Secrets[i].Created, client.Secrets[i].ManagedBy = time.Time{}, ""
		}
		for i := range client.Keys {
			client.Keys[i].Created, client.Keys[i].ManagedBy = time.Time{}, ""
		}
		for i := range client.Certificates {
			client.Certificates[i].Created, client.Certificates[i].ManagedBy = time.Time{}, ""
		}
	}
	doc, err := json.Marshal(obj)
	if err != nil {
		return Named[T]{}, err
	}
	fields, err := namedIn(reflect.TypeFor[T](), "", doc)
	if err != nil {
		return Named[T]{}, err
	}
	fields = slices.DeleteFunc(fields, func(f string) bool { return slices.Contains(bookkeeping, f) })
	if client, ok := any(obj).(*registry.Client); ok {
		fields = append(fields, expiries(client)...)
	}
	slices.Sort(fields)
	return Named[T]{Object: *obj, Fields: fields}, nil
}

// expiries names the expiry of each credential that has one.
func expiries(c *registry.Client) Fields {
	var fields Fields
	add := func(list, id string, at time.Time) {
		if !at.IsZero() {
			fields = append(fields, list+"."+id+".expires")
		}
	}
	for _, s := range c.Secrets {
		add("secrets", s.ID, s.Expires)
	}
	for _, k := range c.Keys {
		add("keys", k.ID, k.Expires)
	}
	for _, cert := range c.Certificates {
		add("certificates", cert.ID, cert.Expires)
	}
	return fields
}
