package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

func newOperatorTokenCmd(a *app) *cobra.Command {
	k := kind[admin.OperatorToken]{
		app: a, word: "operator-token", path: "/operator-tokens", example: "ci",
		columns: []string{"ID", "NAME", "ROLE", "ISSUERS", "SSWS", "EXPIRES", "SET"},
		cells: func(t admin.OperatorToken) []string {
			return []string{t.ID, t.Name, t.Role, strings.Join(t.Issuers, " "), yesNo(t.SSWS), a.expiry(t.Expires), t.ManagedBy}
		},
		fields: a.printOperatorToken,
	}
	update := &cobra.Command{
		Use:   "update OPERATOR-TOKEN-ID",
		Short: "Change an operator token",
		Long: `update changes what its options name, and leaves the rest alone. Its value stays:
for another one create another token, and delete this when nobody uses it any more.`,
		Example: "  symbolon operator-token update ci --role viewer\n  symbolon operator-token update ci --issuer okta",
	}
	m := &members{}
	operatorTokenFlags(a, update, m)
	k.write(update, m)
	return group("operator-token", "Operator tokens: what programs administer with",
		`An operator token gives a program the role of an operator in an organisation: it is
what programs for Okta send as SSWS. It never gives access to administration, and
makes no operators and no tokens.`,
		"  symbolon operator-token create ci --role operator --issuer okta --ssws --expires 90d\n  symbolon operator-token list",
		createOperatorTokenCmd(k),
		k.list(map[string]string{"issuer": "id of an issuer at which it is taken", "managed-by": "set of the declarative file that owns it"}),
		k.show(), update,
		k.delete("Whoever sends it is refused from then on. What was done with it stays."))
}

func operatorTokenFlags(a *app, cmd *cobra.Command, m *members) {
	m.text(cmd, "name", "name", "name for people")
	m.text(cmd, "role", "role", "viewer, operator or admin; admin without the power to hand power on")
	m.list(cmd, "issuer", "issuers", "id of an issuer at which it is taken, the one without a path: it reaches all of that organisation; repeat for more")
	m.flag(cmd, "ssws", "ssws", "take it with the scheme SSWS where programs for Okta administer")
	cmd.Flags().String("expires", "", "when it expires: 2027-01-01, 90d or never (default never)")
	m.flags = append(m.flags, member{"expires", "expires", func(cmd *cobra.Command, flag string) (any, error) {
		text, err := cmd.Flags().GetString(flag)
		if err != nil || text == "" || text == "never" {
			return time.Time{}, err
		}
		body := map[string]any{}
		err = a.when(body, text)
		return body[flag], err
	}})
}

// madeOperatorToken is the answer to a creation. The value is shown this once.
type madeOperatorToken struct {
	Token admin.OperatorToken `json:"operator_token"`
	Value string              `json:"value,omitempty"`
}

func createOperatorTokenCmd(k kind[admin.OperatorToken]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create [OPERATOR-TOKEN-ID]",
		Short: "Create an operator token",
		Long: `create makes an operator token. The server makes its value and shows it this once;
an existing one comes from the environment or a file, never from the command line.
Only a digest of it is kept.`,
		Example: "  symbolon operator-token create ci --role operator --issuer okta --ssws --expires 90d\n  symbolon operator-token create old --role viewer --issuer okta --ssws --value-file ./old.token",
		Args:    atMost("OPERATOR-TOKEN-ID"),
	}
	m := &members{}
	operatorTokenFlags(k.app, cmd, m)
	value, p := k.valueFlags(cmd), k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := m.read(cmd)
		if err != nil {
			return err
		}
		given, err := value.body("", "")
		if err != nil {
			return err
		}
		for name, text := range given {
			body[name] = text
		}
		if len(args) > 0 {
			body["id"] = args[0]
		}
		var made madeOperatorToken
		if err := p.call(cmd.Context(), http.MethodPost, k.path, body, &made); err != nil {
			return err
		}
		if !made.Token.SSWS {
			fmt.Fprintf(p.stderr, "symbolon: nothing takes %s yet: programs for Okta send such tokens as SSWS; symbolon operator-token update %[1]s --ssws\n", printable(made.Token.ID))
		}
		return p.show(made, func(w io.Writer) {
			k.printOperatorToken(w, made.Token)
			if made.Value != "" {
				field(w, "value", made.Value)
				fmt.Fprintf(p.stderr, "symbolon: keep the value of %s now; nobody can show it again\n", printable(made.Token.ID))
			}
		})
	}
	return cmd
}

// expiry is when something expires, and whether that was already.
func (a *app) expiry(at time.Time) string {
	if !at.IsZero() && !a.now().Before(at) {
		return moment(at) + " (expired)"
	}
	return moment(at)
}

func (a *app) printOperatorToken(w io.Writer, t admin.OperatorToken) {
	field(w, "operator token", t.ID)
	field(w, "name", t.Name)
	field(w, "role", t.Role)
	field(w, "issuers", strings.Join(t.Issuers, " "))
	taken := "nothing: symbolon operator-token update " + t.ID + " --ssws"
	if t.SSWS {
		taken = "SSWS, by programs for Okta"
	}
	field(w, "taken as", taken)
	field(w, "expires", a.expiry(t.Expires))
	field(w, "set", t.ManagedBy)
	field(w, "created", moment(t.Created))
	field(w, "updated", moment(t.Updated))
}
