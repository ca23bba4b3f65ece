package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/symbolon/symbolon/internal/disk"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// standIn is one run of dev in place of a vendor. Its exported fields are for the
// vendor's templates.
type standIn struct {
	*dev
	vendor vendor
	config node.Config

	Dialect, Vendor string // its id, and as people say it
	URL             string // of the dialect's issuers: https://localhost:9443
	Host            string // localhost:9443
	Default         string // the default issuer's URL
	Dir             string // the data directory, absolute
	Name            string // how this program was called
	Taken           string // what is to be said of ports that others have

	Secret, Management, Token string // of the client, the management client, the operator
	Env, Lines, Refused       string // what of the vendor's templates is printed
	Gone                      string // what of it cannot work, and what brings it back
}

// runDialect serves the default issuer and, over HTTPS on a port of its own, the
// vendor's.
func (d *dev) runDialect(ctx context.Context, port int) (err error) {
	v := vendors[d.dialect]
	s := &standIn{dev: d, vendor: v, Dialect: d.dialect, Vendor: v.name, Name: d.name, Taken: strings.Join(d.taken, "")}
	if s.Dir, err = filepath.Abs(d.dataDir); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.listen(port); err != nil {
		return err
	}
	s.config.Apply = filepath.Join(s.Dir, d.dialect+".yaml")
	if err := s.write(s.config.Apply, v.state); err != nil {
		return err
	}
	n, err := node.Open(ctx, s.config)
	if err != nil {
		return err
	}
	// Not before the directory is ours: another one may be running there.
	err = s.write(filepath.Join(s.Dir, ".env"), v.env)
	if err == nil {
		s.Gone, err = s.gone(ctx, n.Admin())
	}
	if err == nil {
		err = s.print()
	}
	if err != nil {
		return errors.Join(err, n.Close())
	}
	return n.Run(ctx)
}

// listen opens both ports, and names the issuers by them.
func (s *standIn) listen(port int) (err error) {
	s.config = node.Config{DataDir: s.Dir, Version: version(), Now: s.now, Logger: s.logger()}
	if s.config.Sockets, s.Default, err = loopback(port, "--port"); err != nil {
		return err
	}
	s.config.URL = s.Default
	sockets, plain, err := loopback(s.dialectPort, "--dialect-port")
	if err != nil {
		return err
	}
	files := &node.TLSFiles{Cert: filepath.Join(s.Dir, tlsFile), Key: filepath.Join(s.Dir, tlsKeyFile)}
	for _, socket := range sockets {
		s.config.Listen = append(s.config.Listen, node.Listener{Addr: socket.Addr().String(), Socket: socket, TLS: files})
	}
	// Programs leave the default port out, and the issuer is what they compare.
	s.Host = strings.TrimSuffix(strings.TrimPrefix(plain, "http://"), ":443")
	s.URL = "https://" + s.Host
	return nil
}

// prepare makes the files that outlive a start: the authority, the key pairs and
// the secrets, so that programs need be configured once.
func (s *standIn) prepare() (err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	if err := certify(s.Dir, s.now()); err != nil {
		return err
	}
	if err := s.keepPair("client"); err != nil {
		return err
	}
	if s.Secret, err = s.keepSecret("client.secret"); err != nil {
		return err
	}
	switch s.dialect {
	case registry.DialectOkta:
		if err := s.keepPair("dpop"); err != nil {
			return err
		}
		s.Token, err = s.keepSecret("operator.token")
	case registry.DialectAuth0:
		s.Management, err = s.keepSecret("management.secret")
	}
	return err
}

// ManagementScopes are all those of the vendor's management API.
func (s *standIn) ManagementScopes() []string {
	issuer := registry.Issuer{ID: s.Dialect, URL: s.URL, Dialect: s.Dialect}
	return slices.Sorted(maps.Keys(issuer.Management(s.Default).Scopes))
}

// keepPair makes a key pair and its public key as a JWK, unless it is there.
func (s *standIn) keepPair(name string) error {
	path := filepath.Join(s.Dir, name)
	if _, err := os.Stat(path + ".key"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer (&place{app: s.app}).waiting("looking for prime numbers")()
	private, err := keyMakers[jose.RS256]() // what all vendors take
	if err != nil {
		return err
	}
	pair, err := newPair(private, jose.RS256, "")
	if err != nil {
		return err
	}
	files, err := pair.files(path, private)
	if err != nil {
		return err
	}
	return writeAll(append(files, newFile{path + ".json", append(pair.JWK, '\n'), 0o644}))
}

// keepSecret gives the secret in a file, which is made where it is missing.
func (s *standIn) keepSecret(name string) (string, error) {
	path := filepath.Join(s.Dir, name)
	text, err := readLimited(path, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		var random [32]byte
		rand.Read(random[:]) // never fails
		secret := registry.FormatSecret(random)
		return secret, writeNew(path, []byte(secret+"\n"), 0o600)
	}
	secret := strings.TrimSpace(string(text))
	if err == nil && !registry.IsGenerated(secret) {
		err = fmt.Errorf("%s holds no secret that symbolon has made; choose another --data-dir, or remove this one", path)
	}
	return secret, err
}

// write executes a template into a file for this user alone.
func (s *standIn) write(path, text string) error {
	out, err := s.execute(text)
	if err != nil {
		return err
	}
	return disk.Replace(path, []byte(out), 0o600)
}

func (s *standIn) execute(text string) (string, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"file":      s.path,
		"quote":     quoted,
		"requestID": func() string { return requestID },
		// token is a command that takes a member out of a JSON object, with what
		// every system has.
		"token": func(member string) string { return `sed 's/.*"` + member + `":"\([^"]*\)".*/\1/'` },
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = t.Execute(&out, s)
	return out.String(), err
}

// quoted is a value as shells read it, and readers of .env files too.
func quoted(text string) string {
	special := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-+:@%", r)
	}
	if text != "" && !strings.ContainsFunc(text, special) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

const standInText = `symbolon dev: a stand-in for {{.Vendor}} on this machine. Ctrl-C ends it.

  server    {{.URL}}  (and the default issuer at {{.Default}})
  client    {{.Dialect}}-demo
  key pair  {{file "client.key"}} and {{file "client.pub"}}
  CA        {{file "ca.pem"}}
  data      {{quote .Dir}}
{{.Taken}}{{.Gone}}
What its programs read from their environment, also in {{file ".env"}}:

{{.Env}}
Node reads NODE_EXTRA_CA_CERTS from the environment that it is started with alone:
load the file into the shell that starts your program. Then try it, with curl:

  set -a; . {{file ".env"}}; set +a
{{.Lines}}
A request that is refused, and why:

  {{.Name}} explain --data-dir {{quote .Dir}} "$(curl -s -o /dev/null -D - --cacert "$NODE_EXTRA_CA_CERTS" {{.Refused}} | {{requestID}})"

Look behind it:

  {{.Name}} client list --data-dir {{quote .Dir}}
  {{.Name}} audit search --data-dir {{quote .Dir}} --client {{.Dialect}}-demo

`

func (s *standIn) print() (err error) {
	if s.Env, err = s.execute(s.vendor.env); err != nil {
		return err
	}
	if s.Lines, err = s.execute(s.vendor.lines); err != nil {
		return err
	}
	if s.Refused, err = s.execute(s.vendor.refused); err != nil {
		return err
	}
	out, err := s.execute(standInText)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.stdout, out)
	return err
}
