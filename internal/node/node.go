package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/dialect"
	"github.com/symbolon/symbolon/internal/disk"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/state"
	"github.com/symbolon/symbolon/internal/store"
	"github.com/symbolon/symbolon/internal/web"
)

// Node is a running server: everything that cmd/symbolon starts with serve.
type Node struct {
	cfg     Config
	id      string
	dir     *dataDir
	store   *store.Store
	local   *store.Local // nil on SQLite, where the replica is the store's file
	replica *replica.Replica
	admin   *admin.Admin
	spool   *audit.Spool
	folder  *audit.Folder
	ring    *keys.Ring
	routes  []server.Route
	oauth   *server.Server

	vendors  *dialect.Endpoints
	dialects sync.Map // the routes of each, by *server.Dialect

	presented *dpop.Memory      // assertions and proofs that were good for a token
	shared    *shared           // the same of all nodes; nil on SQLite
	since     time.Time         // see server.Config.IssuedSince
	nonces    *dpop.Nonces      // for DPoP proofs
	fetched   *server.KeySource // keys of clients' jwks_uri

	proxies []netip.Prefix
	handler http.Handler

	mtls        *mtls // nil: no client presents a certificate to this node
	mtlsHandler http.Handler
	endpoints   sync.Map // *tokenEndpoint of each issuer, by its iss

	sockets     []net.Listener
	heard       []heard
	mtlsSocket  net.Listener // nil: the mtls URL is served by proxies, or by nobody
	adminSocket net.Listener
	draining    atomic.Bool

	state     *admin.ApplyRequest // what the declarative file says; nil: there is none
	postponed bool                // the store was away: settle is still to be done
}

