package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

func newDenyCmd(a *app) *cobra.Command {
	return group("deny", "Stop new tokens, and deny those that are out",
		`deny stops new tokens at once: a client is disabled, a secret or a key is revoked.
It also denies the tokens that are out: APIs that follow the revocation set of the
issuer, or ask it, refuse them within a second; others when they expire.

It is the one change that works while the store is away. Then this server keeps the
denial in its journal and goes by it at once; run the same command on every other
server. It comes into the store when that is back.`,
		"  symbolon deny client billing --yes\n  symbolon deny token --file leaked.txt --yes\n  symbolon deny list",
		denyCmd(a, denial{"client", "CLIENT-ID", "Disable a client and deny its tokens",
			"deny client disables a client and denies all its tokens, also when it was\ndisabled before.", "billing", denyingClient}, firstIs("client")),
		denyCmd(a, denial{"tokens", "CLIENT-ID", "Deny what a client has got so far, and leave the client as it is",
			"deny tokens denies all tokens that a client has got so far. The client itself goes\non: it can get new ones at once.", "billing", denyingTokens}, firstIs("client")),
		denyCmd(a, denial{"credential", "CLIENT-ID CREDENTIAL-ID", "Revoke a client's credential and deny its tokens",
			"deny credential revokes one secret, key, jwks_uri or certificate of a client and\ndenies the tokens that were obtained with it.", "billing s1", denyingCredential},
			func(args []string) map[string]string {
				return map[string]string{"client": args[0], "credential": args[1]}
			}),
		denyCmd(a, denial{"kid", "KEY-ID", "Revoke a signing key and deny the tokens that it signed",
			"deny kid revokes a signing key: see key revoke.", "hq2u3eyi5yuzqc5zrrhbwtyx", denyingKey}, firstIs("kid")),
		denyJTICmd(a), denyTokenCmd(a), denyListCmd(a))
}

// denial is one sort of denial, as the command line has it.
type denial struct {
	what    string // the verb's last word, and the member what of the request
	names   string // of its arguments
	short   string
	long    string
	example string // arguments
	means   func(args []string) consequence
}

// firstIs makes the member of that name of the first argument.
func firstIs(member string) func([]string) map[string]string {
	return func(args []string) map[string]string { return map[string]string{member: args[0]} }
}

// What the verbs mean for who types them. A token that is denied stays so, whatever
// else is taken back.

func denyingClient(args []string) consequence {
	return consequence{
		does: "disables the client " + printable(args[0]) + " and denies all tokens that it has got",
		undo: "symbolon client enable " + printable(args[0]) + "; it can get new tokens then, and those that are denied stay denied",
	}
}

func denyingTokens(args []string) consequence {
	return consequence{
		does:   "denies all tokens that the client " + printable(args[0]) + " has got so far",
		goesOn: "the client, which can get new tokens at once",
	}
}

func denyingCredential(args []string) consequence {
	return consequence{
		does:   "revokes the credential " + printable(args[1]) + " of the client " + printable(args[0]) + " and denies the tokens that it got with it",
		goesOn: "the client with its other credentials, and the tokens that it got with those",
	}
}

func denyingKey(args []string) consequence {
	return consequence{
		does:   "revokes the signing key " + printable(args[0]) + " and denies the tokens of all clients that it signed",
		goesOn: "the clients, which get tokens that the next key signs",
	}
}

func denyingOne(token string) consequence {
	return consequence{does: "denies " + token + ", and no other", goesOn: "its client, which can get new tokens at once"}
}

// denyCmd is the command of one sort; body makes the request of its arguments.
func denyCmd(a *app, d denial, body func([]string) map[string]string) *cobra.Command {
	cmd := &cobra.Command{
		Use: d.what + " " + d.names, Short: d.short, Long: d.long,
		Example: "  symbolon deny " + d.what + " " + d.example + " --yes",
		Args:    exactArgs(strings.Fields(d.names)...),
	}
	p, sure := a.objects(cmd), a.confirms(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		last := args[len(args)-1]
		what := d.means(args)
		if err := sure.weigh(what, last); err != nil {
			return err
		}
		send := body(args)
		send["what"] = d.what
		return p.deny(cmd, send, what)
	}
	return cmd
}

