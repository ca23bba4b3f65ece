package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

func newIssuerCmd(a *app) *cobra.Command {
	k := kind[admin.Issuer]{
		app: a, word: "issuer", path: "/issuers", example: "partners",
		columns: []string{"ID", "URL", "DIALECT", "LIFETIME", "ROTATE", "SET"},
		cells: func(i admin.Issuer) []string {
			return []string{i.ID, i.URL, i.Dialect, i.Token.Lifetime.String(), i.Keys.Rotate.String(), i.ManagedBy}
		},
		fields: printIssuer,
	}
	create := &cobra.Command{
		Use:   "create [ISSUER-ID]",
		Short: "Create an issuer",
		Long: `create makes an issuer: an iss URL with signing keys of its own. Without --url it
stands under the server's URL, at its id.`,
		Example: "  symbolon issuer create partners --lifetime 30m\n  symbolon issuer create eu --url https://eu.example.com\n  symbolon issuer create okta --dialect okta --url https://okta.example.com",
		Args:    atMost("ISSUER-ID"),
	}
	update := &cobra.Command{
		Use:     "update ISSUER-ID",
		Short:   "Change an issuer",
		Long:    "update changes what its options name, and leaves the rest alone. Keys follow a\nlonger lifetime at once.",
		Example: "  symbolon issuer update default --lifetime 20m\n  symbolon issuer update default --rotate 30d --announce 2d\n  symbolon issuer update partners --profile fapi2 --replay strict",
	}
	for _, cmd := range []*cobra.Command{create, update} {
		m := &members{}
		m.text(cmd, "url", "url", "its URL, when it does not stand under the server's")
		m.text(cmd, "audience", "audience", "identifier of the API that is meant when a request names none")
		if cmd == create {
			m.text(cmd, "dialect", "dialect", "whose programs it serves unmodified, for ever: okta, auth0, curity or simple; it needs --url (default: programs of the standards)")
		}
		m.text(cmd, "subject-suffix", "subject_suffix", `what stands behind the client's id in the sub of tokens: "@clients", which is Auth0's (dialect auth0 alone), or "" (default)`)
		m.text(cmd, "profile", "profile", "standard (default), or fapi2: keys and certificates alone, bound tokens alone")
		m.text(cmd, "dpop-nonce", "dpop_nonce", "whether a DPoP proof at its token endpoint must hold a nonce of the server's: required (default) or off")
		m.text(cmd, "replay", "replay", "while the replay memory that nodes share is away: strict (default) refuses, local goes by the node's own")
		m.duration(cmd, "lifetime", "token.lifetime", "how long its tokens live where an API does not say (default 1h)")
		m.duration(cmd, "rotate", "keys.rotate", "how long a key signs (default 90d)")
		m.duration(cmd, "announce", "keys.announce", "how long a key is published before it signs (default 24h, at least 1h)")
		k.write(cmd, m)
	}
	return group("issuer", "Issuers: iss URLs with keys of their own",
		"An issuer is an iss URL with its own signing keys and token defaults. One server\nhosts several; the first is \"default\".",
		"  symbolon issuer list\n  symbolon issuer show default",
		create, k.list(map[string]string{"managed-by": "set of the declarative file that owns it"}), k.show(), update,
		k.delete("Its keys go with it. It is refused while APIs or clients name it."))
}

func printIssuer(w io.Writer, i admin.Issuer) {
	field(w, "issuer", i.ID)
	field(w, "url", i.URL)
	field(w, "audience", i.Audience)
	field(w, "profile", i.Profile)
	field(w, "dialect", i.Dialect)
	// Another issuer than the server's own has its whole place in its URL.
	if api := (&registry.Issuer{ID: i.ID, Dialect: i.Dialect, URL: i.URL}).Management(i.URL); api != nil {
		field(w, "management api", api.ID+" ("+api.Identifier+")")
	}
	if i.SubjectSuffix != "" {
		field(w, "sub", "CLIENT-ID"+i.SubjectSuffix)
	}
	field(w, "dpop nonce", i.DPoPNonce)
	field(w, "replay", i.Replay)
	field(w, "token lifetime", i.Token.Lifetime.String())
	field(w, "keys sign for", i.Keys.Rotate.String())
	field(w, "keys announced for", i.Keys.Announce.String())
	field(w, "set", i.ManagedBy)
	field(w, "created", moment(i.Created))
	field(w, "updated", moment(i.Updated))
	for _, e := range []struct{ name, url string }{
		{"metadata", i.Endpoints.Metadata}, {"token endpoint", i.Endpoints.Token}, {"with certificates", i.Endpoints.TokenMTLS}, {"keys (jwks)", i.Endpoints.JWKS},
		{"introspection", i.Endpoints.Introspection}, {"revocation", i.Endpoints.Revocation},
		{"revocation set", i.Endpoints.Revocations}, {"its keys", i.Endpoints.RevocationKeys}, {"management", i.Endpoints.Management},
	} {
		if e.url != "" {
			field(w, e.name, e.url)
		}
	}
}
