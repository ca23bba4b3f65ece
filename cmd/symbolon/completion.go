package main

import (
	"github.com/spf13/cobra"
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
