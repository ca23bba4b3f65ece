package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Config is what the operations work on.
type Config struct {
	Store  *store.Store
	Reader *store.Reader // the local copy that lists are read from; nil: the store's own (SQLite)
	// Replica is waited for after each commit; nil: nobody follows the store.
	Replica Follower
	// Counter is waited for before it is told when a credential was used; nil: what
	// the store has is told.
	Counter Counter
	// Journal keeps denials while the store is away; nil: they are refused then.
	Journal Journal
	Master  *keys.Master // seals new signing keys
	// OpenToken opens an opaque token of the issuer with that URL, as keys.Ring
	// does; nil: only signed tokens can be read.
	OpenToken func(iss, text string) (claims []byte, err error)
	BaseURL   string // the default issuer's URL
	// Endpoints are the URLs of the issuer with that id; nil: they are not shown.
	Endpoints func(issuer string) IssuerEndpoints
	// MaxStale is how long another node may go on with old documents: max_stale
	// where the store is shared, zero where it is this node's own.
	MaxStale time.Duration
	SpoolDir string           // the node's own records, for explain and search; empty: none
	Keep     time.Duration    // how long those are kept (audit.keep); zero: not told
	Node     string           // id of the node, in records
	Now      func() time.Time // default time.Now
	Logger   *slog.Logger     // default: discards
}

// Follower is the node's replica as far as administration needs it.
type Follower interface {
	// Await returns when the commit of that number is applied, or ctx ends.
	Await(ctx context.Context, seq int64) error
}

// Counter is the node's sums of its records as far as administration needs them.
type Counter interface {
	// Await returns when what this node has answered before is in the store's usage
	// and last uses, or ctx ends.
	Await(ctx context.Context) error
}

// Admin carries out administrative operations. Its methods may be called from
// several goroutines. Those that change something return the number of the
// commit that holds the change; it is the current one when nothing had to
// change.
type Admin struct {
	Config
	cascade int // clients that one commit may change because something else goes
	bounds  bounds
}

// New returns the operations over a store.
func New(cfg Config) *Admin {
	if cfg.Reader == nil {
		cfg.Reader = cfg.Store.Reader()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Admin{Config: cfg, cascade: maxCascade, bounds: defaultBounds}
}

// now is the time as documents hold it.
func (a *Admin) now() time.Time { return a.Now().UTC().Truncate(time.Microsecond) }

// maxAttempts bounds how often a change is begun again because it needed
// something that is not made inside a transaction.
const maxAttempts = 20

// errDry rolls a transaction back that was only to find out what it would do.
var errDry = errors.New("dry run")

// change runs f in a transaction, completes what follows from its changes
// (denials, keys, records), commits, and waits for the replica. What f does to
// the change is done again from the start when the transaction has to be
// repeated, so f must not keep anything across calls.
func (a *Admin) change(ctx context.Context, actor Actor, f func(*change) error) (int64, error) {
	pos, err := a.attempt(ctx, actor, f)
	if err != nil {
		return 0, fromStore(err)
	}
	if a.Replica == nil {
		return pos.Seq, nil
	}
	if err := a.Replica.Await(ctx, pos.Seq); err != nil {
		return pos.Seq, &Error{Code: Unavailable, cause: err,
			Message: fmt.Sprintf("the change is stored as commit %d, but this node has not applied it yet", pos.Seq),
			Fix:     "it will by itself; there is nothing to repeat"}
	}
	return pos.Seq, nil
}

func (a *Admin) attempt(ctx context.Context, actor Actor, f func(*change) error) (pos store.Position, err error) {
	prep := newPrepared(a.Master)
	for range maxAttempts {
		var c *change
		pos, err = a.Store.Update(ctx, func(tx *store.Tx) error {
			clear(prep.taken)
			c = &change{a: a, tx: tx, actor: actor, now: a.now(), prep: prep, staged: make(map[ref]*staged), meta: make(map[string]string)}
			if err := f(c); err != nil {
				return err
			}
			return c.finish()
		})
		if c == nil || !prep.pending() {
			break
		}
		// What was missing may also be why f failed, so its error means nothing.
		if err := prep.make(ctx); err != nil {
			return pos, err
		}
		err = errors.New("admin: a change never had all that it needed")
	}
	if errors.Is(err, errDry) {
		err = nil
	}
	return pos, err
}

// view is the issuers and APIs as they would be after the change.
func (c *change) view() (registry.View, error) {
	v := registry.View{Base: c.a.BaseURL, Issuers: make(map[string]*registry.Issuer), APIs: make(map[string]*registry.API)}
	issuers, err := all[registry.Issuer](c, registry.KindIssuer)
	if err != nil {
		return v, err
	}
	apis, err := all[registry.API](c, registry.KindAPI)
	if err != nil {
		return v, err
	}
	for _, i := range issuers {
		v.Issuers[i.ID] = i
	}
	for _, api := range apis {
		v.APIs[api.ID] = api
	}
	return v, nil
}
