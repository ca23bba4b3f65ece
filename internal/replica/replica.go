package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// ErrRebuilding: the copy starts from zero and does not have every client yet.
// What is cached is served; for the rest, try again in a moment.
var ErrRebuilding = errors.New("the local copy is being rebuilt: try again in a moment")

// ErrIncomplete is returned by Open when the local copy has never been complete
// and the store cannot be reached to complete it.
var ErrIncomplete = errors.New("the local copy is not complete and the store cannot be reached: start again when it can")

// Defaults of Config.
const (
	DefaultCacheClients = 20000
	DefaultCacheBytes   = 64 << 20
	DefaultMaxStale     = 24 * time.Hour
)

// Config says what a replica copies.
type Config struct {
	Store *store.Store
	// Local is the replica's file where the store is PostgreSQL. With SQLite it
	// is nil: there the store's own file is read.
	Local *store.Local
	// BaseURL is the URL of the default issuer.
	BaseURL string
	// MaxStale is how long after the last contact with the store the copy may
	// be used; zero: DefaultMaxStale. It has no meaning without Local.
	MaxStale time.Duration
	// ContactFile keeps the time of the last contact over restarts. Without it
	// a node that starts while the store is away is stale at once.
	ContactFile string
	// JournalFile keeps denials while the store is away. Without it there is no
	// journal.
	JournalFile string

	CacheClients int   // cached clients; zero: DefaultCacheClients
	CacheBytes   int64 // estimated memory of cached clients; zero: DefaultCacheBytes

	// Published is called after each snapshot has been published, in order, by
	// whoever applies or journals: it must be quick and must not call the replica
	// but for reading. nil: nothing is called.
	Published func(*registry.Snapshot)

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: discards
}

// rows reads single objects from the local file.
type rows interface {
	Get(ctx context.Context, kind, id string) (store.Object, error)
	Seq(ctx context.Context, kind, id string) (int64, error)
}

// Replica is a node's copy of the store. Its methods may be called from several
// goroutines.
type Replica struct {
	cfg      Config
	reader   *store.Reader
	rows     rows // the reader; tests count and delay it
	snapshot atomic.Pointer[registry.Snapshot]
	cache    *cache
	refresh  *refresher
	contact  *contact

	journal *journal
	showing sync.Mutex         // held by who publishes
	base    *registry.Snapshot // the snapshot without what is pending

	away     atomic.Bool  // the store did not answer the last time
	rebuilds atomic.Int64 // odd while the file lacks what the store has

	follower
	stop context.CancelFunc

	loads, checks, catchUps atomic.Int64
	page                    int           // changesPage
	poll                    time.Duration // pollEvery
	step                    func(string)  // tests stop between the steps of an apply; nil
}

// Open makes the copy complete and returns it. Where the store is away and the
// file is complete, it starts with what the file has. It does not follow: Run
// does.
func Open(ctx context.Context, cfg Config) (*Replica, error) {
	return open(ctx, cfg, func(*Replica) {})
}

// open lets tests tune the replica before it reads anything.
func open(ctx context.Context, cfg Config, tune func(*Replica)) (*Replica, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.MaxStale = cmp.Or(cfg.MaxStale, DefaultMaxStale)
	r := &Replica{
		cfg:      cfg,
		cache:    newCache(cmp.Or(cfg.CacheClients, DefaultCacheClients), cmp.Or(cfg.CacheBytes, DefaultCacheBytes)),
		follower: follower{turn: make(chan struct{}, 1), published: make(chan struct{})},
		contact:  openContact(cfg.ContactFile, cfg.Now),
		page:     changesPage,
		poll:     pollEvery,
	}
	if r.reader = cfg.Store.Reader(); cfg.Local != nil {
		r.reader = cfg.Local.Reader()
	}
	if r.reader == nil {
		return nil, errors.New("replica: a store on PostgreSQL needs Config.Local")
	}
	var err error
	if r.journal, err = openJournal(cfg.JournalFile); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	r.rows = r.reader
	life, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.refresh = &refresher{catchUp: r.CatchUp, away: r.away.Load, life: life}
	tune(r)
	if err := r.start(ctx); err != nil {
		stop()
		return nil, err
	}
	return r, nil
}

// Close ends what requests have set going. The store and the file stay open.
func (r *Replica) Close() error {
	r.stop()
	r.refresh.end()
	return r.contact.save()
}

// Snapshot is the newest snapshot. A request takes it before anything else.
func (r *Replica) Snapshot() *registry.Snapshot { return r.snapshot.Load() }

// Reader reads the local file: for lists, which may be a moment behind.
func (r *Replica) Reader() *store.Reader { return r.reader }

// maxClientID is the longest id that a client can have. Longer ones are not
// looked for, and keep no memory.
const maxClientID = 128

