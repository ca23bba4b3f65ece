package resource

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Times of following a revocation set.
const (
	setWait   = 20 * time.Second       // how long an answer may take that has no news
	setGrace  = 10 * time.Second       // and how much longer, before it is given up
	setTime   = time.Minute            // for an answer that may be long
	setPause  = 200 * time.Millisecond // between two requests
	firstFail = 500 * time.Millisecond // before the next request after a failure
	mostFail  = 10 * time.Second
	mostWait  = time.Minute // what an issuer may ask for in Retry-After
)

// follower follows what an issuer denies.
type follower struct {
	cfg    *Config
	issuer string

	current atomic.Pointer[heldSet]
	heard   atomic.Int64 // when a set was last taken, in nanoseconds since 1970
	begin   func()       // takes over the stored set, once, and goes on from there

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	tried chan struct{} // closed when it was tried once to hear the issuer, or there is nothing to hear
	once  sync.Once

	mu      sync.Mutex
	at      places
	running bool
	absent  bool               // the metadata was read, and names no set
	waiting context.CancelFunc // ends the request under way; nil: none is
	round   chan struct{}      // closed when the issuer was asked in a hurry; nil: nobody is in one
	hurried time.Time          // when somebody last was

	wake chan struct{} // ends a pause

	copies setKeeper

	// Of the goroutine that follows alone.
	keys      *jose.KeySet
	keysAt    time.Time
	impatient bool // it asks without waiting
	row       int  // failures, one after the other
	stored    time.Time
}

// places are where a set and its keys are.
type places struct{ set, keys string }

func (f *follower) init(cfg *Config, issuer string) {
	f.cfg, f.issuer, f.tried, f.wake = cfg, issuer, make(chan struct{}), make(chan struct{}, 1)
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.begin = sync.OnceFunc(f.start)
	f.copies.write = f.store
}

func (f *follower) start() {
	if f.cfg.Revocations.Off {
		f.wasTried()
		return
	}
	if set, at, heard := f.load(); set != nil {
		f.current.Store(set)
		f.heard.Store(heard.UnixNano())
		f.follow(at)
	}
}

// learn is told of the issuer's metadata; nil: it could not be read.
func (f *follower) learn(doc *symbolon.ServerMetadata) {
	switch {
	case f.cfg.Revocations.Off:
	case doc != nil && doc.RevocationsURI != "" && doc.RevocationsJWKSURI != "":
		f.follow(places{doc.RevocationsURI, doc.RevocationsJWKSURI})
	default:
		f.mu.Lock()
		f.absent = f.absent || doc != nil
		running := f.running
		f.mu.Unlock()
		if !running {
			f.wasTried()
		}
	}
}

// follow starts what follows, or tells it that the set has moved. A set that was
// followed once is not given up because the metadata stops to name it.
func (f *follower) follow(at places) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = at
	if !f.running && f.ctx.Err() == nil {
		f.running = true
		f.wg.Go(f.run)
	}
}

func (f *follower) close() {
	f.mu.Lock() // no follow begins from here on
	f.cancel()
	f.mu.Unlock()
	f.wg.Wait()
	f.copies.close()
}

func (f *follower) wasTried() { f.once.Do(func() { close(f.tried) }) }

func (f *follower) hasTried() bool {
	select {
	case <-f.tried:
		return true
	default:
		return false
	}
}

// inForce gives the set to go by now, nil where there is none to go by.
func (f *follower) inForce(ctx context.Context, now time.Time, t *symbolon.Trace) (*heldSet, *symbolon.Error) {
	set := f.current.Load()
	if set == nil {
		f.begin()
		if !f.hasTried() {
			waitFor(ctx, f.tried)
		}
		set = f.current.Load()
	}
	if set != nil {
		if f.good(set, now) {
			return set, nil
		}
		// The machine may have slept, or its clock been set: the issuer is asked at
		// once, before somebody is refused.
		f.hurry(ctx)
		set, now = f.current.Load(), f.cfg.Now()
	}
	policy := &f.cfg.Revocations
	switch {
	case set != nil && f.old(set, now):
		return nil, f.stale(t, "a set that is not older than "+policy.MaxStale.String(), "of "+at(set.asOf))
	case set != nil && f.recent(now), policy.OnStale != OnStaleDeny:
		if set == nil {
			t.OK("revocation", "docs/revocation-set.md", "", "the issuer publishes no revocation set that was heard of")
		}
		return set, nil
	}
	return nil, f.stale(t, "an issuer that was heard in the last "+policy.MaxAge.String(), f.when(set))
}

