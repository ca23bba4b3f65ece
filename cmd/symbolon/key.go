package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

func newKeyCmd(a *app) *cobra.Command {
	return group("key", "Signing keys: list, rotate, revoke",
		`Signing keys change by themselves (issuer update --rotate). These commands look at
them, bring a change forward, and revoke a key that leaked.`,
		"  symbolon key list\n  symbolon key rotate default",
		listKeysCmd(a), rotateKeyCmd(a), revokeKeyCmd(a))
}

func printKeys(w io.Writer, ks []admin.Key) {
	row(w, "ID", "ISSUER", "ALGORITHM", "STATE", "SIGNS FROM", "UNTIL", "PUBLISHED UNTIL")
	for _, k := range ks {
		row(w, k.ID, k.Issuer, k.Algorithm, k.State, moment(k.Activates), moment(k.Retires), moment(k.Deletes))
	}
}

func listKeysCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the signing keys",
		Long:    "list prints the signing keys of all issuers, or of one, and when they change.",
		Example: "  symbolon key list\n  symbolon key list --issuer default --json",
		Args:    exactArgs(),
	}
	issuer, p := cmd.Flags().String("issuer", "", "id of the issuer"), a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ks := []admin.Key{}
		if err := p.call(cmd.Context(), http.MethodGet, "/keys?"+url.Values{"issuer": {*issuer}}.Encode(), nil, &ks); err != nil {
			return err
		}
		return p.show(ks, func(w io.Writer) { printKeys(w, ks) })
	}
	return cmd
}

func rotateKeyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate ISSUER-ID",
		Short: "Bring the next key of an issuer forward",
		Long: `rotate lets the next key sign as soon as verifiers know it: when it has been
published for as long as the issuer announces keys. No token becomes invalid. For
a key that leaked there is revoke.`,
		Example: "  symbolon key rotate default\n  symbolon key rotate default --algorithm RS256",
		Args:    exactArgs("ISSUER-ID"),
	}
	algorithm, p := cmd.Flags().String("algorithm", "", "only this algorithm (default: all that the issuer's APIs use)"), a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ks := []admin.Key{}
		body := map[string]string{"algorithm": *algorithm}
		if err := p.call(cmd.Context(), http.MethodPost, at("issuers", args[0], "keys", "rotate"), body, &ks); err != nil {
			return err
		}
		return p.show(ks, func(w io.Writer) { printKeys(w, ks) })
	}
	return cmd
}

func revokeKeyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke KEY-ID",
		Short: "Revoke a signing key that leaked",
		Long: `revoke takes a key out of the key set at once and destroys its private half. The
next key takes over. APIs that follow the revocation set refuse the tokens that it
signed within a second; others take them, and know the next key, by the key set in
their cache: some fetch it once an hour.`,
		Example: "  symbolon key revoke hq2u3eyi5yuzqc5zrrhbwtyx --yes",
		Args:    exactArgs("KEY-ID"),
	}
	p, sure := a.objects(cmd), a.confirms(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := sure.ask("revokes the signing key "+args[0]+", so that no token that it signed is valid", args[0]); err != nil {
			return err
		}
		var k admin.Key
		if err := p.call(cmd.Context(), http.MethodPost, at("keys", args[0], "revoke"), nil, &k); err != nil {
			return err
		}
		return p.show(k, func(w io.Writer) {
			fmt.Fprintf(w, "key %s of issuer %s is %s\n", printable(k.ID), printable(k.Issuer), printable(k.State))
		})
	}
	return cmd
}
