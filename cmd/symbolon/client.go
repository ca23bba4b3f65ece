package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

func newClientCmd(a *app) *cobra.Command {
	k := kind[admin.Client]{
		app: a, word: "client", path: "/clients", example: "billing",
		columns: []string{"ID", "NAME", "STATE", "OWNER", "ACCESS", "SECRETS", "SET"},
		cells: func(c admin.Client) []string {
			return []string{c.ID, c.Name, c.State, c.Owner, strings.Join(slices.Sorted(maps.Keys(c.Access)), " "), fmt.Sprint(len(c.Secrets)), c.ManagedBy}
		},
		fields: printClient,
	}
	update := &cobra.Command{
		Use:   "update CLIENT-ID",
		Short: "Change a client",
		Long: `update changes what its options name, and leaves the rest alone. Access is set as
a whole here; grant and ungrant change it one by one.`,
		Example: "  symbolon client update billing --name \"Nightly billing\" --label team=finance\n  symbolon client update billing --auth private_key_jwt --bound dpop\n  symbolon client update billing --jwks-uri https://billing.example.com/jwks\n  symbolon client update billing --legacy-assertion 2027-01-01 --legacy-audience token_endpoint",
	}
	m := &members{}
	clientFlags(update, m)
	k.write(update, m)
	return group("client", "Clients: programs that ask for tokens",
		"A client is a program that may ask for tokens: its credentials, and what it may\nask for.",
		"  symbolon client create billing --access orders=orders:read\n  symbolon client list --label team=finance",
		createClientCmd(k),
		k.list(map[string]string{
			"owner": "id of the operator who owns it", "state": "active, disabled or pending", "label": "a label, as team=finance",
			"api": "id of an API that it has access to", "issuer": "id of an issuer where it may authenticate", "managed-by": "set of the declarative file that owns it",
		}),
		k.show(), update,
		k.delete("It gets no more tokens, and those that it has are denied."),
		stateCmd(k, "enable", "Let a client authenticate again",
			"enable lets a client authenticate again. Tokens from before it was disabled stay\ndenied; it gets new ones."),
		stateCmd(k, "disable", "Stop a client",
			"disable stops a client: it gets no more tokens, and those that it has are denied,\nas by deny client, which needs no store. No declarative file enables it again."),
		grantCmd(k), ungrantCmd(k), newSecretCmd(k), newClientKeyCmd(k), newCertificateCmd(k), usageCmd(k))
}

func clientFlags(cmd *cobra.Command, m *members) {
	m.text(cmd, "name", "name", "name for people")
	m.text(cmd, "owner", "owner", "id of the operator who owns it")
	m.parsed(cmd, "label", "labels", "a label, as team=finance; repeat for more", func(list []string) (any, error) { return parsePairs("label", list) })
	m.list(cmd, "issuer", "issuers", "id of an issuer where it may authenticate (default \"default\"); repeat for more")
	m.list(cmd, "auth", "auth", "allow only this method of authentication of those that its credentials allow: client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or self_signed_tls_client_auth")
	m.text(cmd, "jwks-uri", "jwks_uri", "https URL where the client publishes its public keys; \"\" for none")
	m.text(cmd, "bound", "bound", "to what its tokens must be bound: optional (default), required, dpop or mtls")
	legacyFlags(cmd, m)
	m.parsed(cmd, "access", "access", "access to an API, as API or API=SCOPE,SCOPE; repeat for more", parseAccess)
	m.list(cmd, "default-api", "default_api", "id of the API that is meant when a request names none; one per issuer")
	m.parsed(cmd, "claim", "claims", "a fixed extra claim, as NAME=JSON", parseClaims)
}

func parseAccess(list []string) (any, error) {
	out := map[string][]string{}
	for _, one := range list {
		api, text, named := strings.Cut(one, "=")
		scopes := splitList(text)
		if api == "" || named && len(scopes) == 0 { // an empty variable is no access without a scope
			return nil, usagef("--access %q is not of the form API or API=SCOPE,SCOPE", one)
		}
		out[api] = append(out[api], scopes...)
	}
	return out, nil
}

// splitList reads "a,b" and "a b".
func splitList(text string) []string {
	out := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	if out == nil {
		return []string{}
	}
	return out
}

func parseClaims(list []string) (any, error) {
	texts, err := parsePairs("claim", list)
	if err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{}
	for name, text := range texts {
		if !json.Valid([]byte(text)) {
			return nil, usagef("--claim %s: its value is not JSON; a text stands in double quotes: %s='\"…\"'", name, name)
		}
		out[name] = json.RawMessage(text)
	}
	return out, nil
}

// madeClient is the answer to a creation. Its secret is shown this once.
type madeClient struct {
	Client admin.Client `json:"client"`
	Secret *madeSecret  `json:"secret"`
}

type madeSecret struct {
	ID    string `json:"id"`
	Value string `json:"value,omitempty"`
}

func createClientCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create [CLIENT-ID]",
		Short: "Create a client with its first credential",
		Long: `create makes a client. The server makes its secret and shows it this once; an
existing one comes from the environment or a file, never from the command line.
With --pem-file, --jwk-file or --jwks-uri the client has a key instead.`,
		Example: "  symbolon client create billing --pem-file billing.pub --access orders=orders:read\n  symbolon client create billing --name \"Nightly billing\" --access orders=orders:read\n  symbolon client create old-job --secret-env OLD_SECRET",
		Args:    atMost("CLIENT-ID"),
	}
	m := &members{}
	clientFlags(cmd, m)
	secret, expires := k.secretFlags(cmd), cmd.Flags().String("expires", "", "when the secret expires: 2027-01-01, or 90d")
	none := cmd.Flags().Bool("no-secret", false, "make a client that cannot authenticate yet")
	pemFile := cmd.Flags().String("pem-file", "", "file with its public key, or a certificate with it, as PEM")
	jwkFile := cmd.Flags().String("jwk-file", "", "file with its public key as a JWK")
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := m.read(cmd)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			body["id"] = args[0]
		}
		key, err := keyBody(*pemFile, *jwkFile)
		if err != nil {
			return err
		}
		if key != nil {
			body["key"] = key
		}
		if *none {
			body["no_secret"] = true
		} else if body["secret"], err = secret.body("", *expires); err != nil {
			return err
		}
		var made madeClient
		if err := p.call(cmd.Context(), http.MethodPost, k.path, body, &made); err != nil {
			return err
		}
		return p.show(made, func(w io.Writer) {
			printClient(w, made.Client)
			if made.Secret != nil {
				p.printSecret(w, made.Secret.ID, made.Secret.Value)
			}
		})
	}
	return cmd
}

func stateCmd(k kind[admin.Client], verb, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " CLIENT-ID", Short: short, Long: long,
		Example: "  symbolon client " + verb + " billing",
		Args:    exactArgs("CLIENT-ID"),
	}
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var c admin.Client
		if err := p.call(cmd.Context(), http.MethodPost, k.path+at(args[0], verb), nil, &c); err != nil {
			return err
		}
		return p.show(c, func(w io.Writer) { fmt.Fprintf(w, "client %s is %s\n", printable(c.ID), printable(c.State)) })
	}
	return cmd
}

func grantCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "grant CLIENT-ID API-ID [SCOPE…]",
		Short:   "Let a client ask for scopes of an API",
		Long:    "grant adds scopes of an API to what a client may ask for.",
		Example: "  symbolon client grant billing orders orders:read orders:write",
		Args:    atLeast("CLIENT-ID", "API-ID"),
	}
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var c admin.Client
		body := map[string]any{"scopes": args[2:]}
		if err := p.call(cmd.Context(), http.MethodPut, k.path+at(args[0], "access", args[1]), body, &c); err != nil {
			return err
		}
		return p.show(c, func(w io.Writer) { printAccess(w, c) })
	}
	return cmd
}

func ungrantCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ungrant CLIENT-ID API-ID [SCOPE…]",
		Short: "Take scopes of an API, or all access to it, from a client",
		Long: `ungrant removes scopes of an API from what a client may ask for; without scopes,
all access to the API. The tokens that the client has for the API are denied.`,
		Example: "  symbolon client ungrant billing orders orders:write\n  symbolon client ungrant billing orders",
		Args:    atLeast("CLIENT-ID", "API-ID"),
	}
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var c admin.Client
		path := k.path + at(args[0], "access", args[1])
		if len(args) > 2 {
			path += "?" + url.Values{"scope": args[2:]}.Encode()
		}
		if err := p.call(cmd.Context(), http.MethodDelete, path, nil, &c); err != nil {
			return err
		}
		return p.show(c, func(w io.Writer) { printAccess(w, c) })
	}
	return cmd
}

// atLeast demands these arguments; more may follow.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= len(names) {
			return nil
		}
		return usagef("%s takes %s; see %s --help", cmd.CommandPath(), strings.Join(names, " "), cmd.CommandPath())
	}
}

func printClient(w io.Writer, c admin.Client) {
	field(w, "client", c.ID)
	field(w, "name", c.Name)
	state := c.State
	if c.StateBy != "" {
		state += " by " + c.StateBy
	}
	field(w, "state", state)
	field(w, "owner", c.Owner)
	field(w, "labels", pairs(c.Labels))
	field(w, "issuers", strings.Join(c.Issuers, " "))
	field(w, "auth", strings.Join(c.Auth, " "))
	field(w, "methods", strings.Join(c.Methods, " "))
	field(w, "bound", c.Bound)
	printAccess(w, c)
	for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
		field(w, "claim "+name, string(c.Claims[name]))
	}
	field(w, "set", c.ManagedBy)
	field(w, "created", moment(c.Created))
	field(w, "updated", moment(c.Updated))
	printCredentials(w, c)
}

func printAccess(w io.Writer, c admin.Client) {
	for _, api := range slices.Sorted(maps.Keys(c.Access)) {
		text := strings.Join(c.Access[api], " ")
		if slices.Contains(c.DefaultAPI, api) {
			text += " (default API)"
		}
		field(w, "access "+api, strings.TrimSpace(text))
	}
	if len(c.Access) == 0 {
		field(w, "access", "none")
	}
}