// ready reports whether inForce would refuse nobody.
func (f *follower) ready(now time.Time) bool {
	set := f.current.Load()
	if set == nil {
		return f.cfg.Revocations.Off || f.cfg.Revocations.OnStale != OnStaleDeny
	}
	return f.good(set, now)
}

// good reports whether the set can be gone by whatever the policy.
func (f *follower) good(set *heldSet, now time.Time) bool {
	return !f.old(set, now) && (f.recent(now) || f.cfg.Revocations.OnStale != OnStaleDeny)
}

// old reports whether the node that made the set had not heard from its store for
// too long.
func (f *follower) old(set *heldSet, now time.Time) bool {
	return now.Unix()-set.asOf > int64(f.cfg.Revocations.MaxStale/time.Second)
}

// hurry has the issuer asked at once, and waits for what comes, but not for long.
// It is asked so at most once in ten seconds, whatever requests there are.
func (f *follower) hurry(ctx context.Context) {
	f.mu.Lock()
	if f.round == nil {
		now := f.cfg.Now()
		// A clock that was set back must not lengthen the pause.
		if !f.running || now.Sub(f.hurried).Abs() < keyPause {
			f.mu.Unlock()
			return
		}
		f.hurried, f.round = now, make(chan struct{})
		if f.waiting != nil {
			f.waiting()
		}
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
	round := f.round
	f.mu.Unlock()
	waitFor(ctx, round)
}

// recent reports whether the issuer was heard within MaxAge. What was heard in
// the future belongs to a clock that was wrong, then or now.
func (f *follower) recent(now time.Time) bool {
	age := time.Duration(now.UnixNano() - f.heard.Load())
	return age <= f.cfg.Revocations.MaxAge && age > -time.Minute
}

func (f *follower) stale(t *symbolon.Trace, want, got string) *symbolon.Error {
	if t != nil {
		t.Fail("revocation", "docs/revocation-set.md", want, got, "see that the issuer can be reached from here, and what it says at its symbolon_revocations_uri")
	}
	e := errNoSet.WithCause(nil)
	e.RetryAfter = 5 * time.Second
	return e
}

// when the issuer was heard, in words.
func (f *follower) when(set *heldSet) string {
	f.mu.Lock()
	absent := f.absent && !f.running
	f.mu.Unlock()
	switch {
	case absent:
		return "its metadata names no revocation set"
	case set == nil:
		return "its revocation set was never heard"
	}
	return "last heard at " + at(time.Unix(0, f.heard.Load()).Unix())
}

func at(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// run follows until close.
func (f *follower) run() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-pause.C:
		case <-f.wake:
		}
		round := f.inHurry()
		f.impatient = f.impatient || round != nil
		began := time.Now()
		again, err := f.poll()
		if f.ctx.Err() != nil {
			return
		}
		f.wasTried()
		if f.answered(round) {
			pause.Reset(0) // the request was ended for one in a hurry
			continue
		}
		if err != nil {
			f.row++
			f.impatient = true // an issuer that is back is heard at once, not when it has news
			again = max(again, spread(min(firstFail<<min(f.row-1, 10), mostFail)))
			f.log(err, again)
		} else {
			if f.row > 0 {
				f.cfg.Logger.Info("the issuer's revocation set can be followed again", "issuer", f.issuer)
			}
			f.row = 0
			again = setPause - time.Since(began) // none after a wait
		}
		pause.Reset(max(again, 0))
	}
}

// inHurry gives what those wait for who are in a hurry; nil: nobody is.
func (f *follower) inHurry() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.round
}

// answered lets those go on who waited for the request that ended. It reports
// whether somebody began to hurry while that was under way.
func (f *follower) answered(round chan struct{}) (more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if round != nil {
		close(round)
		f.round = nil
	}
	return f.round != nil
}

func (f *follower) log(err error, again time.Duration) {
	level := slog.LevelWarn
	if f.row > 1 {
		level = slog.LevelDebug // once is enough
	}
	f.cfg.Logger.Log(f.ctx, level, "the issuer's revocation set cannot be followed; "+f.consequence(),
		"issuer", f.issuer, "error", err, "heard", time.Unix(0, f.heard.Load()).UTC(), "next_attempt_in", again)
}

func (f *follower) consequence() string {
	if f.cfg.Revocations.OnStale == OnStaleDeny {
		return "requests are answered 503 when that goes on for longer than " + f.cfg.Revocations.MaxAge.String()
	}
	return "what was denied last stays in force, and nothing new is heard of"
}
