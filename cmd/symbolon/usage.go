package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

func usageCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "usage CLIENT-ID",
		Short: "Count a client's tokens and refusals",
		Long: `usage counts how often a client was given a token and how often it was refused,
by credential and API; whole hours, for as long as audit.keep says. Requests that
named the client and did not prove to be it are not in it. The last lines say up
to when each server's requests are counted: those of the one that is asked all are,
those of others up to some seconds ago, or earlier while they do not reach the store.`,
		Example: "  symbolon client usage billing\n  symbolon client usage billing --from 24h --by hour\n  symbolon client usage billing --from 2026-01-01 --to 2026-02-01 --by total --json",
		Args:    exactArgs("CLIENT-ID"),
	}
	f := cmd.Flags()
	f.String("from", "", "not before: 2026-01-31, 2026-01-31T12:00:00Z, or 24h for the last day (default: 30 days before the end)")
	f.String("to", "", "before: the same forms (default: now)")
	by, p := f.String("by", admin.ByDay, "what one line counts: hour, day (in UTC) or total"), k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := url.Values{"by": {*by}}
		for _, flag := range []string{"from", "to"} {
			text, _ := f.GetString(flag)
			at, err := k.parseWhen(flag, text, ago)
			if err != nil {
				return err
			}
			if !at.IsZero() {
				q.Set(flag, at.Format(time.RFC3339))
			}
		}
		var u admin.Usage
		if err := p.call(cmd.Context(), http.MethodGet, k.path+at(args[0], "usage")+"?"+q.Encode(), nil, &u); err != nil {
			return err
		}
		return p.show(u, func(w io.Writer) { printUsage(w, u) })
	}
	return cmd
}

// ago reads a duration from now back.
func ago(text string) (time.Duration, error) {
	d, err := registry.ParseDuration(text)
	return -d.Std(), err
}

func printUsage(w io.Writer, u admin.Usage) {
	row(w, "FROM", "ISSUER", "CREDENTIAL", "API", "OUTCOME", "COUNT")
	for _, r := range u.Rows {
		from := u.From
		if !r.Time.IsZero() {
			from = r.Time
		}
		row(w, moment(from), r.Issuer, r.Credential, r.API, r.Outcome, fmt.Sprint(r.Count))
	}
	for _, n := range u.Nodes {
		words := "counted up to " + moment(n.Counted)
		if n.Counted.IsZero() {
			words = "nothing is counted yet"
		}
		fmt.Fprintf(w, "%s: %s\n", printable(n.Node), words)
	}
}