// Client returns the client of that id as it is at the snapshot that the
// request has taken before, or later; for an id that nobody has, a decoy. What is
// pending of it is taken away already. Errors are ErrRebuilding and those of the
// file.
func (r *Replica) Client(ctx context.Context, id string) (*Entry, error) {
	if e := r.cache.get(id); e != nil {
		return r.journal.without(e), nil
	}
	if len(id) > maxClientID {
		return decoy(0), nil
	}
	e, err := r.cache.fetch(ctx, id, func(ctx context.Context) (*Entry, error) { return r.load(ctx, id) })
	return r.journal.without(e), err
}

// load reads a client from the file.
func (r *Replica) load(ctx context.Context, id string) (*Entry, error) {
	r.loads.Add(1)
	rebuilds := r.rebuilds.Load()
	o, err := r.rows.Get(ctx, registry.KindClient, id)
	switch {
	case r.filling(rebuilds):
		return nil, ErrRebuilding
	case errors.Is(err, store.ErrNotFound):
		return decoy(0), nil
	case err != nil:
		return nil, fmt.Errorf("replica: read client: %w", err)
	}
	e := newEntry(o)
	if e.Unusable != nil {
		r.cfg.Logger.Warn("a client is not used", "client", id, "reason", e.Unusable)
	}
	return e, nil
}

// filling reports whether what was read since rebuilds was taken may come from
// a file that was being filled: a row that is missing there is not a client
// that does not exist.
func (r *Replica) filling(rebuilds int64) bool {
	return rebuilds%2 != 0 || r.rebuilds.Load() != rebuilds
}

// Confirm is asked before a request is refused because of its client: an
// unknown id, a wrong secret, a state, an access that is missing. A refusal is
// never answered from the cache alone: the store is asked for news, together
// with whoever else asks, and the client is read again if it was written since
// the entry e. The steps are the same whatever the reason of the refusal.
//
// It returns the entry and the snapshot to decide on once more; the request
// takes them in place of those it had.
func (r *Replica) Confirm(ctx context.Context, id string, e *Entry) (*Entry, *registry.Snapshot, error) {
	r.refresh.wait(ctx)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	snapshot := r.Snapshot() // before the client, as ever
	if len(id) > maxClientID {
		return e, snapshot, nil
	}
	rebuilds := r.rebuilds.Load()
	if rebuilds%2 == 0 && e.confirmed.Load() == snapshot.Gen() {
		return r.journal.without(e), snapshot, nil // no commit since the row was looked at
	}
	r.checks.Add(1)
	seq, err := r.rows.Seq(context.WithoutCancel(ctx), registry.KindClient, id)
	switch {
	case r.filling(rebuilds):
		return nil, nil, ErrRebuilding
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, nil, fmt.Errorf("replica: check client: %w", err)
	case seq == e.Seq: // 0 where there is none
		e.confirmed.Store(snapshot.Gen())
		return r.journal.without(e), snapshot, nil
	}
	e, err = r.cache.fetchAnew(ctx, id, func(ctx context.Context) (*Entry, error) { return r.load(ctx, id) })
	if err != nil {
		return nil, nil, err
	}
	return r.journal.without(e), snapshot, nil
}

// Contact is when the store was last heard of: the copy is not older. On SQLite
// that is now.
func (r *Replica) Contact() time.Time {
	if r.cfg.Local == nil {
		return r.cfg.Now()
	}
	return r.contact.time()
}

// Stale reports whether the last contact is so long ago that the copy must not
// be used any more.
func (r *Replica) Stale() bool {
	return r.cfg.Local != nil && r.cfg.Now().Sub(r.contact.time()) > r.cfg.MaxStale
}

// Away reports whether the store did not answer the last time it was asked.
func (r *Replica) Away() bool { return r.away.Load() }

// Stats counts what happened since Open.
type Stats struct {
	Loads    int64 // clients read from the file
	Checks   int64 // rows whose seq was read before a refusal
	CatchUps int64 // questions to the store for what is new
	Clients  int   // cached now
	Bytes    int64 // estimated memory of the cache now
}

// Stats returns the counts.
func (r *Replica) Stats() Stats {
	clients, bytes := r.cache.sizes()
	return Stats{Loads: r.loads.Load(), Checks: r.checks.Load(), CatchUps: r.catchUps.Load(), Clients: clients, Bytes: bytes}
}

// follower is what the one who applies has.
type follower struct {
	turn     chan struct{}           // whose turn it is to apply
	at       store.Position          // where to follow from
	docs     map[object]registry.Doc // of the small kinds but denials, at the last applied change
	changed  bool                    // docs are not those of the snapshot any more
	denials  *registry.Denials       // at the last publication
	written  map[string]registry.Doc // denials since then, by id; a deleted one has no document
	unused   []registry.Warning      // of the snapshot's docs
	warnings map[registry.Warning]bool
	tidied   time.Time // only Run touches it

	mu        sync.Mutex
	published chan struct{} // closed at the next publication
}

type object struct{ kind, id string }
