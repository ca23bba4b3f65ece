package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/state"
)

func newApplyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Bring about what a declarative file says",
		Long: `apply makes and changes issuers, APIs, clients and operators until they are as the
file says, all or nothing; applying it again changes nothing. What was disabled,
revoked or deleted by hand stays so: a note says which command undoes it. With
--prune, what the file's set owns and the file no longer names is disabled, and
deleted by the next run.`,
		Example: "  symbolon apply -f state.yaml\n  symbolon apply -f state.yaml --prune",
		Args:    exactArgs(),
	}
	return applyCmd(a, cmd, false)
}

func newPlanCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "plan -f FILE",
		Short:   "Show what apply would do",
		Long:    "plan prints what apply would change, object by object, and changes nothing.",
		Example: "  symbolon plan -f state.yaml\n  symbolon plan -f state.yaml --prune --json",
		Args:    exactArgs(),
	}
	return applyCmd(a, cmd, true)
}

func applyCmd(a *app, cmd *cobra.Command, dry bool) *cobra.Command {
	f := cmd.Flags()
	file, prune := f.StringP("file", "f", "", "the declarative file (YAML)"), f.Bool("prune", false, "disable, and the next time delete, what the set owns and the file no longer names")
	p := a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "" {
			return usagef("name the file with -f; see %s --help", cmd.CommandPath())
		}
		req, err := state.Load(*file, a.env)
		if err != nil {
			return err
		}
		req.Prune, req.DryRun = *prune, dry
		plan, err := p.apply(cmd.Context(), *req)
		if err != nil {
			return err
		}
		return p.show(plan, func(w io.Writer) {
			for _, line := range state.Words(plan) {
				fmt.Fprintln(w, printable(line))
			}
		})
	}
	return cmd
}

// apply sends a file, and places what the server finds wrong in it.
func (p *place) apply(ctx context.Context, req admin.ApplyRequest) (plan admin.Plan, err error) {
	body, err := admin.EncodeApply(req)
	if err != nil {
		return plan, err
	}
	err = p.call(ctx, http.MethodPost, "/apply", body, &plan)
	var fault *problem
	if !errors.As(err, &fault) || len(fault.Errors) == 0 || req.Where == nil {
		return plan, err
	}
	lines := make([]string, len(fault.Errors))
	for i, one := range fault.Errors {
		lines[i] = printable(one.String())
		if where := req.Where(one); where != "" {
			lines[i] = where + ": " + lines[i]
		}
	}
	return plan, errors.New(strings.Join(lines, "\nsymbolon: "))
}

func newExportCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print what there is as a declarative file",
		Long: `export prints issuers, APIs, clients and operators as a file that apply reads. Of
secrets it has the hashes: whoever applies it elsewhere takes over the clients.`,
		Example: "  symbolon export\n  symbolon export --set main --json",
		Args:    exactArgs(),
	}
	set, p := cmd.Flags().String("set", "", "only what this set owns"), a.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var s admin.State
		if err := p.call(cmd.Context(), http.MethodGet, "/export?"+url.Values{"set": {*set}}.Encode(), nil, &s); err != nil {
			return err
		}
		if p.json {
			return p.printJSON(s)
		}
		text, err := state.Marshal(*set, s)
		if err != nil {
			return err
		}
		_, err = plain{p.stdout}.Write(text)
		return err
	}
	return cmd
}
