package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
)

// Where the options of a program that asks for tokens come from when they are
// not given: a job sets them once.
const (
	envIssuer = "SYMBOLON_ISSUER"
	envClient = "SYMBOLON_CLIENT"
	envSecret = "SYMBOLON_SECRET"
)

// asker is a command that gets a token for itself.
type asker struct {
	*app
	credentials
	issuer, tokenURL, id string
	scopes               []string
	resource, audience   string
}

// asks adds the flags that say who asks whom for what.
func (a *app) asks(cmd *cobra.Command) *asker {
	k := &asker{app: a}
	f := cmd.Flags()
	f.StringVar(&k.issuer, "issuer", "", "URL of the issuer (default $"+envIssuer+")")
	f.StringVar(&k.tokenURL, "token-url", "", "URL of the token endpoint, when it is not to be looked up")
	f.StringVar(&k.id, "client", "", "id of the client (default $"+envClient+")")
	k.credentials.flags(cmd)
	f.StringArrayVar(&k.scopes, "scope", nil, "scope to ask for; repeat for more (default: what the server gives)")
	f.StringVar(&k.resource, "resource", "", "identifier of the API (RFC 8707; default: the client's own)")
	f.StringVar(&k.audience, "audience", "", "the same by a name that is no URI")
	return k
}

// or gives the option, or the variable in its place.
func (k *asker) or(option, variable string) string {
	if option != "" || variable == "" {
		return option
	}
	value, _ := k.env(variable)
	return value
}

// client is the library's, with the flags as its configuration. The token may
// go to the origins, if there are any.
func (k *asker) client(origins ...string) (*client.Client, error) {
	cfg := client.Config{
		Issuer: k.issuer, TokenURL: k.tokenURL, ID: k.or(k.id, envClient),
		Resource: k.resource, Audience: k.audience, Origins: origins, Now: k.now,
	}
	if cfg.TokenURL == "" {
		cfg.Issuer = k.or(k.issuer, envIssuer)
	}
	if err := k.apply(&cfg); err != nil {
		return nil, err
	}
	if k.authFlag == "--key" {
		cfg.Issuer = k.or(k.issuer, envIssuer) // whom the key signs for, also when the endpoint is named
	}
	for _, s := range k.scopes {
		cfg.Scopes = append(cfg.Scopes, splitList(s)...)
	}
	c, err := client.New(cfg)
	if err != nil {
		return nil, k.asFlags(err)
	}
	return c, nil
}

// flagOf tells by which flag a field of the libraries' configurations is set.
var flagOf = map[string]string{
	"Issuer": "--issuer", "TokenURL": "--token-url", "ID": "--client", "Scopes": "--scope",
	"Resource": "--resource", "Audience": "--audience", "Origins": "the URL", "AllowTyp": "--allow-typ",
	"TLS": "--cert", "DPoP": "--dpop-key",
	"Realm": "--audience", // which stands in its place
}

// asFlags knows by which flag the client authenticates, too.
func (k *asker) asFlags(err error) error {
	var wrong *symbolon.ConfigError
	if errors.As(err, &wrong) && wrong.Field == "Auth" {
		return usagef("%s: %w", k.authFlag, wrong.Err)
	}
	return asFlags(err)
}

// asFlags says of a field of a configuration by which flag it is set.
func asFlags(err error) error {
	var wrong *symbolon.ConfigError
	if !errors.As(err, &wrong) {
		return err
	}
	field, _, _ := strings.Cut(wrong.Field, "[")
	if flag, ok := flagOf[field]; ok {
		return usagef("%s: %w", flag, wrong.Err)
	}
	return err
}

// get asks for a token, and says so when it takes a while.
func (k *asker) get(ctx context.Context, c *client.Client) (*client.Token, error) {
	defer (&place{app: k.app}).waiting("asking for a token")()
	token, err := c.Token(ctx)
	return token, k.advise(err)
}

func newTokenCmd(a *app) *cobra.Command {
	var output string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Get an access token",
		Long: `token gets an access token as a client (RFC 6749 §4.4) and prints it. The secret
comes from a file or the environment, never from the command line; keys and
certificates from files.

` + credentialHelp + `

A token that is bound with --dpop-key or --cert is good only with that key or
certificate: "symbolon call" makes the proofs, curl presents certificates.`,
		Example: `  symbolon token --issuer https://auth.example.com --client billing --secret-file billing.secret
  symbolon token --issuer https://auth.example.com --client billing --scope orders:read --resource https://orders.example.com -o json
  symbolon token --issuer https://auth.example.com --client billing --secret-env BILLING_SECRET -o header > header.txt
  symbolon token --issuer https://auth.example.com --client billing --key billing.key --kid k1 --dpop-key proof.key
  symbolon token --issuer https://auth.example.com --client billing --cert billing.crt --cert-key billing.key`,
		Args: exactArgs(),
	}
	k := a.asks(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "token", "token, header (Authorization: …), env (ACCESS_TOKEN=…) or json")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the same as -o json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if asJSON {
			output = "json"
		}
		write, ok := tokenForms[output]
		if !ok {
			return usagef("--output %q is not token, header, env or json", output)
		}
		c, err := k.client()
		if err != nil {
			return err
		}
		defer c.Close()
		token, err := k.get(cmd.Context(), c)
		if err != nil {
			return err
		}
		return write(a, token)
	}
	return cmd
}

// tokenForms are the forms in which a token is printed.
var tokenForms = map[string]func(*app, *client.Token) error{
	"token": func(a *app, t *client.Token) error { return line(a.stdout, t.Value()) },
	"header": func(a *app, t *client.Token) error {
		return line(a.stdout, "Authorization: "+t.Type+" "+t.Value())
	},
	"env": func(a *app, t *client.Token) error {
		return line(a.stdout, "ACCESS_TOKEN="+t.Value()+"\nACCESS_TOKEN_EXPIRES="+t.Expiry.UTC().Format(time.RFC3339))
	},
	"json": func(a *app, t *client.Token) error {
		return a.printJSON(symbolon.TokenAnswer{
			AccessToken: t.Value(), TokenType: t.Type, ExpiresIn: int64(t.Expiry.Sub(a.now()) / time.Second), Scope: strings.Join(t.Scopes, " "),
		})
	},
}

func line(w io.Writer, s string) error {
	_, err := fmt.Fprintln(w, s)
	return err
}
