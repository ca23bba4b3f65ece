package resource

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
)

// standing is what is known of how the issuer takes the credentials that it is
// asked with. The zero value: nothing yet.
type standing struct {
	known   bool
	refused *symbolon.Error // nil: not
	looked  time.Time       // when it was asked for the sake of this alone
}

// lookAgain is how often the issuer is asked whether it still refuses them.
const lookAgain = 30 * time.Second

var errAsker = symbolon.NewError(symbolon.TemporarilyUnavailable,
	"the issuer does not take the credentials with which it is asked about tokens (invalid_client), so those that only it can check are refused: compare them with the client that the issuer knows")

// Degraded tells whether a part of the tokens cannot be judged now though Ready
// says nothing: those about which the issuer must be asked (Introspection), while
// it does not take the credentials of who asks. It gives nil or a *symbolon.Error,
// with the issuer's refusal as its cause. It does not wait: while nothing is known,
// and every half minute of a refusal, it begins a question about a token that
// nobody has.
func (a *API) Degraded() error {
	if a.introspection == nil {
		return nil
	}
	if why := a.introspection.refused(a.cfg.Now()); why != nil {
		return errAsker.WithCause(why)
	}
	return nil
}

// refused gives the issuer's refusal of who asks, nil where none is known, and
// looks again where it may have passed.
func (i *introspection) refused(now time.Time) *symbolon.Error {
	i.mu.Lock()
	s := &i.its
	why, look := s.refused, (!s.known || s.refused != nil) && now.Sub(s.looked).Abs() >= lookAgain
	if look {
		s.looked = now
	}
	i.mu.Unlock()
	if look {
		nobodys := rand.Text()
		i.ask(i.key(nobodys, presented{}), nobodys)
	}
	return why
}

// note takes what a question met. That there was no answer says nothing about who
// asked.
func (i *introspection) note(err error) {
	var e *symbolon.Error
	refused := errors.As(err, &e) && fetch.RefusesAsker(e)
	if err != nil && !refused {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.its.known, i.its.refused = true, nil
	if refused {
		i.its.refused = e
	}
}