// deny sends a denial and shows what came of it.
func (p *place) deny(cmd *cobra.Command, send map[string]string, what consequence) error {
	var d admin.Denied
	if err := p.call(cmd.Context(), http.MethodPost, "/denials", send, &d); err != nil {
		return err
	}
	return p.show(d, func(w io.Writer) {
		printDenied(w, d)
		for _, f := range []struct{ name, text string }{{"what goes on", what.goesOn}, {"to undo it", what.undo}} {
			if f.text != "" {
				field(w, f.name, f.text)
			}
		}
	})
}

func denyJTICmd(a *app) *cobra.Command {
	var issuer string
	cmd := denyCmd(a, denial{"jti", "JTI", "Deny one token",
		"deny jti denies the one token that has this jti. Nobody can tell whether there is\none: the server keeps no list of tokens.", "5Yq3",
		func(args []string) consequence {
			return denyingOne("the token with the jti " + printable(args[0]) + " of the issuer " + printable(cmp.Or(issuer, "default")))
		}},
		func(args []string) map[string]string { return map[string]string{"jti": args[0], "issuer": issuer} })
	cmd.Flags().StringVar(&issuer, "issuer", "", "id of the token's issuer (default \"default\")")
	return cmd
}

// denyTokenCmd takes the token from anywhere but the command line, which other
// users of the machine can read.
func denyTokenCmd(a *app) *cobra.Command {
	var file string
	i := &inspector{}
	cmd := &cobra.Command{
		Use: "token --file FILE", Short: "Deny one token that you have",
		Long: `deny token denies the token in a file, on standard input ("-") or in the environment:
by its jti, so however it is spelt. It may stand in a token endpoint's answer or an
Authorization header. Its signature is not checked: the key may be why it has to go.`,
		Example: "  symbolon deny token --file leaked.txt --yes\n  symbolon deny token --file - --yes < leaked.txt",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 { // a path, or the token itself
				return usagef("a file with a token is named with --file; the token itself stands nowhere on the command line")
			}
			return nil
		},
	}
	p, sure := a.objects(cmd), a.confirms(cmd)
	i.place = p
	cmd.Flags().StringVar(&file, "file", "", `file with the token; "-" is standard input`)
	cmd.Flags().StringVar(&i.tokenEnv, "token-env", "", "take the token from this environment variable")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case (file == "") == (i.tokenEnv == ""):
			return usagef("name the file with --file (\"-\" is standard input), or a variable with --token-env")
		case file == "-" && !sure.yes:
			return usagef("standard input has the token, so nobody can be asked; repeat it with --yes")
		}
		token, err := i.read([]string{file})
		if err != nil {
			return err
		}
		from := file + i.tokenEnv
		what := denyingOne("the token in " + printable(from))
		if err := sure.weigh(what, from); err != nil {
			return err
		}
		return p.deny(cmd, map[string]string{"what": "token", "token": token}, what)
	}
	return cmd
}

func denyListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List what is denied",
		Long: `list prints what is denied, until the last token that it concerns has expired.
What waits for the store is pending; other servers do not know of it.`,
		Example: "  symbolon deny list\n  symbolon deny list --json",
		Args:    exactArgs(),
	}
	p := a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := every[admin.Denied](cmd.Context(), p, "/denials", url.Values{})
		if err != nil {
			return err
		}
		return p.show(all, func(w io.Writer) {
			row(w, "DENIED", "TOKENS", "UNTIL", "PENDING")
			for _, d := range all {
				row(w, d.ID, gensDenied(d), moment(d.Expires), d.Pending)
			}
		})
	}
	return cmd
}

// gensDenied says which of the tokens that a denial names are denied.
func gensDenied(d admin.Denied) string {
	if d.N > 0 {
		return fmt.Sprintf("those with gen below %d", d.N)
	}
	return "all"
}

func printDenied(w io.Writer, d admin.Denied) {
	field(w, "denied", d.ID)
	field(w, "tokens denied", gensDenied(d))
	out := "refused within a second by APIs that follow the revocation set or ask the issuer; by others when they expire"
	if d.Pending == "" {
		field(w, "in effect", fmt.Sprintf("on this server, and on every other that has applied commit %d", d.Commit))
	} else {
		field(w, "in effect", "on this server alone, because the store is away: run the same command on every other server")
		field(w, "in the store", "when it is back; its id until then is "+d.Pending)
		out = "refused within a second by APIs that follow this server's revocation set or ask it; by others when they expire"
	}
	if d.Unknown != "" {
		field(w, "unknown", "this server does not know the "+d.Unknown+": look whether it is spelt right")
	}
	field(w, "kept until", moment(d.Expires))
	field(w, "tokens that are out", out)
}
