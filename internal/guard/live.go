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
	watchEvery  = 500 * time.Millisecond // how exactly a stream ends with its token
	verifyEvery = 5 * time.Second        // how often a token is looked at again
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
	token  string
	scopes []string
	end    context.CancelCauseFunc

	stream atomic.Bool // it goes on until somebody ends it
	at     time.Time   // when its token was last looked at; of the watch alone
}

// live are the exchanges whose callers had a token. A stream must not outlive the
// right to it.
type live struct {
	now    func() time.Time
	stands func(*exchange) error // why its token is refused now; nil: it is good

	mu  sync.Mutex
	all map[*exchange]struct{}
}

func (l *live) init(now func() time.Time, stands func(*exchange) error) {
	l.now, l.stands, l.all = now, stands, make(map[*exchange]struct{})
}

func (l *live) add(e *exchange) {
	e.at = l.now()
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
			l.look()
		}
	}
}

func (l *live) look() {
	now := l.now()
	for _, e := range l.list() {
		last := e.caller.Expiry
		if !e.stream.Load() {
			last = last.Add(finishTime)
		}
		if !now.Before(last) {
			e.end(errEnded)
			continue
		}
		if now.Before(e.caller.Expiry) && (now.Sub(e.at) >= verifyEvery || now.Before(e.at)) {
			e.at = now
			if err := l.stands(e); err != nil {
				e.end(err)
			}
		}
	}
}

// stands asks whether the token would be taken now: its key may have been
// revoked.
func (g *Guard) stands(e *exchange) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := g.api.ExplainToken(ctx, e.token, e.scopes...)
	return err
}
