package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/node"
)

func newAuditCmd(a *app) *cobra.Command {
	return group("audit", "Evidence: follow, search, verify",
		`Each request at the OAuth endpoints leaves one record in the server's data
directory, each change of an object one in its store. Both are chained by hashes.
Some refusals are copied to the store too, for explain on every server.`,
		"  symbolon audit tail\n  symbolon audit search --client billing --outcome refused --since 1h\n  symbolon audit verify",
		tailCmd(a), searchCmd(a), verifyCmd(a))
}

// spool is where the records of requests are.
func (p *place) spool() string { return node.SpoolPath(p.dir()) }

func tailCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print records of requests as they come",
		Long: `tail prints the records of requests as they are written, until it is interrupted;
first the last few. With --no-follow these are all. It reads the files in the data
directory, whether the server runs or not. With --json each line is one record.`,
		Example: "  symbolon audit tail\n  symbolon audit tail -n 0 --json\n  symbolon audit tail -n 50 --no-follow",
		Args:    exactArgs(),
	}
	last, p := cmd.Flags().IntP("last", "n", 10, "how many of those that are there already, at most 1000"), a.objects(cmd)
	stop := cmd.Flags().Bool("no-follow", false, "end after those")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *last < 0 || *last > 1000 {
			return usagef("-n %d: write 0 to 1000", *last)
		}
		if *last == 0 && *stop {
			return usagef("-n 0 and --no-follow together print nothing; leave one of them away")
		}
		end, err := p.last(cmd.Context(), *last)
		if err != nil || *stop {
			return err
		}
		return p.follow(cmd.Context(), end)
	}
	return cmd
}

// last prints the newest records, and gives the place behind them.
func (p *place) last(ctx context.Context, most int) (end audit.Position, err error) {
	if _, err := os.Stat(p.spool()); err != nil {
		return end, fmt.Errorf("there are no records at %s; name the server's directory with --data-dir", p.spool())
	}
	if end, err = audit.End(p.spool()); err != nil || most == 0 {
		return end, err
	}
	found, err := audit.Search(ctx, p.spool(), audit.Query{Limit: most, Before: end.N + 1})
	if err != nil {
		return end, err
	}
	for _, r := range slices.Backward(found) {
		p.printRecord(r)
	}
	return end, nil
}

// follow prints the records that come behind a place, until it is interrupted.
func (p *place) follow(ctx context.Context, end audit.Position) error {
	err := audit.Follow(ctx, p.spool(), end, func(r *audit.Record, _ audit.Position, damage *audit.Damage) error {
		if damage != nil {
			fmt.Fprintf(p.stderr, "symbolon: %v; run symbolon audit verify\n", damage)
			return nil
		}
		p.printRecord(r)
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil // that is how it ends
	}
	return err
}

// printRecord prints one record on one line.
func (p *place) printRecord(r *audit.Record) {
	if p.json {
		p.stdout.Write(append(r.AppendJSON(nil), '\n'))
		return
	}
	fmt.Fprintln(p.stdout, strings.Join(recordCells(r), "  "))
}

// maxScopeCell bounds the column of scopes, in characters; --json has all of it.
const maxScopeCell = 40

func clipScope(scope string) string {
	if runes := []rune(scope); len(runes) > maxScopeCell {
		return string(runes[:maxScopeCell-1]) + "…"
	}
	return scope
}

func recordCells(r *audit.Record) []string {
	what := r.Outcome
	if r.Code != "" {
		what += " " + r.Code
	}
	if r.Count > 1 {
		what += fmt.Sprintf(" (%d times)", r.Count)
	}
	cells := []string{r.Time.UTC().Format("2006-01-02 15:04:05.000Z"), what, r.Issuer, r.Client, r.Cred, strings.Join(r.APIs, ","), clipScope(r.Scope), r.RequestID}
	for i, c := range cells {
		if cells[i] = printable(c); c == "" {
			cells[i] = "-"
		}
	}
	return cells
}

// searchFlags are filters whose name is that of the admin API's parameter.
var searchFlags = []struct{ name, usage string }{
	{"issuer", "id of the issuer"}, {"client", "id of the client"}, {"cred", "id of the credential"},
	{"outcome", orList(outcomes)}, {"code", "error code of the answer, as invalid_scope"},
	{"endpoint", orList(endpoints)}, {"text", "part of any value"},
}

var changeFlags = []struct{ name, usage string }{
	{"actor", "with --changes: who made it, as uid:0, system, token:ID of an operator token or client:ID"}, {"action", "with --changes: as client.disable"},
	{"kind", "with --changes: of the object, as client"}, {"object", "with --changes: id of the object"},
}

func searchCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Search records of requests, or of changes",
		Long: `search prints the newest records that fit, the newest first: of requests at this
server's OAuth endpoints, or with --changes of changes of objects. Without a
running server it reads the records of requests in the data directory.`,
		Example: "  symbolon audit search --client billing --outcome refused --since 1h\n  symbolon audit search --changes --actor uid:0 --json",
		Args:    exactArgs(),
	}
	f := cmd.Flags()
	for _, s := range append(searchFlags, changeFlags...) {
		f.String(s.name, "", s.usage)
	}
	f.String("request-id", "", "id of the request")
	f.String("since", "", "not before: 2026-01-31, 2026-01-31T12:00:00Z, or 1h for the last hour")
	f.String("until", "", "before: the same forms")
	f.Int("limit", 100, "how many, at most 1000")
	changes, p := f.Bool("changes", false, "search the records of changes"), a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q, err := a.searchQuery(cmd, *changes)
		if err != nil {
			return err
		}
		if *changes {
			return p.searchChanges(cmd.Context(), q)
		}
		return p.searchRequests(cmd.Context(), q)
	}
	return cmd
}

