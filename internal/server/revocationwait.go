package server

import (
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// Bounds of the requests that wait: each holds a connection and some kilobytes.
// Who gets no place can ask without waiting.
const (
	waitingInAll      = 4096
	waitingPerNetwork = 1024
)

// Bounds of long answers that are under way: who reads slowly keeps the text in
// memory, and each second there may be another one.
const (
	longAnswer        = 1 << 20
	sendingInAll      = 256
	sendingPerNetwork = 32
)

var errNoPlace = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "too many requests wait for the revocation set; ask without wait, or another node",
	RetryAfter:  5 * time.Second,
}

var errLongAnswers = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "too many validators read the whole revocation set at the moment, which is long; ask again",
	RetryAfter:  5 * time.Second,
}

// await returns when there is something that the validator does not have, when
// its wait is over, when it went away, or when the node stops.
func (fs *feeds) await(f *feed, q *revocationQuery, w http.ResponseWriter, r *http.Request) error {
	changed, news := fs.newsFor(f, q)
	if news {
		return nil
	}
	peer := web.ExchangeOf(w).Peer
	if !fs.waiting.Take(peer) {
		return errNoPlace
	}
	defer fs.waiting.Release(peer)
	fs.counted("wait for a denial")
	// The listener's limits are for answers that come at once: past the one for
	// reading, net/http takes a client that only waits for one that went away.
	deadline := time.Now().Add(q.wait + web.WriteTimeout)
	extend(w, (*http.ResponseController).SetReadDeadline, deadline)
	extend(w, (*http.ResponseController).SetWriteDeadline, deadline)
	end := time.NewTimer(q.wait)
	defer end.Stop()
	for {
		select {
		case <-changed:
		case <-end.C:
			return nil
		case <-fs.drained:
			return nil
		case <-r.Context().Done():
			return nil
		}
		if changed, news = fs.newsFor(f, q); news {
			return nil
		}
	}
}

// newsFor looks whether there is news for a request, and gives what is closed
// when it is worth looking again. A request that does not say what it has of the
// journal waits for the journal to change.
func (fs *feeds) newsFor(f *feed, q *revocationQuery) (changed <-chan struct{}, news bool) {
	changed = fs.config.Replica.Changed() // before the look, so that nothing is missed
	d, _ := f.look()
	if q.journal == nil {
		q.journal = &d.journal
	}
	return changed, d.newsFor(q)
}
