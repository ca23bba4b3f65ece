package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// How many imported secrets are hashed at a time, and how many requests wait
// for that. One hash takes some 20 ms of a CPU and 19 MiB: without a bound,
// wrong secrets would take the machine from everybody else.
const (
	hashWorkers = 2
	hashQueue   = 32
	hashOfOne   = 8 // of the queue, for one stored secret: wrong ones for it leave room for the others
)

// errBusy tells who waits behind too many others when to come again.
var errBusy = &symbolon.Error{
	Code:        symbolon.TooManyRequests,
	Description: "too many requests with imported secrets are being checked; try again, or change to a generated secret, which needs no slow hash",
	RetryAfter:  time.Second,
}

// errGaveUp: the client went away or its time was up while it waited.
var errGaveUp = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "the request was given up before it could be decided; try again",
	RetryAfter:  time.Second,
}

// hashers bounds the slow hashes of a node. Only imported secrets need them.
//
// It remembers secrets that fitted, so that whoever fills the queue with wrong
// ones keeps out nobody who was here before. What it keeps of each is a MAC over
// the stored form and the value, under a key that this process alone has: of no
// use to a reader of the database, and gone at the end. Only a good secret makes
// an entry, and one whose stored form has changed is found no more.
type hashers struct {
	places  chan struct{} // who works or waits
	workers chan struct{} // who works

	key    [32]byte
	mu     sync.Mutex
	fitted map[[32]byte]struct{}
	inside map[[32]byte]int // who works or waits, by the stored form's digest
}

// maxFitted is how many secrets that fitted are remembered.
const maxFitted = 4096

func newHashers() *hashers {
	h := &hashers{
		places: make(chan struct{}, hashWorkers+hashQueue), workers: make(chan struct{}, hashWorkers),
		fitted: make(map[[32]byte]struct{}), inside: make(map[[32]byte]int),
	}
	rand.Read(h.key[:]) // never fails, and never gives predictable bytes
	return h
}

// matches reports whether the value is the secret that p was made of. It takes
// some 20 ms once it has its turn, and refuses at once when the queue is full;
// what fitted before it knows at once.
func (h *hashers) matches(ctx context.Context, value string, p registry.Argon2id) (bool, error) {
	mark := h.mark(value, p)
	if h.remembers(mark) {
		return true, nil
	}
	hit, err := h.compare(ctx, value, p)
	if hit {
		h.remember(mark)
	}
	return hit, err
}

// mark stands for the value as the secret of p. p.Key has a fixed length.
func (h *hashers) mark(value string, p registry.Argon2id) (mark [32]byte) {
	mac := hmac.New(sha256.New, h.key[:])
	mac.Write(p.Key)
	mac.Write([]byte(value))
	mac.Sum(mark[:0])
	return mark
}

func (h *hashers) remembers(mark [32]byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.fitted[mark]
	return ok
}

func (h *hashers) remember(mark [32]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.fitted) >= maxFitted {
		for old := range h.fitted { // any: it costs its client one slow hash
			delete(h.fitted, old)
			break
		}
	}
	h.fitted[mark] = struct{}{}
}

// enter takes a place for a comparison with the stored form, and reports whether
// there was one.
func (h *hashers) enter(form [32]byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inside[form] >= hashOfOne {
		return false
	}
	select {
	case h.places <- struct{}{}:
		h.inside[form]++
		return true
	default:
		return false
	}
}

func (h *hashers) leave(form [32]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	<-h.places
	if h.inside[form]--; h.inside[form] == 0 {
		delete(h.inside, form)
	}
}

// compare is the slow hash.
func (h *hashers) compare(ctx context.Context, value string, p registry.Argon2id) (bool, error) {
	form := sha256.Sum256(p.Key)
	if !h.enter(form) {
		return false, errBusy
	}
	defer h.leave(form)
	select {
	case h.workers <- struct{}{}:
		defer func() { <-h.workers }()
	case <-ctx.Done():
		return false, errGaveUp.WithCause(context.Cause(ctx))
	}
	got := argon2.IDKey([]byte(value), p.Salt, p.Time, p.Memory, p.Threads, uint32(len(p.Key)))
	return subtle.ConstantTimeCompare(got, p.Key) == 1, nil
}
