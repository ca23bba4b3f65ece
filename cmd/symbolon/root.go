package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

// newRoot is the whole tree of commands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "symbolon",
		Short: "Machine-to-machine OAuth 2.0: issue tokens, protect APIs, call them",
		Long: `symbolon issues OAuth 2.0 access tokens to programs (client_credentials, RFC 9068)
and keeps the evidence of each. Begin with "symbolon dev": a server, an API and a
client on this machine, and the lines that use them.`,
		Example:       "  symbolon dev\n  symbolon serve --config symbolon.yaml\n  symbolon client list",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "use", Title: "Use tokens:"},
		&cobra.Group{ID: "admin", Title: "Administer a running server:"},
		&cobra.Group{ID: "evidence", Title: "Look into the evidence:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", newServeCmd(a), newGuardCmd(a), newDevCmd(a))
	add("use", newTokenCmd(a), newCallCmd(a), newInspectCmd(a), newKeygenCmd(a))
	add("admin", newClientCmd(a), newAPICmd(a), newIssuerCmd(a), newKeyCmd(a), newOperatorCmd(a), newOperatorTokenCmd(a),
		newApplyCmd(a), newPlanCmd(a), newExportCmd(a), newDenyCmd(a))
	add("evidence", newExplainCmd(a), newAuditCmd(a))
	root.AddCommand(newCompletionCmd(a))
	a.completeAll(root)
	return root
}

// version is the module's, or the commit's in a build from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel " + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