// searchQuery reads the flags, and refuses those of the other sort of records.
func (a *app) searchQuery(cmd *cobra.Command, changes bool) (url.Values, error) {
	q := url.Values{}
	mine, others := searchFlags, changeFlags
	if changes {
		mine, others = changeFlags, searchFlags
	}
	for _, o := range others {
		if cmd.Flags().Changed(o.name) && changes && o.name == "client" {
			v, _ := cmd.Flags().GetString(o.name)
			return nil, usagef("--client is of requests; for changes of it use --object %s, for those that it made --actor client:%[1]s", printable(v))
		}
		if cmd.Flags().Changed(o.name) {
			return nil, usagef("--%s does not go with what is searched; see %s --help", o.name, cmd.CommandPath())
		}
	}
	for _, m := range mine {
		if v, _ := cmd.Flags().GetString(m.name); v != "" {
			q.Set(m.name, v)
		}
	}
	if v, _ := cmd.Flags().GetString("request-id"); v != "" {
		q.Set("request_id", v)
	}
	for _, flag := range []string{"since", "until"} {
		text, _ := cmd.Flags().GetString(flag)
		at, err := a.parseWhen(flag, text, ago)
		if err != nil {
			return nil, err
		}
		if !at.IsZero() {
			q.Set(flag, at.Format(time.RFC3339Nano))
		}
	}
	limit, _ := cmd.Flags().GetInt("limit")
	if limit < 1 || limit > 1000 {
		return nil, usagef("--limit %d: write 1 to 1000", limit)
	}
	q.Set("limit", strconv.Itoa(limit))
	return q, contradiction(q)
}

func (p *place) searchChanges(ctx context.Context, q url.Values) error {
	found := []admin.ChangeRecord{}
	if err := p.call(ctx, http.MethodGet, "/audit/changes?"+q.Encode(), nil, &found); err != nil {
		return err
	}
	return p.show(found, func(w io.Writer) {
		row(w, "TIME", "ACTOR", "ACTION", "OBJECT", "WHY", "COMMIT", "REQUEST")
		for _, c := range found {
			row(w, moment(c.Time), c.Actor, c.Action, c.Object, c.Why, fmt.Sprint(c.Commit), c.RequestID)
		}
	})
}

func (p *place) searchRequests(ctx context.Context, q url.Values) error {
	found := []*audit.Record{}
	err := p.call(ctx, http.MethodGet, "/audit/requests?"+q.Encode(), nil, &found)
	if errors.Is(err, errNoServer) && p.socket == "" {
		found, err = p.searchFiles(ctx, q)
	}
	if err != nil {
		return err
	}
	return p.show(found, func(w io.Writer) {
		row(w, "TIME", "OUTCOME", "ISSUER", "CLIENT", "CREDENTIAL", "APIS", "SCOPE", "REQUEST")
		for _, r := range found {
			row(w, recordCells(r)...)
		}
	})
}

// searchFiles searches the records of a server that does not run.
func (p *place) searchFiles(ctx context.Context, q url.Values) ([]*audit.Record, error) {
	if _, err := os.Stat(p.spool()); err != nil {
		return nil, fmt.Errorf("no server answers at %s, and there are no records at %s; name its directory with --data-dir", p.path(), p.spool())
	}
	when := func(name string) time.Time {
		t, _ := time.Parse(time.RFC3339Nano, q.Get(name)) // searchQuery wrote it
		return t
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	found, err := audit.Search(ctx, p.spool(), audit.Query{
		Issuer: q.Get("issuer"), Client: q.Get("client"), Cred: q.Get("cred"), Outcome: q.Get("outcome"), Code: q.Get("code"),
		Endpoint: q.Get("endpoint"), Text: q.Get("text"), RequestID: q.Get("request_id"), Since: when("since"), Until: when("until"), Limit: limit,
	})
	if found == nil {
		found = []*audit.Record{}
	}
	return found, err
}
