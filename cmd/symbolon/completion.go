package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

func newCompletionCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print what makes a shell complete commands and ids",
		Long: `completion prints a script for a shell. With it the shell completes commands,
options, and where a server is running the ids of clients, APIs and issuers.

  bash  source <(symbolon completion bash), in ~/.bashrc
  zsh   symbolon completion zsh > "${fpath[1]}/_symbolon"
  fish  symbolon completion fish > ~/.config/fish/completions/symbolon.fish`,
		Example: "  symbolon completion bash\n  symbolon completion zsh\n  symbolon completion fish",
		Args:    exactArgs("bash|zsh|fish"),
	}
	cmd.ValidArgs = []cobra.Completion{"bash", "zsh", "fish"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.stdout)
		case "fish":
			return root.GenFishCompletion(a.stdout, true)
		}
		return usagef("there is no completion for %q; write bash, zsh or fish", args[0])
	}
	return cmd
}

// ids are those of the objects at a path of the admin API that begin with what is
// typed; none where no server answers.
func (p *place) ids(cmd *cobra.Command, path, typed string) (ids []cobra.Completion) {
	var page admin.Page[struct {
		ID string `json:"id"`
	}]
	if err := p.call(cmd.Context(), http.MethodGet, path+"?limit=1000", nil, &page); err != nil {
		return nil
	}
	for _, one := range page.Items {
		if strings.HasPrefix(one.ID, typed) && one.ID == printable(one.ID) { // a shell reads it
			ids = append(ids, one.ID)
		}
	}
	return ids
}

// completeFlags completes the values of options that name what there is.
func (p *place) completeFlags(cmd *cobra.Command) {
	for name, values := range map[string][]cobra.Completion{
		"role":    {registry.RoleViewer, registry.RoleOperator, registry.RoleAdmin},
		"dialect": dialects(),
	} {
		if cmd.Flags().Lookup(name) != nil {
			cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	if cmd.Flags().Lookup("issuer") != nil {
		cmd.RegisterFlagCompletionFunc("issuer", func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return p.ids(cmd, "/issuers", typed), cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// completeGrant offers clients, and then APIs.
func completeGrant(k kind[admin.Client], p *place) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return p.ids(cmd, "/apis", typed), cobra.ShellCompDirectiveNoFileComp
		}
		return k.complete(p)(cmd, args, typed)
	}
}
