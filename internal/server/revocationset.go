package server

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// serveRevocations answers what the issuer denies, signed: docs/revocation-set.md.
// A validator that waits is answered at the commit that denies.
func (s *Server) serveRevocations(at Place, w http.ResponseWriter, r *http.Request) error {
	if err := web.CheckMethod(w, r, http.MethodGet); err != nil {
		return err
	}
	q, err := readRevocationQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	f := s.feeds.of(at)
	if q.wait > 0 && r.Method == http.MethodGet {
		if err := s.feeds.await(f, q, w, r); err != nil || r.Context().Err() != nil {
			return err // without an error nobody is there any more
		}
	}
	return s.answerRevocations(f, q, w, r)
}

// answerRevocations writes what there is now.
func (s *Server) answerRevocations(f *feed, q *revocationQuery, w http.ResponseWriter, r *http.Request) error {
	d, position := f.look()
	h := w.Header()
	// A set that has the same tag differs in its times alone. No validator
	// counts this answer: it is not signed.
	if !q.difference && etagMatches(d.etag[0], r.Header["If-None-Match"]) {
		h["Cache-Control"], h["Etag"] = revalidate, d.etag
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	text, err := f.text(d, position, q)
	if err != nil {
		return err
	}
	if len(text) > s.feeds.long {
		peer := web.ExchangeOf(w).Peer
		if !s.feeds.sending.Take(peer) {
			return errLongAnswers
		}
		defer s.feeds.sending.Release(peer)
	}
	if q.difference {
		web.NoStore(h)
	} else {
		h["Cache-Control"], h["Etag"] = revalidate, d.etag
	}
	h["Content-Type"] = mediaRevocations
	extendWrite(w, len(text))
	w.Write(text)
	return nil
}

// serveRevocationKeys answers the key that signs the issuer's sets. It is not in
// /jwks: what it signs is never a token.
func (s *Server) serveRevocationKeys(at Place, w http.ResponseWriter, r *http.Request) error {
	if err := web.CheckMethod(w, r, http.MethodGet); err != nil {
		return err
	}
	s.feeds.of(at).keys.serve(w, r)
	return nil
}

// Values of headers that all answers share. They are never written to.
var (
	mediaRevocations = []string{symbolon.MediaRevocations}
	revalidate       = []string{"no-cache"}
)

// LongestRevocationWait is how long a validator may wait for a denial: less than
// proxies leave a request without an answer (60 s).
const LongestRevocationWait = 55 * time.Second

var (
	errRevocationQuery = symbolon.NewError(symbolon.InvalidRequest, "the query cannot be read: since, epoch and wait are whole numbers, each once; wait is 55 at most")
	errSinceAlone      = symbolon.NewError(symbolon.InvalidRequest, "since and epoch belong together: send the seq and the epoch of the set that is held, or neither")
)

// revocationQuery is what a validator asks for.
type revocationQuery struct {
	difference bool // since says what the validator has
	since      registry.Position
	wait       time.Duration
	took       string  // the member journal of the set that it took last; empty: it is told all
	journal    *string // the journal that is no news; nil: the one at the beginning of the wait
}

// readRevocationQuery reads the query. What it does not know it passes over.
func readRevocationQuery(raw string) (*revocationQuery, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errRevocationQuery
	}
	q := new(revocationQuery)
	var has [3]bool
	var numbers [3]int64
	for i, name := range []string{"since", "epoch", "wait"} {
		if numbers[i], has[i], err = number(values[name]); err != nil {
			return nil, err
		}
	}
	if has[0] != has[1] {
		return nil, errSinceAlone
	}
	if numbers[2] > int64(LongestRevocationWait/time.Second) {
		return nil, errRevocationQuery
	}
	q.since, q.wait = registry.Position{Seq: numbers[0], Epoch: numbers[1]}, time.Duration(numbers[2])*time.Second
	// Position 0 is that of a validator that has nothing: no commit has it.
	q.difference = has[0] && q.since.Seq > 0
	if !q.difference {
		q.wait = 0
	}
	switch journal := values["journal"]; len(journal) {
	case 0:
	case 1:
		q.took, q.journal = journal[0], &journal[0]
	default:
		return nil, errRevocationQuery
	}
	return q, nil
}

// number reads a parameter that is there at most once. Digits alone are one:
// two spellings would only keep caches busy.
func number(values []string) (n int64, has bool, err error) {
	if len(values) == 0 {
		return 0, false, nil
	}
	n, err = strconv.ParseInt(values[0], 10, 64)
	if err != nil || len(values) > 1 || n < 0 || values[0][0] == '+' || values[0][0] == '-' {
		return 0, false, errRevocationQuery
	}
	return n, true, nil
}

// slowestReader is how many octets a second the reader of a long set takes at
// least: the time that listeners leave for an answer is meant for short ones.
const slowestReader = 128 << 10

// extendWrite leaves time for an answer of so many octets.
func extendWrite(w http.ResponseWriter, octets int) {
	if more := time.Duration(octets/slowestReader) * time.Second; more > 0 {
		extend(w, (*http.ResponseController).SetWriteDeadline, time.Now().Add(web.WriteTimeout+more))
	}
}

// extend moves a deadline of the connection, which runs by the machine's clock.
// Writers that know none, those of tests, have none; on a connection that is
// gone, writing will tell.
func extend(w http.ResponseWriter, set func(*http.ResponseController, time.Time) error, to time.Time) {
	_ = set(http.NewResponseController(w), to)
}
