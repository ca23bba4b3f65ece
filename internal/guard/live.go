package guard

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/resource"
)

// Times of watching over requests under way.
const (
	watchEvery = 250 * time.Millisecond // how exactly a stream ends with its token
	// doubtTime is for how long it may be unknown whether a token still stands: an
	// issuer that does not answer once must not cut all streams.
	doubtTime = 10 * time.Second
	// finishTime is what an answer of known length gets beyond its token's end:
	// it was asked for in time.
	finishTime = 30 * time.Second
)

var (
	errEnded    = symbolon.NewError(symbolon.InvalidToken, "the access token expired while the request was under way: ask for a new one")
	errStopping = symbolon.NewError(symbolon.TemporarilyUnavailable, "the guard is stopping: try again")
)

// exchange is a request under way to the API, with the token that let it in.
type exchange struct {
	caller *resource.Caller
	end    context.CancelCauseFunc

	stream  atomic.Bool // it goes on until somebody ends it
	looking atomic.Bool // whether the token stands is being asked
	doubted time.Time   // since when that is not known; of who looks
}

// live are the exchanges whose callers had a token. A stream must not outlive the
// right to it.
type live struct {
	now    func() time.Time
	stands func(context.Context, *resource.Caller) error // why its token is refused now; nil: it is good

	mu  sync.Mutex
	all map[*exchange]struct{}
}

func (l *live) init(now func() time.Time, stands func(context.Context, *resource.Caller) error) {
	l.now, l.stands, l.all = now, stands, make(map[*exchange]struct{})
}

func (l *live) add(e *exchange) {
	l.mu.Lock()
	l.all[e] = struct{}{}
	l.mu.Unlock()
}

func (l *live) remove(e *exchange) {
	l.mu.Lock()
	delete(l.all, e)
	l.mu.Unlock()
}

// end ends all of them.
func (l *live) end(cause error) {
	for _, e := range l.list() {
		e.end(cause)
	}
}

func (l *live) list() []*exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*exchange, 0, len(l.all))
	for e := range l.all {
		all = append(all, e)
	}
	return all
}

// watch ends those that must not go on, until ctx ends.
func (l *live) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.look(ctx)
		}
	}
}

// look does not wait for an issuer that is asked about a token.
func (l *live) look(ctx context.Context) {
	now := l.now()
	for _, e := range l.list() {
		last := e.caller.Expiry
		if !e.stream.Load() {
			last = last.Add(finishTime)
		}
		switch {
		case !now.Before(last):
			e.end(errEnded)
		case now.Before(e.caller.Expiry) && e.looking.CompareAndSwap(false, true):
			go func() {
				defer e.looking.Store(false)
				l.judge(ctx, e, now)
			}()
		}
	}
}

// judge ends an exchange whose token is refused by now.
func (l *live) judge(ctx context.Context, e *exchange, now time.Time) {
	err := l.stands(ctx, e.caller)
	switch {
	case err == nil || ctx.Err() != nil:
		e.doubted = time.Time{}
	case symbolon.AsError(err).Code != symbolon.TemporarilyUnavailable:
		e.end(err)
	case e.doubted.IsZero():
		e.doubted = now
	case now.Sub(e.doubted) >= doubtTime:
		e.end(err)
	}
}
