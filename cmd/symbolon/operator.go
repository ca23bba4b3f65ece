package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

func newOperatorCmd(a *app) *cobra.Command {
	k := kind[admin.Operator]{
		app: a, word: "operator", path: "/operators", example: "ann",
		columns: []string{"ID", "NAME", "EMAIL", "ROLE", "SET"},
		cells:   func(o admin.Operator) []string { return []string{o.ID, o.Name, o.Email, o.Role, o.ManagedBy} },
		fields: func(w io.Writer, o admin.Operator) {
			field(w, "operator", o.ID)
			field(w, "name", o.Name)
			field(w, "email", o.Email)
			field(w, "role", o.Role)
			field(w, "set", o.ManagedBy)
			field(w, "created", moment(o.Created))
			field(w, "updated", moment(o.Updated))
		},
	}
	create := &cobra.Command{
		Use:     "create [OPERATOR-ID]",
		Short:   "Create an operator",
		Long:    "create makes an operator: a person who administers.",
		Example: "  symbolon operator create ann --name \"Ann Example\" --email ann@example.com --role admin",
		Args:    atMost("OPERATOR-ID"),
	}
	update := &cobra.Command{
		Use:     "update OPERATOR-ID",
		Short:   "Change an operator",
		Long:    "update changes what its options name, and leaves the rest alone.",
		Example: "  symbolon operator update ann --role operator",
	}
	for _, cmd := range []*cobra.Command{create, update} {
		m := &members{}
		m.text(cmd, "name", "name", "the person's name")
		m.text(cmd, "email", "email", "the person's e-mail address")
		m.text(cmd, "role", "role", "viewer, operator or admin")
		k.write(cmd, m)
	}
	return group("operator", "Operators: people who administer",
		"An operator is a person who administers, with the role viewer, operator or admin.",
		"  symbolon operator list\n  symbolon operator show ann",
		create, k.list(map[string]string{"managed-by": "set of the declarative file that owns it"}), k.show(), update,
		k.delete("What they own stays."))
}
