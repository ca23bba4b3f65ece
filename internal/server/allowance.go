package server

import (
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// allowance is what an assertion may be: by the standard, by the client's own
// exception, or by the dialect of the issuer. It is decided by issuer and client:
// at any other issuer the same assertion is refused.
type allowance struct {
	endpoint bool // aud may be the token endpoint
	list     bool // aud may be a list in which the issuer stands
	noID     bool // there may be no jti
	longest  time.Duration
}

var strict = allowance{longest: maxAssertionLife}

// add allows what the dialect does.
func (d *DialectAssertion) add(may allowance) allowance {
	may.endpoint = may.endpoint || d.TokenEndpoint
	may.noID = may.noID || d.NoID
	may.longest = max(may.longest, d.MaxLifetime)
	return may
}

// legacy allows what the client's exception does.
func (may allowance) legacy(l *registry.LegacyAssertion) allowance {
	may.endpoint = may.endpoint || slices.Contains(l.Audience, registry.AudienceTokenEndpoint)
	may.list = may.list || slices.Contains(l.Audience, registry.AudienceIssuerArray)
	may.longest = max(may.longest, l.MaxLifetime.Std())
	return may
}

// checkAssertion compares the claims of an assertion with what this client's may
// be here. Who looks whether an exception is still needed finds in the trace what
// was let through.
func (c *call) checkAssertion(a *assertion, client *registry.Client) *fault {
	// FAPI 2.0 §5.3.2.1: the issuer as a string and nothing else, whatever the
	// client's document says.
	if c.Issuer.FAPI2() {
		return a.check(c, client.ID, strict)
	}
	may := strict
	if d := c.Dialect; d != nil && d.Assertion != nil {
		may = d.Assertion.add(may)
	}
	usual := may
	legacy := client.LegacyAssertion
	if legacy.Active(c.now) {
		may = may.legacy(legacy)
	}
	why := a.check(c, client.ID, may)
	if why != nil || may == strict || a.check(c, client.ID, strict) == nil {
		return why
	}
	expected := "aud the issuer as a string, exp within " + maxAssertionLife.String() + ", a jti"
	if a.check(c, client.ID, usual) == nil {
		c.trace.OK("assertion of the dialect", clauseAssertion, expected, "let through at an issuer of dialect "+c.Dialect.Name)
		return nil
	}
	c.trace.OK("legacy assertion", clauseAssertion, expected,
		"let through by the client's legacy_assertion until "+legacy.Until.UTC().Format(time.DateOnly))
	return nil
}
