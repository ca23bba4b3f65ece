package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
)

func newExplainCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain REQUEST-ID",
		Short: "Tell why a request was answered as it was",
		Long: `explain tells what became of a request: which checks were made, in their order,
what was expected and what was there, and what to do. Every answer of the server
carries its id in the header Request-Id.`,
		Example: "  symbolon explain k3Jx0cQm1mYtq0Wl2Zr8aA",
		Args:    exactArgs("REQUEST-ID"),
	}
	p := a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if args[0] == "" {
			return usagef("there is no request id: give the Request-Id of an answer; over HTTP/2 its name is in lower case")
		}
		var e admin.Explanation
		if err := p.call(cmd.Context(), http.MethodGet, at("requests", args[0]), nil, &e); err != nil {
			return err
		}
		return p.show(e, func(w io.Writer) {
			for _, line := range e.Words {
				fmt.Fprintln(w, printable(line))
			}
		})
	}
	return cmd
}
