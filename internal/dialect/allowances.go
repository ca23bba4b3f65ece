package dialect

import (
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// How many management calls a caller may make at once, and how many a minute then.
// Vendors allow some hundreds a minute to those that read. A change waits for the
// only writer of the store, and what it makes, or denies, stays for a while: it is
// what a program sets up, not what it does all day.
const (
	readsAtOnce, readsPerMinute     = 600, 600
	changesAtOnce, changesPerMinute = 200, 60

	maxCallers    = 4096
	lookedPerCall = 100 // how many objects a call may look at for what every call costs
)

// allowances are what each caller of a management API may still ask for.
type allowances struct{ reads, changes web.Limiter }

func newAllowances() allowances {
	return allowances{
		reads:   web.Limiter{Every: time.Minute / readsPerMinute, Burst: readsAtOnce, MaxKeys: maxCallers},
		changes: web.Limiter{Every: time.Minute / changesPerMinute, Burst: changesAtOnce, MaxKeys: maxCallers},
	}
}

var errCalls = symbolon.NewError(symbolon.TooManyRequests, "too many requests of this caller in the last minutes: send fewer")

// reads reports whether a request changes nothing.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// atOnce is what answers say that callers may ask for at once.
func atOnce(r *http.Request) int {
	if reads(r) {
		return readsAtOnce
	}
	return changesAtOnce
}

// take lets a call through, or says how long to wait. Reading and changing do not
// wait for each other.
func (a *allowances) take(c *managed) error {
	of := &a.changes
	if reads(c.r) {
		of = &a.reads
	}
	if ok, wait := of.Allow(c.caller(), c.x.Began); !ok {
		over := *errCalls
		over.RetryAfter = wait
		return &over
	}
	return nil
}

// charge takes what a call has looked at, more than others do, from what its caller
// may read.
func (a *allowances) charge(c *managed) {
	if more := (c.looked - 1) / lookedPerCall; more > 0 {
		a.reads.Charge(c.caller(), more, c.x.Began)
	}
}

// caller names who asks, at which organisation.
func (c *managed) caller() string { return c.Issuer.ID + " " + c.actor.Name }
