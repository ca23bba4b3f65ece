package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

// body is the secret of a request.
func (s *secretInput) body(id, expires string) (map[string]any, error) {
	value, err := s.value()
	if err != nil {
		return nil, err
	}
	body := map[string]any{}
	for name, text := range map[string]string{"id": id, "value": value, "hash": s.hash} {
		if text != "" {
			body[name] = text
		}
	}
	return body, s.when(body, expires)
}

// printSecret prints a secret that the server made, this once.
func (p *place) printSecret(w io.Writer, id, value string) {
	if value == "" {
		return
	}
	field(w, "secret", value)
	fmt.Fprintf(p.stderr, "symbolon: keep the secret %s now; nobody can show it again\n", printable(id))
}

func newSecretCmd(k kind[admin.Client]) *cobra.Command {
	return group("secret", "Secrets of a client: add, revoke, remove",
		`Several secrets of a client live at once: that is how one is changed without an
outage. Add the new one, move the program to it, watch the last use of the old
one, and remove that. Revoke is for a secret that leaked.`,
		"  symbolon client secret add billing\n  symbolon client secret list billing\n  symbolon client secret remove billing s1",
		addSecretCmd(k), listSecretsCmd(k), endCredentialCmd(k, credentialSecret, "remove"), endCredentialCmd(k, credentialSecret, "revoke"))
}

func addSecretCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add CLIENT-ID",
		Short: "Give a client one more secret",
		Long: `add gives a client one more secret; the others go on. The server makes it and shows
it this once, or it comes from the environment or a file.`,
		Example: "  symbolon client secret add billing --expires 90d\n  symbolon client secret add billing --id s7 --secret-file ./old.secret",
		Args:    exactArgs("CLIENT-ID"),
	}
	f := cmd.Flags()
	id, expires := f.String("id", "", "id of the secret (default: the next of s1, s2, …); an id is used once"), f.String("expires", "", "when it expires: 2027-01-01, or 90d")
	secret, p := k.secretFlags(cmd), k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := secret.body(*id, *expires)
		if err != nil {
			return err
		}
		var added struct {
			Secret admin.SecretInfo `json:"secret"`
			Value  string           `json:"value,omitempty"`
		}
		if err := p.call(cmd.Context(), http.MethodPost, k.path+at(args[0], "secrets"), body, &added); err != nil {
			return err
		}
		return p.show(added, func(w io.Writer) {
			field(w, "client", args[0])
			field(w, "id", added.Secret.ID)
			p.printSecret(w, added.Secret.ID, added.Value)
		})
	}
	return cmd
}

func listSecretsCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list CLIENT-ID",
		Short:   "List a client's secrets and their last use",
		Long:    "list prints the secrets that a client has, never their values, with the time of\ntheir last use (at other servers within some seconds).",
		Example: "  symbolon client secret list billing",
		Args:    exactArgs("CLIENT-ID"),
	}
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		secrets := []admin.SecretInfo{}
		if err := p.call(cmd.Context(), http.MethodGet, k.path+at(args[0], "secrets"), nil, &secrets); err != nil {
			return err
		}
		return p.show(secrets, func(w io.Writer) {
			row(w, "ID", "FORM", "CREATED", "EXPIRES", "LAST USED")
			for _, s := range secrets {
				row(w, s.ID, s.Form, moment(s.Created), moment(s.Expires), moment(s.LastUsed))
			}
		})
	}
	return cmd
}
