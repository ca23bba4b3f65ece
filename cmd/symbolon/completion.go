package main

import (
	_ "embed"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// withoutPackage stands before the script for bash, which expects functions of the
// package bash-completion; small machines and containers do not have it, and each
// Tab would print that they are missing.
//
//go:embed completion.bash
var withoutPackage string

func newCompletionCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print what makes a shell complete commands and ids",
		Long: `completion prints a script for a shell. With it the shell completes commands,
options, the words that options take, and where a server is running the ids of
what it has: clients, their credentials, APIs, issuers, keys.

  bash  source <(symbolon completion bash), in ~/.bashrc
  zsh   symbolon completion zsh > "${fpath[1]}/_symbolon"
  fish  symbolon completion fish > ~/.config/fish/completions/symbolon.fish

For bash no package is needed.`,
		Example: "  symbolon completion bash\n  symbolon completion zsh\n  symbolon completion fish",
		Args:    exactArgs("bash|zsh|fish"),
	}
	cmd.ValidArgs = []cobra.Completion{"bash", "zsh", "fish"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			if _, err := io.WriteString(a.stdout, withoutPackage); err != nil {
				return err
			}
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

// values are what options of these names take, where they take a few words.
var values = map[string][]cobra.Completion{
	"log":        {"debug", "info", "warn", "error"},
	"output":     slices.Sorted(maps.Keys(tokenForms)),
	"format":     {registry.FormatJWT, registry.FormatOpaque},
	"algorithm":  algorithms,
	"alg":        algorithms,
	"typ":        {symbolon.TypAccessToken, "JWT"},
	"bound":      {registry.BoundOptional, registry.BoundRequired, registry.BoundDPoP, registry.BoundMTLS},
	"dpop-nonce": {registry.NonceRequired, registry.NonceOff},
	"profile":    {registry.ProfileStandard, registry.ProfileFAPI2},
	"replay":     {registry.ReplayStrict, registry.ReplayLocal},
	"role":       {registry.RoleViewer, registry.RoleOperator, registry.RoleAdmin},
	"dialect":    dialects(),
	"auth":       {symbolon.AuthSecretBasic, symbolon.AuthSecretPost, symbolon.AuthPrivateKeyJWT, symbolon.AuthTLSClient, symbolon.AuthSelfSignedTLS},
	"by":         {admin.ByHour, admin.ByDay, admin.ByTotal},
	"outcome":    outcomes,
	"endpoint":   endpoints,
}

var algorithms = []cobra.Completion{"ES256", "ES384", "PS256", "RS256", "EdDSA"}

// Where the admin API lists what an option, or an argument of that name, means.
var (
	listedByOption   = map[string]string{"issuer": "/issuers", "client": "/clients", "default-api": "/apis", "resource-server": "/clients", "owner": "/operators"}
	listedByArgument = map[string]string{
		"CLIENT-ID": "/clients", "API-ID": "/apis", "ISSUER-ID": "/issuers", "OPERATOR-ID": "/operators", "OPERATOR-TOKEN-ID": "/operator-tokens", "KEY-ID": "/keys",
	}
	// Of these the client that stands before them has a list.
	listedByClient = map[string][]string{
		"SECRET-ID": {"/secrets"}, "CERTIFICATE-ID": {"/certificates"}, "KEY-ID": {"/keys"}, "CREDENTIAL-ID": {"/secrets", "/keys", "/certificates"},
	}
)

// completeAll lets a shell complete the values of options and arguments in the tree
// below cmd, by their names. A command that speaks to a server asks it.
func (a *app) completeAll(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		a.completeAll(sub)
	}
	asks := cmd.Flags().Lookup("socket") != nil
	option := func(name string, complete cobra.CompletionFunc) {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, complete) // it is there: nothing can be wrong
		}
	}
	for name, words := range values {
		option(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	for name, path := range listedByOption {
		if asks {
			option(name, a.completeIDs(func([]string) []string { return []string{path} }))
		}
	}
	if names := strings.Fields(cmd.Use)[1:]; asks && len(names) > 0 {
		cmd.ValidArgsFunction = a.completeIDs(func(before []string) []string { return listed(names, before) })
	}
}

// listed are the lists of what comes after the arguments that are there. An
// argument that may be left out is a new id.
func listed(names, before []string) []string {
	if len(before) >= len(names) {
		return nil
	}
	name := names[len(before)]
	if paths := listedByClient[name]; len(before) == 1 && names[0] == "CLIENT-ID" && paths != nil {
		all := make([]string, len(paths))
		for i, path := range paths {
			all[i] = "/clients" + at(before[0]) + path
		}
		return all
	}
	if path := listedByArgument[name]; path != "" {
		return []string{path}
	}
	return nil
}

// completeIDs offers what stands in the lists at the paths that go with the
// arguments that are there.
func (a *app) completeIDs(paths func(before []string) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, before []string, typed string) (ids []cobra.Completion, _ cobra.ShellCompDirective) {
		p := &place{app: a}
		p.dataDir, _ = cmd.Flags().GetString("data-dir")
		p.socket, _ = cmd.Flags().GetString("socket")
		for _, path := range paths(before) {
			ids = append(ids, p.ids(cmd, path, typed)...)
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// ids are those of the objects at a path of the admin API that begin with what is
// typed; none where no server answers.
func (p *place) ids(cmd *cobra.Command, path, typed string) (ids []cobra.Completion) {
	type object struct {
		ID string `json:"id"`
	}
	var answer json.RawMessage
	if err := p.call(cmd.Context(), http.MethodGet, path+"?limit=1000", nil, &answer); err != nil {
		return nil
	}
	var page admin.Page[object]
	if json.Unmarshal(answer, &page) != nil && json.Unmarshal(answer, &page.Items) != nil {
		return nil
	}
	for _, one := range page.Items {
		if strings.HasPrefix(one.ID, typed) && one.ID == printable(one.ID) { // a shell reads it
			ids = append(ids, one.ID)
		}
	}
	return ids
}
