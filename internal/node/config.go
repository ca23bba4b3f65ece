// Package node is the program: it reads the configuration, puts the packages
// together, listens, and stops in order. Tests and package symbolontest boot it
// whole.
package node

import (
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// Config is symbolon.yaml. Each member may be overridden by the environment
// variable SYMBOLON_ and its path in capitals (SYMBOLON_DATA_DIR), and that by
// a flag.
type Config struct {
	// URL is the default issuer's URL: https, or http on a loopback name. It is
	// never taken from a request.
	URL string `yaml:"url"`
	// Listen are the addresses to serve on; default 127.0.0.1:8080.
	Listen []Listener `yaml:"listen"`
	// TLS is the certificate of listeners that name none of their own.
	TLS *TLSFiles `yaml:"tls"`
	// MTLS is where clients present certificates; default: nowhere.
	MTLS *MTLS `yaml:"mtls"`
	// TrustedProxies are the networks whose X-Forwarded-For counts; nobody by
	// default. Where mtls has no listen, their Client-Cert and Client-Cert-Chain
	// (RFC 9440) count too: then such a proxy must remove them from the requests
	// that it gets, or whoever asks it can claim any certificate.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// JWKSURIAllow are networks beyond the public Internet that a client's jwks_uri
	// may be in, as 10.20.0.0/16; none by default. The address that is dialled
	// counts, so a name cannot lead elsewhere. The URI gives a name: an address
	// that is not public cannot be registered, whatever is listed here.
	JWKSURIAllow []string `yaml:"jwks_uri_allow"`
	// Store is "sqlite" (in the data directory), "sqlite:PATH", or a
	// postgres:// URL, where several hosts are allowed.
	Store string `yaml:"store"`
	// DataDir holds the lock, the node's id, master.key, admin.sock, the database
	// (or its local copy), deny.journal and the spool; default DefaultDataDir. It is made with mode 0700.
	DataDir string `yaml:"data_dir"`
	// Apply is a declarative file that is applied at start, once per content.
	Apply string `yaml:"apply"`
	// MaxStale is how long a node goes on issuing without having heard from
	// its store; default 24h.
	MaxStale registry.Duration `yaml:"max_stale"`
	// Audit says how evidence is kept.
	Audit Audit `yaml:"audit"`

	// What a later version has is refused by name.
	AdminListen config.Later `yaml:"admin_listen"`

	// What follows is not part of the file.

	// Origins knows where the members came from, for errors about them; nil:
	// nobody does.
	Origins *config.Origins `yaml:"-"`
	// MasterKey is the value of SYMBOLON_MASTER_KEY; empty: the file.
	MasterKey string `yaml:"-"`
	// Sockets are listeners that exist already, besides those of Listen. With
	// Sockets and no Listen nothing else is opened.
	Sockets []net.Listener `yaml:"-"`
	// RootCAs are whom a jwks_uri's host must be certified by; nil: the system's.
	RootCAs *x509.CertPool `yaml:"-"`
	// StorePool is the store's PoolSize; zero: its default.
	StorePool int `yaml:"-"`
	// Version is shown in the list of nodes.
	Version string `yaml:"-"`
	// Around is put around what answers, as for the Date of a clock that a test
	// moves; nil: nothing.
	Around func(http.Handler) http.Handler `yaml:"-"`
	// Now is the clock; default time.Now.
	Now func() time.Time `yaml:"-"`
	// Logger gets the access log and what goes wrong; default: discards.
	Logger *slog.Logger `yaml:"-"`
	// Getenv reads the environment for the declarative file's value_from;
	// default: nothing is set.
	Getenv func(string) (string, bool) `yaml:"-"`
}

// Audit says how evidence is kept.
type Audit struct {
	// Sync waits for the disk before a token leaves, many requests together.
	Sync bool `yaml:"sync"`
	// OnFull is what happens when the spool's reserve is used up: "refuse"
	// (default) answers 503, "issue" goes on without evidence.
	OnFull string `yaml:"on_full"`
	// Keep is how long segments stay after they were flushed, and usage and copies
	// of refusals in the store; default 90d. Changes' records stay for good. A flood
	// of refused requests adds at most 2 GB a day to a node's spool and 0.3 GB to the
	// store (docs/decisions/0005).
	Keep registry.Duration `yaml:"keep"`
	// SegmentBytes is the size of a segment; default 16 MiB.
	SegmentBytes int64 `yaml:"segment_bytes"`
}

// Listener is an address, with a certificate of its own where it needs one. In
// the file it is a string or {addr: …, tls: {…}}.
type Listener struct {
	Addr string    `yaml:"addr"`
	TLS  *TLSFiles `yaml:"tls"`
	// Socket listens at Addr already; nil: it is opened.
	Socket net.Listener `yaml:"-"`
}

// UnmarshalText reads the short form.
func (l *Listener) UnmarshalText(text []byte) error {
	l.Addr = string(text)
	return nil
}

// TLSFiles are PEM files; they are read again when they change, and a broken
// pair keeps the old one.
type TLSFiles struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Defaults of Config.
const (
	defaultListen   = "127.0.0.1:8080"
	DefaultDataDir  = "./data"
	defaultMaxStale = registry.Duration(24 * time.Hour)
	defaultKeep     = registry.Duration(90 * 24 * time.Hour)
	minKeep         = 2 * time.Hour
)

// withDefaults fills what is not set.
func (c Config) withDefaults() Config {
	if len(c.Listen) == 0 && len(c.Sockets) == 0 {
		c.Listen = []Listener{{Addr: defaultListen}}
	}
	if c.Store == "" {
		c.Store = "sqlite"
	}
	if c.DataDir == "" {
		c.DataDir = DefaultDataDir
	}
	if c.MaxStale == 0 {
		c.MaxStale = defaultMaxStale
	}
	if c.Audit.Keep == 0 {
		c.Audit.Keep = defaultKeep
	}
	if c.Audit.OnFull == "" {
		c.Audit.OnFull = "refuse"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Getenv == nil {
		c.Getenv = func(string) (string, bool) { return "", false }
	}
	return c
}

// proxies parses TrustedProxies.
func (c *Config) proxies() ([]netip.Prefix, error) { return web.ParseNetworks(c.TrustedProxies) }

// base is the default issuer's URL as tokens carry it: without a final slash.
func (c *Config) base() string { return strings.TrimSuffix(c.URL, "/") }

// dsn is the store's address; postgres reports whether it is PostgreSQL.
func (c *Config) dsn() (dsn string, postgres bool) {
	switch {
	case c.Store == "sqlite":
		return "sqlite:" + filepath.Join(c.DataDir, "symbolon.db"), false
	case strings.HasPrefix(c.Store, "sqlite:"):
		return c.Store, false
	}
	return c.Store, true
}
