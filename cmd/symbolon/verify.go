package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/node"
)

func verifyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no record was altered, deleted or cut off",
		Long: `verify reads the records of requests in this server's data directory and the
records of changes in its store, and follows both chains of hashes. It names the
records of requests that were altered, deleted, reordered or cut off, and the
first such record of changes, and then ends with exit code 1. The store vouches
for the ends of the records of requests: its hashes of closed files, and of the
last record that it was told of, five seconds ago as a rule. An end that is
missing behind that one, as after a loss of power without audit.sync, is not
found; a server that starts after one takes no assertion and no proof that was
issued before.

Not verified are the copies of refusals in the store: what they copy is verified
on the server that wrote it, where its data directory is. Nor is found what
somebody forged who could write both the directory and the store.

Without a running server it reads the data directory; --store names the database
where that is not there.`,
		Example: "  symbolon audit verify\n  symbolon audit verify --data-dir /var/lib/symbolon --json",
		Args:    exactArgs(),
	}
	store, p := cmd.Flags().String("store", "", "the store of a server that does not run (default: the SQLite file in its directory)"), a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var v admin.Verification
		err := p.call(cmd.Context(), http.MethodGet, "/audit/verify", nil, &v)
		if errors.Is(err, errNoServer) && p.socket == "" {
			v, err = p.verifyFiles(cmd.Context(), *store)
		}
		if err != nil {
			return err
		}
		if err := p.show(v, func(w io.Writer) { printVerification(w, v) }); err != nil {
			return err
		}
		if !v.OK {
			return errors.New("the evidence is not as it was written; keep a copy of the data directory before anything else")
		}
		return nil
	}
	return cmd
}

// verifyFiles verifies the evidence of a server that does not run.
func (p *place) verifyFiles(ctx context.Context, dsn string) (admin.Verification, error) {
	if _, err := os.Stat(p.spool()); err != nil {
		return admin.Verification{}, fmt.Errorf("no server answers at %s, and there are no records at %s; name its directory with --data-dir", p.path(), p.spool())
	}
	if dsn == "" {
		if err := p.checkEnvironment(); err != nil {
			return admin.Verification{}, err
		}
		dsn, _ = p.env(envStore)
	}
	if dsn == "" || dsn == "sqlite" {
		dsn = admin.DatabaseIn(p.dir())
		if _, err := os.Stat(strings.TrimPrefix(dsn, "sqlite:")); err != nil {
			fmt.Fprintln(p.stderr, "symbolon: without the store's database a tail that was cut off is not noticed; name it with --store")
			dsn = ""
		}
	}
	id, err := readLimited(node.IDPath(p.dir()), 1<<10)
	if err != nil {
		return admin.Verification{}, fmt.Errorf("the id of the node cannot be read: %w; is %s the server's directory?", err, p.dir())
	}
	defer p.waiting("reading all records")()
	return admin.VerifyOffline(ctx, p.spool(), strings.TrimSpace(string(id)), dsn)
}

func printVerification(w io.Writer, v admin.Verification) {
	if v.Spool != nil {
		field(w, "requests", fmt.Sprintf("%d records in %d segments", v.Spool.Records, v.Spool.Segments))
		for _, d := range v.Spool.Damages {
			field(w, "damaged", d.Error())
		}
		if v.Spool.More > 0 {
			field(w, "damaged", fmt.Sprintf("and %d more places", v.Spool.More))
		}
	}
	if v.Anchors {
		field(w, "changes", fmt.Sprintf("%d records in the store's chain", v.Changes))
		field(w, "not verified", "copies of refusals in the store; the servers that wrote them verify the originals")
	} else {
		field(w, "not verified", "changes, and whether the end of the requests was cut off: the store was not there")
	}
	if v.Damage != "" {
		field(w, "damaged", v.Damage)
	}
	if v.OK {
		field(w, "verdict", "everything that was verified is as it was written")
	}
}
