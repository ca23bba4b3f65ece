package server

import (
	"context"
	"crypto/subtle"
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
type hashers struct {
	places  chan struct{} // who works or waits
	workers chan struct{} // who works
}

func newHashers() *hashers {
	return &hashers{places: make(chan struct{}, hashWorkers+hashQueue), workers: make(chan struct{}, hashWorkers)}
}

// matches reports whether the value is the secret that p was made of. It takes
// some 20 ms once it has its turn, and refuses at once when the queue is full.
func (h *hashers) matches(ctx context.Context, value string, p registry.Argon2id) (bool, error) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		return false, errBusy
	}
	select {
	case h.workers <- struct{}{}:
		defer func() { <-h.workers }()
	case <-ctx.Done():
		return false, errGaveUp.WithCause(context.Cause(ctx))
	}
	got := argon2.IDKey([]byte(value), p.Salt, p.Time, p.Memory, p.Threads, uint32(len(p.Key)))
	return subtle.ConstantTimeCompare(got, p.Key) == 1, nil
}