// Open puts the program together and opens its sockets. Nothing is answered
// before Run. What it opened is closed again when it fails.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg}
	for _, step := range []func(context.Context) error{
		n.openDir, n.openSocket, n.openState, n.openStore, n.openKeys, n.openAudit, n.openReplay, n.openAdmin, n.openServer, n.warnOfIssuers,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

// openDir takes the data directory and the sockets: what another process may
// hold is found before anything is written.
func (n *Node) openDir(context.Context) (err error) {
	if n.dir, err = openDataDir(n.cfg.DataDir); err != nil {
		return n.cfg.Origins.Place("data_dir", err)
	}
	if n.id, err = n.dir.nodeID(); err != nil {
		return err
	}
	if err := n.openMTLS(); err != nil {
		return err
	}
	return n.listen()
}

// openStore opens the database and the replica that requests are answered
// from.
func (n *Node) openStore(ctx context.Context) (err error) {
	dsn, postgres := n.cfg.dsn()
	n.store, err = store.Open(ctx, store.Config{DSN: dsn, PoolSize: n.cfg.StorePool, Now: n.cfg.Now, Logger: n.cfg.Logger})
	if err != nil {
		return n.cfg.Origins.Place("store", err)
	}
	if postgres {
		n.local, err = store.OpenLocal(ctx, n.dir.join(replicaFile), store.LocalConfig{})
		if err != nil {
			return err
		}
	}
	n.replica, err = replica.Open(ctx, replica.Config{
		Store: n.store, Local: n.local, BaseURL: n.cfg.base(), MaxStale: n.cfg.MaxStale.Std(),
		ContactFile: n.dir.join(contactFile), JournalFile: n.dir.join(journalFile),
		Now: n.cfg.Now, Logger: n.cfg.Logger,
	})
	return err
}

// openKeys reads the master key. A new one is made only when there is nothing
// yet that another one sealed.
func (n *Node) openKeys(ctx context.Context) error {
	want, err := n.sealedWith(ctx)
	if err != nil {
		return err
	}
	master, err := n.loadMaster(want)
	if err != nil {
		return err
	}
	n.ring = keys.NewRing(master)
	n.nonces = dpop.NewNonces(master.NonceKey())
	n.admin = admin.New(admin.Config{
		Store: n.store, Reader: n.reader(), Replica: n.replica, Journal: n.replica, Master: master, OpenToken: n.ring.OpenToken, BaseURL: n.cfg.base(),
		MaxStale: n.sharedStale(), Endpoints: n.endpointsOf, SpoolDir: n.dir.join(spoolDir), Keep: n.cfg.Audit.Keep.Std(), Node: n.id, Now: n.cfg.Now, Logger: n.cfg.Logger,
	})
	return nil
}

// sealedWith is the id of the master key under which the store's signing keys
// were sealed; empty when there are none. It looks at every key there is, not
// only at those of issuers that can be used: a new master key beside any of them
// would lock it for good.
func (n *Node) sealedWith(ctx context.Context) (want string, err error) {
	err = n.reader().All(ctx, registry.KindKey, func(o store.Object) error {
		k, err := registry.DecodeKey(o.Doc)
		if err != nil {
			return fmt.Errorf("the signing key %s in the store cannot be read: %w; run the version that wrote it", o.ID, err)
		}
		if id, ok := keys.SealedWith(k); ok {
			want = id
		}
		return nil
	})
	return want, err
}

func (n *Node) loadMaster(want string) (*keys.Master, error) {
	return keys.LoadMaster(keys.MasterConfig{Dir: n.cfg.DataDir, Env: n.cfg.MasterKey, Want: want, MayCreate: true})
}

// sharedStale is how long another node may work with old documents: none where
// the store is this node's own.
func (n *Node) sharedStale() time.Duration {
	if n.local == nil {
		return 0
	}
	return n.cfg.MaxStale.Std()
}

func (n *Node) reader() *store.Reader {
	if n.local != nil {
		return n.local.Reader()
	}
	return n.store.Reader()
}

// openAudit opens the spool and the folds over it.
func (n *Node) openAudit(context.Context) (err error) {
	n.spool, err = audit.OpenSpool(audit.SpoolConfig{
		Dir: n.dir.join(spoolDir), Node: n.id, Sync: n.cfg.Audit.Sync, OnFull: n.cfg.Audit.OnFull,
		SegmentBytes: n.cfg.Audit.SegmentBytes, Now: n.cfg.Now, Logger: n.cfg.Logger,
	})
	if err != nil {
		return err
	}
	n.folder = audit.NewFolder(audit.FolderConfig{
		Store: n.store, Spool: n.spool, Keep: n.cfg.Audit.Keep.Std(), Now: n.cfg.Now, Logger: n.cfg.Logger,
	})
	n.admin.Counter = n.folder // which needs the spool; nobody asks before Open is done
	return nil
}

// openState reads the declarative file: a mistake in it is told at the start,
// whether the store is there or not. Whether the values that it names have to be
// there, the store knows.
func (n *Node) openState(context.Context) (err error) {
	if n.cfg.Apply == "" {
		return nil
	}
	n.state, err = state.LoadOnce(n.cfg.Apply, n.cfg.Getenv)
	var file *config.Error
	if errors.As(err, &file) && file.Line == 0 { // about the file as a whole, which apply names
		return n.cfg.Origins.Place("apply", fmt.Errorf("apply: %w", err))
	}
	return err
}

// openAdmin brings the store to what this node needs. While the store is away
// the node starts with its local copy, which openStore has found complete: a
// restart must not end what an outage did not.
func (n *Node) openAdmin(ctx context.Context) error {
	err := n.settle(ctx)
	if n.local == nil || !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	n.postponed = true
	n.cfg.Logger.Warn("the store is away; the node starts with its local copy, and changes nothing before the store is back",
		"copy_of", n.replica.Contact(), "usable_until", n.replica.Contact().Add(n.cfg.MaxStale.Std()), "error", err)
	return nil
}

// settle lets the server have its default issuer and its keys, and what the
// declarative file says, once per content.
func (n *Node) settle(ctx context.Context) error {
	if err := n.admin.Bootstrap(ctx); err != nil {
		return err
	}
	// Another node may have made the first keys of a shared store between our
	// look and now, under a master key of its own.
	want, err := n.sealedWith(ctx)
	if err != nil {
		return err
	}
	if _, err := n.loadMaster(want); err != nil {
		return err
	}
	if n.state == nil {
		return nil
	}
	plan, applied, err := n.admin.ApplyOnce(ctx, admin.File(), *n.state)
	if err != nil {
		return state.Placed(err, n.state)
	}
	if !applied && n.state.Missing != nil {
		n.cfg.Logger.Info("the declarative file was applied before: values that it names are not there any more, and not needed until it changes", "file", n.cfg.Apply)
	}
	if applied {
		for _, line := range state.Words(plan) {
			n.cfg.Logger.Info("apply", "file", n.cfg.Apply, "change", line)
		}
	}
	n.state = nil // it may hold secrets
	return nil
}

// openServer puts the OAuth endpoints behind the HTTP manners.
func (n *Node) openServer(context.Context) (err error) {
	if n.proxies, err = n.cfg.proxies(); err != nil {
		return err
	}
	allow, err := web.ParseNetworks(n.cfg.JWKSURIAllow)
	if err != nil {
		return err
	}
	n.fetched = server.NewKeySource(server.KeySourceConfig{Allow: allow, RootCAs: n.cfg.RootCAs, Now: n.cfg.Now, Logger: n.cfg.Logger})
	cfg := server.Config{
		Replica: n.replica, Ring: n.ring, Spool: n.spool, Keys: n.fetched, Nonces: n.nonces, Replay: n.presented, IssuedSince: n.since,
		Revoker: n.admin, Certificates: n.certificates, Now: n.cfg.Now, Logger: n.cfg.Logger,
	}
	if n.local != nil {
		cfg.Shared = n.shared
	}
	if n.mtls != nil && n.mtls.cas != nil {
		cfg.ClientCAs = n.mtls.cas.get
	}
	n.oauth = server.New(cfg)
	n.routes = n.oauth.Routes(nil)
	manners := web.Config{
		TrustedProxies: n.proxies, ProxyCertificates: n.mtls != nil && n.mtlsSocket == nil,
		WriteError: n.writeError, Logger: n.cfg.Logger, Now: n.cfg.Now,
	}
	n.handler = web.Wrap(manners, n.dispatch)
	manners.AskCertificates, manners.ProxyCertificates = true, false
	n.mtlsHandler = web.Wrap(manners, n.dispatchMTLS)
	n.vendors = dialect.New(dialect.Config{
		Server: n.oauth, Admin: n.admin, HTTP: &http.Client{Transport: inProcess{n.handler}}, Now: n.cfg.Now, Logger: n.cfg.Logger,
	})
	return nil
}

// Handler answers what arrives on the public listeners.
func (n *Node) Handler() http.Handler { return n.handler }

// Admin gives the administrative operations of the running server.
func (n *Node) Admin() *admin.Admin { return n.admin }

// ID names the node in records and in the list of nodes.
func (n *Node) ID() string { return n.id }

// Addrs are the addresses that the node listens on; that for clients with
// certificates is the last.
func (n *Node) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(n.sockets), len(n.sockets)+1)
	for i, s := range n.sockets {
		addrs[i] = s.Addr()
	}
	if n.mtlsSocket != nil {
		addrs = append(addrs, n.mtlsSocket.Addr())
	}
	return addrs
}

