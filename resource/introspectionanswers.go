package resource

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/jose"
)

// introspection asks about tokens, once at a time about each, and keeps what was
// answered for a moment.
type introspection struct {
	asker   *client.Introspector
	believe func(*symbolon.IntrospectionAnswer, *symbolon.Trace) (*verified, *symbolon.Error)
	now     func() time.Time
	always  bool

	issuer, audience string

	life    time.Duration // of an answer; 0: each request asks
	answers answers

	ctx    context.Context // of all questions: a caller that goes ends none
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	open int                     // questions
	its  standing                // what the issuer thinks of who asks
	join map[answerKey]*question // those that others may wait for
}

// maxQuestions bounds what is open at a time, and so what can be waiting for an
// issuer that is slow.
const maxQuestions = 256

// answerKey is what an answer is known by: a hash of all that it may depend on, so
// that none is taken for that of another token, API or sender (CVE-2026-33496).
type answerKey [sha256.Size]byte

// presented is the key that a request shows besides its token. Nothing of it was
// checked: that is done for each request, whoever answered about the token.
type presented struct{ jkt, x5t string }

// presentedBy reads the request; it may be nil.
func presentedBy(r *Request) (p presented) {
	if r == nil {
		return p
	}
	if r.Certificate != nil && len(r.Certificate.Raw) > 0 {
		p.x5t = symbolon.CertificateThumbprint(r.Certificate.Raw)
	}
	if len(r.DPoP) > 0 {
		p.jkt = proofKey(r.DPoP)
	}
	return p
}

// proofKey is the thumbprint of the key that a proof brings. What is no proof at
// all has one place for itself: it ends at the binding.
func proofKey(header []string) string {
	const none = "?"
	var proof jose.Proof
	if len(header) != 1 || proof.Read(header[0]) != nil {
		return none
	}
	key, err := proof.Key()
	if err != nil {
		return none
	}
	return key.Thumbprint()
}

// key hashes the parts with their lengths: no two lists of parts have one text.
func (i *introspection) key(token string, p presented) (k answerKey) {
	h := sha256.New()
	var length [8]byte
	for _, part := range [...]string{i.issuer, i.audience, token, p.jkt, p.x5t} {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	h.Sum(k[:0])
	return k
}

// asked is what is kept with an answer to ask again.
type asked struct {
	key   answerKey
	token string
	at    atomic.Int64 // when it was asked about last, in nanoseconds since 1970
}

// question is one that is open, or was answered.
type question struct {
	began time.Time
	done  chan struct{} // closed when the rest is known

	answer  *symbolon.IntrospectionAnswer
	failed  *symbolon.Error // nothing is known
	verdict *verified
	refusal *symbolon.Error
}

// ask gives the question that is open about the token, or begins one; nil: there
// may be no more. One that began longer ago than an answer is kept is not joined:
// what was revoked since is not in it.
func (i *introspection) ask(key answerKey, token string) *question {
	now := i.now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if q := i.join[key]; q != nil && now.Sub(q.began).Abs() < i.life {
		return q
	}
	if i.open >= maxQuestions || i.ctx.Err() != nil {
		return nil
	}
	q := &question{began: now, done: make(chan struct{})}
	i.open++
	if i.life > 0 {
		if i.join == nil {
			i.join = make(map[answerKey]*question)
		}
		i.join[key] = q
	}
	a := &asked{key: key, token: strings.Clone(token)} // a header's value keeps the whole head in memory
	i.wg.Go(func() { i.run(q, a) })
	return q
}

// run asks the issuer.
func (i *introspection) run(q *question, a *asked) {
	answer, err := i.asker.Introspect(i.ctx, a.token)
	i.note(err)
	if err != nil {
		q.failed = symbolon.AsError(err)
	} else {
		q.answer = answer
		q.verdict, q.refusal = i.believe(answer, nil)
	}
	if q.verdict != nil {
		a.at.Store(q.began.UnixNano())
		q.verdict.asked = a
		// Counted from before the question: the answer may be as old.
		i.answers.put(a.key, q.verdict, q.began, i.life)
	}
	i.mu.Lock()
	i.open--
	if i.join[a.key] == q {
		delete(i.join, a.key)
	}
	i.mu.Unlock()
	close(q.done)
}

// close ends all questions.
func (i *introspection) close() {
	if i == nil {
		return
	}
	i.mu.Lock() // no question begins from here on
	i.cancel()
	i.mu.Unlock()
	i.wg.Wait()
	i.answers.clear()
	i.asker.Close()
}

// answers are those of the last moment, in two generations: the old one goes with
// each life of an answer, whether anybody asks or not. The zero value is ready.
type answers struct {
	mu         sync.Mutex
	young, old map[answerKey]kept
	timer      *time.Timer // nil: nothing is held
	closed     bool
}

// kept is an answer with the time in which it may be used.
type kept struct {
	v           *verified
	from, until time.Time
}

// mostAnswers bounds a generation.
const mostAnswers = 4096

// get gives what is known of the token; nil: nothing, or not any more.
func (s *answers) get(key answerKey, now time.Time) *verified {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.young[key]
	if !ok {
		k, ok = s.old[key]
	}
	// A clock that was set back must not make an answer live longer.
	if !ok || now.Before(k.from) || !now.Before(k.until) || now.Unix() >= k.v.caller.Claims.Expiry {
		return nil
	}
	return k.v
}

// put keeps an answer for its life.
func (s *answers) put(key answerKey, v *verified, from time.Time, life time.Duration) {
	if life <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.young == nil || len(s.young) >= mostAnswers {
		s.old, s.young = s.young, make(map[answerKey]kept)
	}
	s.young[key] = kept{v, from, from.Add(life)}
	if s.timer == nil {
		s.timer = time.AfterFunc(life, func() { s.turn(life) })
	}
}

// turn lets the old generation go.
func (s *answers) turn(life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old, s.young, s.timer = s.young, nil, nil
	if len(s.old) > 0 && !s.closed {
		s.timer = time.AfterFunc(life, func() { s.turn(life) })
	}
}

func (s *answers) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.young, s.old = nil, nil
	if s.timer != nil {
		s.timer.Stop()
	}
}
