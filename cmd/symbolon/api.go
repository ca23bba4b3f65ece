package main

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

func newAPICmd(a *app) *cobra.Command {
	k := kind[admin.API]{
		app: a, word: "api", path: "/apis", example: "orders",
		columns: []string{"ID", "ISSUER", "IDENTIFIER", "SCOPES", "TOKENS", "SET"},
		cells: func(v admin.API) []string {
			return []string{v.ID, v.Issuer, v.Identifier, strings.Join(slices.Sorted(maps.Keys(v.Scopes)), " "), cmp.Or(v.Token.Algorithm, v.Token.Format), v.ManagedBy}
		},
		fields: printAPI,
	}
	create := &cobra.Command{
		Use:   "create [API-ID]",
		Short: "Create an API",
		Long: `create makes an API: a protected resource of one issuer. Its identifier is the
aud of its tokens, an absolute URI.`,
		Example: `  symbolon api create orders --identifier https://orders.example.com --scope "orders:read=Read orders" --scope orders:write`,
		Args:    atMost("API-ID"),
	}
	m := &members{}
	apiFlags(create, m)
	m.list(create, "resource-server", "resource_servers", "id of a client that may ask about its tokens; repeat for more")
	m.text(create, "issuer", "issuer", "id of its issuer (default \"default\")")
	m.parsed(create, "scope", "scopes", "a scope, as NAME or NAME=DESCRIPTION; repeat for more", func(list []string) (any, error) {
		return parseScopes(map[string]registry.Scope{}, list)
	})
	k.write(create, m)
	return group("api", "APIs: protected resources and their scopes",
		"An API is a protected resource of one issuer: the audience of its tokens, with its\nscopes and what its tokens look like.",
		"  symbolon api list\n  symbolon api show orders",
		create, k.list(map[string]string{"issuer": "id of the issuer", "managed-by": "set of the declarative file that owns it"}), k.show(), updateAPICmd(k),
		k.delete("All clients lose their access to it, and their tokens for it are denied."))
}

func apiFlags(cmd *cobra.Command, m *members) {
	m.text(cmd, "identifier", "identifier", "the aud of its tokens: an absolute URI")
	m.text(cmd, "name", "name", "name for people")
	m.text(cmd, "format", "token.format", "jwt (default): signed, checked by the API itself; opaque: sealed, for APIs that ask the issuer")
	m.duration(cmd, "lifetime", "token.lifetime", "how long its tokens live (default: as the issuer says)")
	m.text(cmd, "algorithm", "token.algorithm", "ES256 (default), ES384, PS256, RS256 or EdDSA")
	m.text(cmd, "bound", "bound", "to what its tokens must be bound: optional (default), required, dpop or mtls")
	m.text(cmd, "dpop-nonce", "dpop_nonce", "whether a DPoP proof at the API must hold a nonce of its own: off (default) or required; the API demands it when its program says so too (NonceKey in package resource)")
	m.text(cmd, "typ", "token.typ", "header parameter typ: at+jwt (default), or JWT for old verifiers")
}

// updateAPICmd changes scopes one by one: the whole of them is read, and the
// change refused when somebody else was faster.
func updateAPICmd(k kind[admin.API]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update API-ID",
		Short: "Change an API and its scopes",
		Long: `update changes what its options name, and leaves the rest alone. A scope that is
removed is taken from all clients, and their tokens for the API are denied.`,
		Example: "  symbolon api update orders --lifetime 10m --bound dpop\n  symbolon api update orders --format opaque --resource-server orders-api\n  symbolon api update orders --add-scope \"orders:export=Export orders\" --default-scope orders:read\n  symbolon api update orders --remove-scope orders:write",
		Args:    exactArgs("API-ID"),
	}
	m := &members{}
	apiFlags(cmd, m)
	m.release(cmd, "API")
	f := cmd.Flags()
	add := f.StringArray("add-scope", nil, "a scope to add or to describe anew, as NAME or NAME=DESCRIPTION")
	remove := f.StringArray("remove-scope", nil, "a scope to remove")
	give := f.StringArray("default-scope", nil, "a scope that is given when a request names none")
	ungive := f.StringArray("no-default-scope", nil, "a scope that is no longer given when a request names none")
	serve := f.StringSlice("resource-server", nil, "id of a client that may ask about its tokens from now on")
	unserve := f.StringSlice("remove-resource-server", nil, "id of a client that may no longer ask about its tokens")
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := m.read(cmd)
		if err != nil {
			return err
		}
		var v admin.API
		scopes, servers := len(*add)+len(*remove)+len(*give)+len(*ungive) > 0, len(*serve)+len(*unserve) > 0
		if scopes || servers {
			if err := p.call(cmd.Context(), http.MethodGet, k.path+at(args[0]), nil, &v); err != nil {
				return err
			}
		}
		if scopes {
			if body["scopes"], err = changeScopes(v.Scopes, *add, *remove, *give, *ungive); err != nil {
				return err
			}
		}
		if servers {
			if body["resource_servers"], err = changeServers(v.ResourceServers, *serve, *unserve); err != nil {
				return err
			}
		}
		if len(body) == 0 {
			return usagef("nothing to change; %s --help shows what can be", cmd.CommandPath())
		}
		if err := p.callAt(cmd.Context(), http.MethodPatch, k.path+at(args[0]), v.Version, body, &v); err != nil {
			return err
		}
		return k.print(p, v)
	}
	return cmd
}

