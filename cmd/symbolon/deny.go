package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

func newDenyCmd(a *app) *cobra.Command {
	return group("deny", "Stop new tokens, and deny those that are out",
		`deny stops new tokens at once: a client is disabled, a secret or a key is revoked.
It also keeps in the store which tokens that are out are denied. This version does
not tell APIs so: they take such a token until it expires, or until they have
fetched the key set without its key.`,
		"  symbolon deny client billing --yes\n  symbolon deny jti 5Yq3 --yes",
		denyCmd(a, "client", "CLIENT-ID", "Disable a client and deny its tokens",
			"deny client disables a client and denies all its tokens, also when it was\ndisabled before.", "billing",
			func(args []string) map[string]string { return map[string]string{"client": args[0]} }),
		denyCmd(a, "credential", "CLIENT-ID SECRET-ID", "Revoke a client's secret and deny its tokens",
			"deny credential revokes one secret of a client and denies the tokens that were\nobtained with it.", "billing s1",
			func(args []string) map[string]string {
				return map[string]string{"client": args[0], "credential": args[1]}
			}),
		denyCmd(a, "kid", "KEY-ID", "Revoke a signing key and deny the tokens that it signed",
			"deny kid revokes a signing key: see key revoke.", "hq2u3eyi5yuzqc5zrrhbwtyx",
			func(args []string) map[string]string { return map[string]string{"kid": args[0]} }),
		denyJTICmd(a))
}

// denyCmd is one sort of denial; names are its arguments.
func denyCmd(a *app, what, names, short, long, example string, body func([]string) map[string]string) *cobra.Command {
	cmd := &cobra.Command{
		Use: what + " " + names, Short: short, Long: long,
		Example: "  symbolon deny " + what + " " + example + " --yes",
		Args:    exactArgs(strings.Fields(names)...),
	}
	p, sure := a.objects(cmd), a.confirms(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		last := args[len(args)-1]
		if err := sure.ask(fmt.Sprintf("denies the %s %s", what, strings.Join(args, " ")), last); err != nil {
			return err
		}
		send := body(args)
		send["what"] = what
		var d admin.Denied
		if err := p.call(cmd.Context(), http.MethodPost, "/denials", send, &d); err != nil {
			return err
		}
		return p.show(d, func(w io.Writer) { printDenied(w, d) })
	}
	return cmd
}

func denyJTICmd(a *app) *cobra.Command {
	var issuer string
	cmd := denyCmd(a, "jti", "JTI", "Deny one token",
		"deny jti denies the one token that has this jti. Nobody can tell whether there is\none: the server keeps no list of tokens.", "5Yq3",
		func(args []string) map[string]string { return map[string]string{"jti": args[0], "issuer": issuer} })
	cmd.Flags().StringVar(&issuer, "issuer", "", "id of the token's issuer (default \"default\")")
	return cmd
}

func printDenied(w io.Writer, d admin.Denied) {
	field(w, "denied", d.ID)
	if d.N > 0 {
		field(w, "tokens denied", fmt.Sprintf("those with gen below %d", d.N))
	}
	field(w, "in effect", fmt.Sprintf("on this server, and on every other that has applied commit %d", d.Commit))
	field(w, "kept until", moment(d.Expires))
	field(w, "tokens that are out", "APIs are not told by this version: they take them until they expire, or their key has left the key set")
}
