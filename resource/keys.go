package resource

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Times of following an issuer's keys.
const (
	// keyPause is the least time between two fetches from an issuer that
	// answers, however many tokens name keys that are not known
	// (coreos/go-oidc#482): nobody can use this API to flood its issuer.
	keyPause = 10 * time.Second
	// keyWait is how long a request waits for a fetch.
	keyWait = 3 * time.Second
	// Bounds of the time between two fetches that succeed, and of that after
	// several in a row that failed.
	minRefresh, maxRefresh = 30 * time.Second, 30 * time.Minute
	maxBackoff             = 5 * time.Minute
)

// keys follows the issuer's key set. Nothing runs between fetches but a timer.
type keys struct {
	cfg     *Config
	issuer  string
	learn   func(*symbolon.ServerMetadata) // of each metadata that was read; nil: a read that failed
	current atomic.Pointer[keySet]
	begin   func() // reads the stored set and starts the first fetch, once

	ctx    context.Context // of fetches
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	round   chan struct{} // closed when the fetch under way ends; nil: none is
	next    time.Time     // before, no request causes a fetch
	timer   *time.Timer   // the next fetch by itself
	failed  error         // of the last fetch; nil: it succeeded
	row     int           // how many failed, one after the other
	jwksURI string
	found   time.Time // when the metadata was read
}

func (k *keys) init(cfg *Config, issuer string, learn func(*symbolon.ServerMetadata)) {
	k.cfg, k.issuer, k.learn = cfg, issuer, learn
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.begin = sync.OnceFunc(k.first)
}

func (k *keys) first() {
	if set := k.load(); set != nil {
		k.current.Store(set)
	}
	k.fetch(k.cfg.Now())
}

func (k *keys) close() {
	k.mu.Lock()
	k.cancel()
	if k.timer != nil {
		k.timer.Stop()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

// has reports whether the key is still one of the issuer's.
func (k *keys) has(key *jose.Key, now time.Time) bool {
	set := k.current.Load()
	return set.usable(now, k.cfg.MaxStale) && set.byID[key.ID] == key
}

// find gives the key of this id. For one that is not known it waits for one
// fetch, if there may be one: the issuer may have begun to sign with it just
// now. No keys at all is not the caller's fault: 503.
func (k *keys) find(ctx context.Context, id string, now time.Time) (*jose.Key, *symbolon.Error) {
	k.begin()
	set := k.current.Load()
	if set.usable(now, k.cfg.MaxStale) {
		if key := set.byID[id]; key != nil {
			return key, nil
		}
		if id == "" {
			return nil, errKey
		}
	}
	if done := k.fetch(now); done != nil {
		waitFor(ctx, done)
	}
	set = k.current.Load() // also when none was begun: one may have ended just now
	if !set.usable(k.cfg.Now(), k.cfg.MaxStale) {
		e := errNoKeys.WithCause(k.why(ctx.Err()))
		e.RetryAfter = k.retryAfter()
		return nil, e
	}
	if key := set.byID[id]; key != nil {
		return key, nil
	}
	return nil, errKey
}

// waitFor waits until done is closed, but for no longer than a request may.
func waitFor(ctx context.Context, done <-chan struct{}) {
	limit := time.NewTimer(keyWait)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// fetch gives the fetch under way, or begins one if there may be one now; nil:
// there may not.
func (k *keys) fetch(now time.Time) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.round != nil {
		return k.round
	}
	// A clock that was set back must not lengthen the pause.
	if wait := k.next.Sub(now); wait > 0 && wait <= 2*keyPause {
		return nil
	}
	return k.start()
}

// start begins a fetch; the lock is held.
func (k *keys) start() <-chan struct{} {
	if k.ctx.Err() != nil {
		return nil
	}
	done := make(chan struct{})
	k.round = done
	if k.timer != nil {
		k.timer.Stop()
	}
	k.wg.Go(func() {
		k.run()
		close(done)
	})
	return done
}

// scheduled is the timer's fetch.
func (k *keys) scheduled() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.round == nil {
		k.start()
	}
}

// run makes one fetch and plans the next one.
func (k *keys) run() {
	set, life, err := k.get()
	now := k.cfg.Now()
	if err == nil {
		old := k.current.Load()
		set.keep(old)
		k.current.Store(set)
		if ids := set.gone(old); len(ids) > 0 {
			k.cfg.Logger.Info("keys left the issuer's set", "issuer", k.issuer, "kids", quoted(ids...))
		}
		k.store(set)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.round = nil
	pause := keyPause
	var again time.Duration
	if err == nil {
		if k.row > 0 {
			k.cfg.Logger.Info("the issuer's keys can be fetched again", "issuer", k.issuer)
		}
		k.row, k.failed = 0, nil
		again = spread(min(max(life/2, minRefresh), maxRefresh))
	} else {
		k.row++
		k.failed = err
		k.jwksURI = "" // it may have moved
		hurry := !answered(err) && !k.current.Load().usable(now, k.cfg.MaxStale)
		pause, again = backoff(k.row, hurry)
		k.log(err, again)
	}
	k.next = now.Add(pause)
	if k.ctx.Err() == nil {
		k.timer = time.AfterFunc(again, k.scheduled)
	}
}

func (k *keys) log(err error, again time.Duration) {
	level := slog.LevelWarn
	if k.row > 1 {
		level = slog.LevelDebug // once is enough
	}
	set := k.current.Load()
	if set == nil {
		k.cfg.Logger.Log(k.ctx, level, "the issuer's keys cannot be fetched, and there are none from before; tokens cannot be checked until they are: is this the issuer's URL, and does it run?",
			"issuer", k.issuer, "error", err, "next_attempt_in", again)
		return
	}
	k.cfg.Logger.Log(k.ctx, level, "the issuer's keys cannot be fetched; the last good ones stay in use until they are too old",
		"issuer", k.issuer, "error", err, "confirmed", set.confirmed, "max_stale", k.cfg.MaxStale, "next_attempt_in", again)
}

// backoff is how long no request causes a fetch after the row-th failure, and
// after how long one is made by itself. There is a hurry at first when there
// are no keys and the server cannot be reached, and so is not bothered: both
// may be starting.
func backoff(row int, hurry bool) (pause, again time.Duration) {
	d := maxBackoff
	if row < 10 { // beyond, the shift could overflow
		d = min(time.Second<<(row-1), maxBackoff)
	}
	pause = keyPause
	if hurry {
		pause = min(d, keyPause)
	}
	return pause, spread(max(d, pause))
}

// spread adds up to a fifth, so that many APIs do not ask together.
func spread(d time.Duration) time.Duration { return d + rand.N(d/5+1) }

// retryAfter is what a caller is told when there are no keys.
func (k *keys) retryAfter() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return min(max(k.next.Sub(k.cfg.Now()), time.Second), keyPause)
}

// why is the cause for there being no keys.
func (k *keys) why(waiting error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed != nil {
		return k.failed
	}
	return waiting
}

// trouble tells the same in words.
func (k *keys) trouble() string {
	if err := k.why(nil); err != nil {
		return err.Error()
	}
	return "it did not answer in time"
}
