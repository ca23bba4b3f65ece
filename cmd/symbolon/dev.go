package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// What dev makes.
const (
	devAPI    = "hello"
	devScope  = "hello:read"
	devClient = "demo"
)

func newDevCmd(a *app) *cobra.Command {
	var port, apiPort int
	d := &dev{app: a}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a server, an API and a client on this machine, and print how to use them",
		Long: `dev starts a server with nothing configured, a sample API that it protects, and a
client with a secret. It prints the lines that get a token and call the API; they
work as printed. Everything is gone when it ends, unless --data-dir keeps it.

With --dialect it stands in for a vendor (` + strings.Join(dialects(), ", ") + `), for programs that
were written for it: over HTTPS on a port of its own, with a certificate authority,
an API, a client with a secret and a key pair, and an operator. It prints what those
programs read from their environment, and writes it into .env in the data directory.`,
		Example: "  symbolon dev\n  symbolon dev --port 9000 --data-dir ./dev-data\n  symbolon dev --dialect okta --data-dir ./okta-dev",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.run(cmd.Context(), port, apiPort)
		},
	}
	cmd.Flags().IntVar(&port, "port", 8080, "port of the server; when it is taken and not asked for, a free one")
	cmd.Flags().IntVar(&apiPort, "api-port", 8081, "port of the sample API; when it is taken and not asked for, a free one")
	cmd.Flags().StringVar(&d.dataDir, "data-dir", "", "keep the data in this directory (default: a temporary one)")
	cmd.Flags().StringVar(&d.dialect, "dialect", "", "stand in for a vendor: "+strings.Join(dialects(), ", "))
	cmd.Flags().IntVar(&d.dialectPort, "dialect-port", 0, "HTTPS port of the vendor's issuers (default 9443 okta, 9444 auth0, 9445 curity, 2600 simple); when it is taken and not asked for, a free one")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := d.checkDialect(cmd); err != nil {
			return err
		}
		// 0 asks for a free port; a default that is taken becomes one.
		if d.dialect == "" {
			return d.choose(cmd, wish{"port", &port}, wish{"api-port", &apiPort})
		}
		if !cmd.Flags().Changed("dialect-port") {
			d.dialectPort = vendors[d.dialect].port
		}
		return d.choose(cmd, wish{"port", &port}, wish{"dialect-port", &d.dialectPort})
	}
	return cmd
}

func (d *dev) checkDialect(cmd *cobra.Command) error {
	_, known := vendors[d.dialect]
	switch changed := cmd.Flags().Changed; {
	case d.dialect == "" && changed("dialect-port"):
		return usagef("--dialect-port is the port of a vendor's issuers; name the vendor with --dialect (%s)", strings.Join(dialects(), ", "))
	case !known && changed("dialect"):
		return usagef("--dialect %q is not one of %s", d.dialect, strings.Join(dialects(), ", "))
	case known && changed("api-port"):
		return usagef("--api-port is of the sample API, which does not run with --dialect: the vendor's programs take its place")
	}
	return nil
}

// dev is one run of the command.
type dev struct {
	*app
	dataDir     string
	dialect     string // "": the standards' own
	dialectPort int
	taken       []string // what is to be said of ports that others have
}

func (d *dev) run(ctx context.Context, port, apiPort int) (err error) {
	if d.dataDir == "" {
		if d.dataDir, err = os.MkdirTemp("", "symbolon-dev-"); err != nil {
			return err
		}
		defer os.RemoveAll(d.dataDir)
	}
	if d.dialect != "" {
		return d.runDialect(ctx, port)
	}
	sockets, issuer, err := loopback(port, "--port")
	if err != nil {
		return err
	}
	apiSockets, api, err := loopback(apiPort, "--api-port")
	if err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Config{
		URL: issuer, Sockets: sockets, DataDir: d.dataDir, Version: version(), Now: d.now, Logger: d.logger(),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- n.Run(ctx) }()
	end := func(err error) error {
		cancel()
		return errors.Join(err, <-stopped)
	}

	secret, err := d.prepare(ctx, n.Admin(), api)
	if err != nil {
		return end(err)
	}
	sample, err := sampleAPI(issuer, api)
	if err != nil {
		return end(err)
	}
	server := &http.Server{Handler: sample}
	for _, s := range apiSockets {
		go server.Serve(s)
	}
	defer server.Close()
	d.print(issuer, api, secret)
	err = <-stopped
	return err
}