func changeServers(servers, add, remove []string) ([]string, error) {
	for _, id := range add {
		if !slices.Contains(servers, id) {
			servers = append(servers, id)
		}
	}
	for _, id := range remove {
		i := slices.Index(servers, id)
		if i < 0 {
			return nil, usagef("--remove-resource-server %q: it may not ask about the API's tokens anyway", id)
		}
		servers = slices.Delete(servers, i, i+1)
	}
	return servers, nil
}

func changeScopes(scopes map[string]registry.Scope, add, remove, give, ungive []string) (map[string]registry.Scope, error) {
	scopes, err := parseScopes(scopes, add)
	if err != nil {
		return nil, err
	}
	for _, name := range remove {
		if _, ok := scopes[name]; !ok {
			return nil, usagef("--remove-scope %q: the API has no such scope", name)
		}
		delete(scopes, name)
	}
	for _, change := range []struct {
		flag  string
		names []string
		given bool
	}{{"default-scope", give, true}, {"no-default-scope", ungive, false}} {
		for _, name := range change.names {
			s, ok := scopes[name]
			if !ok {
				return nil, usagef("--%s %q: the API has no such scope; add it with --add-scope", change.flag, name)
			}
			s.Default = change.given
			scopes[name] = s
		}
	}
	return scopes, nil
}

// parseScopes adds scopes of the form NAME or NAME=DESCRIPTION.
func parseScopes(scopes map[string]registry.Scope, list []string) (map[string]registry.Scope, error) {
	for _, one := range list {
		name, description, described := strings.Cut(one, "=")
		if name == "" {
			return nil, usagef("%q is not of the form NAME or NAME=DESCRIPTION", one)
		}
		s := scopes[name]
		if described {
			s.Description = description
		}
		scopes[name] = s
	}
	return scopes, nil
}

func printAPI(w io.Writer, v admin.API) {
	field(w, "api", v.ID)
	field(w, "name", v.Name)
	field(w, "issuer", v.Issuer)
	field(w, "identifier", v.Identifier)
	lifetime := "as the issuer says"
	if v.Token.Lifetime > 0 {
		lifetime = v.Token.Lifetime.String()
	}
	field(w, "tokens", strings.Join(slices.DeleteFunc([]string{v.Token.Format, v.Token.Algorithm, v.Token.Typ, lifetime}, func(s string) bool { return s == "" }), ", "))
	servers := strings.Join(v.ResourceServers, " ")
	if servers == "" && v.Token.Format == registry.FormatOpaque {
		servers = "none: nobody can read its tokens; symbolon api update " + v.ID + " --resource-server CLIENT-ID"
	}
	field(w, "resource servers", servers)
	field(w, "bound", v.Bound)
	field(w, "dpop nonce", v.DPoPNonce)
	if v.Builtin {
		field(w, "kept by", "the server itself, with issuer "+v.Issuer)
	}
	field(w, "set", v.ManagedBy)
	field(w, "created", moment(v.Created))
	field(w, "updated", moment(v.Updated))
	for _, name := range slices.Sorted(maps.Keys(v.Scopes)) {
		s, given := v.Scopes[name], ""
		if s.Default {
			given = " (given by default)"
		}
		row(w, "scope "+name, cmp.Or(s.Description, "-")+given)
	}
}
