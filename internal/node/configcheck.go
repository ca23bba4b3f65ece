package node

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// complain takes what is wrong with the member that path leads to; the text
// begins with the name of the member.
type complain func(path, format string, args ...any)

// validate says what is wrong, all at once, and where it came from. It expects
// the defaults filled in.
func (c *Config) validate() error {
	var problems []error
	bad := func(path, format string, args ...any) {
		problems = append(problems, c.Origins.Place(path, fmt.Errorf(format, args...)))
	}
	if err := checkURL(c.URL); err != nil {
		problems = append(problems, c.Origins.Missing("url", fmt.Errorf("url: %w", err)))
	}
	switch {
	case c.Store == "sqlite", strings.HasPrefix(c.Store, "sqlite:"), strings.HasPrefix(c.Store, "postgres://"), strings.HasPrefix(c.Store, "postgresql://"):
	default:
		bad("store", `store: write "sqlite", "sqlite:PATH" or a postgres:// URL`)
	}
	if c.Audit.OnFull != "refuse" && c.Audit.OnFull != "issue" {
		bad("audit.on_full", `audit.on_full: write "refuse" or "issue"`)
	}
	if c.MaxStale < 0 {
		bad("max_stale", "max_stale: must not be negative")
	}
	if c.Audit.Keep.Std() < minKeep {
		bad("audit.keep", "audit.keep: must be at least %s: a node that starts reads from its evidence which assertions and proofs were used", minKeep)
	}
	checkNetworks("trusted_proxies", c.TrustedProxies, bad)
	checkNetworks("jwks_uri_allow", c.JWKSURIAllow, bad)
	proxies, err := c.proxies()
	behindProxy := err == nil && len(proxies) > 0
	c.checkMTLS(behindProxy, bad)
	for i, l := range c.Listen {
		if err := c.checkListener(l, behindProxy); err != nil {
			bad(listenPath(i)+".addr", "listen: %w", err)
		}
	}
	return errors.Join(problems...)
}

// listenPath leads to an entry of the member listen.
func listenPath(i int) string { return "listen." + strconv.Itoa(i) }

// checkNetworks looks at each entry of a list of networks.
func checkNetworks(member string, networks []string, bad complain) {
	for i, network := range networks {
		if _, err := web.ParseNetworks([]string{network}); err != nil {
			bad(member+"."+strconv.Itoa(i), member+": %w", err)
		}
	}
}

// checkURL holds the default issuer to what every issuer is held to.
func checkURL(text string) error {
	if text == "" {
		return errors.New("missing; it is the https URL under which programs reach this server, as https://auth.example.com; give it with --url, or as url in the file that --config names")
	}
	if message, fix := registry.CheckURL(text); message != "" {
		return fmt.Errorf("%s; %s", message, fix)
	}
	return nil
}

// checkListener refuses plain HTTP that others could read or reach: tokens and
// secrets would cross the network in the clear.
func (c *Config) checkListener(l Listener, behindProxy bool) error {
	host, _, err := net.SplitHostPort(l.Addr)
	if err != nil {
		return fmt.Errorf("%q is not an address; write host:port, as 127.0.0.1:8080", l.Addr)
	}
	if l.TLS != nil || c.TLS != nil || behindProxy || symbolon.Loopback(host) {
		return nil
	}
	return fmt.Errorf("%s is not loopback and has no tls; give it a certificate, or name the proxies in front of it in trusted_proxies", l.Addr)
}
