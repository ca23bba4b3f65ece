package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/guard"
)

func newGuardCmd(a *app) *cobra.Command {
	var file, level string
	var check bool
	var over guardFlags
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Protect an API that is written in any language",
		Long: `guard checks access tokens in front of an API: as a reverse proxy (proxy in its
file), or as what nginx, Traefik, Caddy, HAProxy or Envoy ask about each request
(forward_auth). It runs until it is told to stop (SIGTERM, SIGINT); requests in
flight finish.

Its file (guard.yaml) says which routes need which scopes; what no route matches
is refused. Members of the file may stand in the environment as SYMBOLON_GUARD_
and their path (SYMBOLON_GUARD_PROXY_UPSTREAM), and some of them here; the later
wins. A variable that begins so and names no member is refused.`,
		Example: "  symbolon guard --config guard.yaml\n  symbolon guard --config guard.yaml --check\n  SYMBOLON_GUARD_ISSUER=https://auth.example.com symbolon guard --config guard.yaml --log debug",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := a.leveled(level)
			if err != nil {
				return err
			}
			var environ []string
			if a.environ != nil {
				environ = a.environ()
			}
			cfg, err := guard.Load(file, environ, func(c *guard.Config, from func(path, flag string)) {
				over.apply(c, cmd.Flags().Changed, from)
			})
			if err != nil {
				return err
			}
			cfg.Now, cfg.Logger = a.now, logger
			return a.guard(cmd, cfg, check)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "configuration file (guard.yaml)")
	f.BoolVar(&check, "check", false, "only read the configuration and the files that it names, and say what is wrong")
	f.StringVar(&over.issuer, "issuer", "", "the issuer of the tokens")
	f.StringVar(&over.audience, "audience", "", "the API's identifier")
	f.StringVar(&over.publicURL, "public-url", "", "the URL under which callers reach the API (default: the audience)")
	f.StringVar(&over.dataDir, "data-dir", "", "directory for the last good keys and revocation set (default: memory only)")
	f.StringVar(&over.listen, "listen", "", "address of the reverse proxy")
	f.StringVar(&over.upstream, "upstream", "", "where the API is, for the reverse proxy")
	f.StringVar(&level, "log", "info", "log level on stderr: debug (with an access log), info, warn or error")
	return cmd
}

// guardFlags are members of guard.Config that may stand on the command line.
type guardFlags struct{ issuer, audience, publicURL, dataDir, listen, upstream string }

// apply sets the members whose flags changed, and tells from of each.
func (g *guardFlags) apply(c *guard.Config, changed func(string) bool, from func(path, flag string)) {
	proxy := func() *guard.Proxy {
		if c.Proxy == nil {
			c.Proxy = &guard.Proxy{}
		}
		return c.Proxy
	}
	for path, set := range map[string]func(){
		"issuer":         func() { c.Issuer = g.issuer },
		"audience":       func() { c.Audience = g.audience },
		"public_url":     func() { c.PublicURL = g.publicURL },
		"data_dir":       func() { c.DataDir = g.dataDir },
		"proxy.listen":   func() { proxy().Listen = g.listen },
		"proxy.upstream": func() { proxy().Upstream = g.upstream },
	} {
		flag := strings.ReplaceAll(strings.TrimPrefix(path, "proxy."), "_", "-")
		if changed(flag) {
			set()
			from(path, "--"+flag)
		}
	}
}

func (a *app) guard(cmd *cobra.Command, cfg guard.Config, check bool) error {
	g, err := guard.New(cfg)
	if err != nil {
		return err
	}
	if check {
		fmt.Fprintf(a.stdout, "the configuration is good: %d routes\n", len(cfg.Routes))
		return g.Close()
	}
	if err := g.Listen(); err != nil {
		g.Close()
		return err
	}
	addrs := g.Addrs()
	for _, what := range slices.Sorted(maps.Keys(addrs)) {
		fmt.Fprintf(a.stdout, "symbolon %s: guard: %s on %s\n", version(), what, addrs[what])
	}
	defer a.paceGarbage(cmd.Context())()
	return g.Run(cmd.Context())
}