// prepare makes the API and the client; in a kept data directory both may be
// there already, and the client then gets one more secret.
func (d *dev) prepare(ctx context.Context, ops *admin.Admin, api string) (admin.Secret, error) {
	actor := admin.Local(uint32(os.Getuid()), "")
	_, _, err := ops.CreateAPI(ctx, actor, registry.API{
		ID: devAPI, Issuer: registry.DefaultIssuer, Name: "Sample API", Identifier: api,
		Scopes: map[string]registry.Scope{devScope: {Description: "Say hello"}},
	})
	if err != nil && admin.CodeOf(err) != admin.Exists {
		return admin.Secret{}, err
	}
	made, _, err := ops.CreateClient(ctx, actor, admin.CreateClient{Client: registry.Client{
		ID: devClient, Name: "Sample client", Access: map[string][]string{devAPI: {devScope}},
	}})
	if admin.CodeOf(err) == admin.Exists {
		added, _, err := ops.AddSecret(ctx, actor, admin.Target{ID: devClient}, admin.NewCredential{})
		return added.Value, err
	}
	return made.Secret, err
}

// sampleAPI is what a protected API looks like.
func sampleAPI(issuer, audience string) (http.Handler, error) {
	api, err := resource.New(resource.Config{Issuer: issuer, Audience: audience})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /hello", api.Require(devScope)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"hello": resource.CallerFrom(r.Context()).ClientID})
	})))
	return mux, nil
}

func (d *dev) print(issuer, api string, secret admin.Secret) {
	fmt.Fprintf(d.stdout, `symbolon dev: a server, an API and a client on this machine. Ctrl-C ends it.

  issuer  %[1]s
  API     %[2]s/hello  (scope %[4]s)
  client  %[3]s
  data    %[6]s
%[8]s
Get a token and call the API, with curl:

  TOKEN=$(curl -s -u '%[3]s:%[5]s' -d grant_type=client_credentials -d scope=%[4]s %[1]s/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -s -H "Authorization: Bearer $TOKEN" %[2]s/hello

The same in one line:

  SECRET='%[5]s' %[7]s call --issuer %[1]s --client %[3]s --secret-env SECRET --scope %[4]s %[2]s/hello

Look behind it:

  curl -s %[1]s/.well-known/oauth-authorization-server
  %[7]s client list --data-dir %[6]s
  %[7]s audit search --data-dir %[6]s --client %[3]s

A request that is refused, and why:

  %[7]s explain --data-dir %[6]s "$(curl -s -o /dev/null -D - -u %[3]s:wrong -d grant_type=client_credentials %[1]s/token | %[9]s)"

`, issuer, api, devClient, devScope, secret.Reveal(), d.dataDir, d.name, strings.Join(d.taken, ""), requestID)
}

// requestID is a command that takes the id of a request out of the answer's headers,
// which HTTP/2 writes in lower case; "\r" in a bracket is understood by GNU alone.
const requestID = `tr -d '\r' | sed -n 's/^[Rr]equest-[Ii]d: //p'`

// loopback listens on a port of localhost, IPv4 and where there is one IPv6: a
// program may try either first. The flag that chooses the port is named in errors.
func loopback(port int, flag string) (sockets []net.Listener, url string, err error) {
	v4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, "", fmt.Errorf("port %d is in use by another program; choose another with %s", port, flag)
	}
	if err != nil {
		return nil, "", err
	}
	port = v4.Addr().(*net.TCPAddr).Port
	sockets = []net.Listener{v4}
	if v6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(port))); err == nil {
		sockets = append(sockets, v6)
	}
	return sockets, "http://localhost:" + strconv.Itoa(port), nil
}

// wish is a port that a flag asks for, or the flag's default.
type wish struct {
	flag string
	port *int
}

// choose gives 0, for any free port, in place of a default that another program
// has, or that the other flag asks for. It has that said: who looks at the usual
// port would talk to another program.
func (d *dev) choose(cmd *cobra.Command, a, b wish) error {
	asked := func(w wish) bool { return cmd.Flags().Changed(w.flag) }
	if *a.port == *b.port && *a.port != 0 {
		if asked(a) && asked(b) {
			return usagef("--%s and --%s both ask for port %d; give each its own", a.flag, b.flag, *a.port)
		}
		if !asked(a) {
			a, b = b, a
		}
		d.took(fmt.Sprintf("Port %d is what --%s asks for", *b.port, a.flag), b)
	}
	for _, w := range []wish{a, b} {
		if *w.port == 0 || asked(w) {
			continue
		}
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(*w.port)))
		if err != nil {
			d.took(fmt.Sprintf("Port %d is in use by another program", *w.port), w)
			continue
		}
		l.Close()
	}
	return nil
}

func (d *dev) took(why string, w wish) {
	*w.port = 0
	d.taken = append(d.taken, fmt.Sprintf("\n%s, so a free one was taken; --%s chooses one.\n", why, w.flag))
}