// Close closes what Open opened, in the opposite order.
func (n *Node) Close() error {
	var errs []error
	closing := func(c interface{ Close() error }, open bool) {
		if open {
			if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	closing(n.vendors, n.vendors != nil) // what it follows it asks of this node
	closing(n.adminSocket, n.adminSocket != nil)
	closing(n.mtlsSocket, n.mtlsSocket != nil)
	for _, s := range n.sockets {
		closing(s, true)
	}
	if n.fetched != nil {
		n.fetched.Close()
	}
	closing(n.spool, n.spool != nil)
	if len(errs) == 0 {
		errs = append(errs, n.endReplay())
	}
	closing(n.replica, n.replica != nil)
	closing(n.local, n.local != nil)
	closing(n.store, n.store != nil)
	if n.dir != nil {
		errs = append(errs, n.dir.close())
	}
	return errors.Join(errs...)
}

// nodeID is the name of this data directory's node: made once, so that a
// restart goes on where the evidence stopped.
func (d *dataDir) nodeID() (string, error) {
	path := d.join(nodeIDFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		id := "node-" + strings.ToLower(rand.Text()[:8])
		return id, disk.Replace(path, []byte(id+"\n"), 0o600)
	}
	id := strings.TrimSpace(string(b))
	if err == nil && (id == "" || len(id) > 64) {
		err = fmt.Errorf("%s does not hold the id of a node; restore it from a backup: the evidence in the spool belongs to it", path)
	}
	return id, err
}
