package resource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

func TestEveryAlgorithm(t *testing.T) {
	i := newIssuer(t)
	var signers []*jose.Signer
	for alg := range keysOf() {
		signers = append(signers, signer(t, alg, string(alg), symbolon.TypAccessToken))
	}
	i.publish(signers...)
	a := newAPI(t, i.config())
	for _, s := range signers {
		if _, err := check(a, sign(t, s, i.claims(time.Now()).AppendJSON(nil))); err != nil {
			t.Errorf("%s: %v", s.Key().Algorithm, err)
		}
	}
}

// TestType: RFC 9068 §4 step 1; what else is taken is configured by name.
func TestType(t *testing.T) {
	i := newIssuer(t)
	plain := newAPI(t, i.config())
	cfg := i.config()
	cfg.AllowTyp = []string{"JWT"}
	lenient := newAPI(t, cfg)
	for typ, want := range map[string]struct{ plain, lenient bool }{
		"at+jwt": {true, true}, "application/at+jwt": {true, true}, "AT+JWT": {true, true}, "Application/AT+jwt": {true, true},
		"JWT": {false, true}, "jwt": {false, true}, "": {false, false}, "dpop+jwt": {false, false}, "client-authentication+jwt": {false, false},
		"symbolon-revocations+jwt": {false, false}, "at+jwt ": {false, false}, "x/at+jwt": {false, false}, "application/application/at+jwt": {false, false},
	} {
		token := sign(t, signer(t, jose.ES256, "k1", typ), i.claims(time.Now()).AppendJSON(nil))
		_, err := check(plain, token)
		_, lenientErr := check(lenient, token)
		if (err == nil) != want.plain || (lenientErr == nil) != want.lenient {
			t.Errorf("%q: %v, %v", typ, err, lenientErr)
		}
		if err != nil && !errors.Is(err, errType) {
			t.Errorf("%q: %v", typ, err)
		}
	}
}

// TestTimes: exp has no leeway, iat and nbf have ten seconds: up to
// 10 s ahead is taken, beyond is refused.
func TestTimes(t *testing.T) {
	i := newIssuer(t)
	now := time.Unix(2_000_000_000, 900_000_000) // just before the next second
	cfg := i.config()
	cfg.Now = func() time.Time { return now }
	a := newAPI(t, cfg)
	sec := now.Unix()
	for name, c := range map[string]struct {
		change func(*symbolon.Claims)
		want   *symbolon.Error
	}{
		"good":               {func(*symbolon.Claims) {}, nil},
		"a second left":      {func(c *symbolon.Claims) { c.Expiry = sec + 1 }, nil},
		"expires now":        {func(c *symbolon.Claims) { c.Expiry = sec }, errExpired}, // RFC 7519 §4.1.4: on or after
		"expired":            {func(c *symbolon.Claims) { c.Expiry = sec - 1 }, errExpired},
		"no exp":             {func(c *symbolon.Claims) { c.Expiry = 0 }, errExpired},
		"issued 10 s ahead":  {func(c *symbolon.Claims) { c.IssuedAt = sec + 10 }, nil},
		"issued 11 s ahead":  {func(c *symbolon.Claims) { c.IssuedAt = sec + 11 }, errNotYet},
		"issued 61 s ahead":  {func(c *symbolon.Claims) { c.IssuedAt = sec + 61 }, errNotYet},
		"nbf 10 s ahead":     {func(c *symbolon.Claims) { c.NotBefore = sec + 10 }, nil},
		"nbf 11 s ahead":     {func(c *symbolon.Claims) { c.NotBefore = sec + 11 }, errNotYet},
		"valid for 7000 y":   {func(c *symbolon.Claims) { c.Expiry = 253402300799 }, nil},
		"expired long since": {func(c *symbolon.Claims) { c.Expiry, c.IssuedAt = 2, 1 }, errExpired},
	} {
		claims := i.claims(now)
		c.change(claims)
		_, err := check(a, sign(t, i.signers[0], claims.AppendJSON(nil)))
		if c.want == nil && err != nil || c.want != nil && !sameError(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg.ClockSkew = maxSkew
	patient := newAPI(t, cfg)
	for ahead, ok := range map[int64]bool{60: true, 61: false} {
		claims := i.claims(now)
		claims.IssuedAt = sec + ahead
		if _, err := check(patient, sign(t, i.signers[0], claims.AppendJSON(nil))); (err == nil) != ok {
			t.Errorf("%d s ahead of a skew of a minute: %v", ahead, err)
		}
	}
	for _, raw := range []string{"1e400", `"2000000000"`, "-1", "9223372036854775807", "1e300", "null", "[2000009999]", "true"} {
		if _, err := check(a, i.raw(t, map[string]string{"exp": raw})); !sameError(err, errMalformed) {
			t.Errorf("exp %s: %v", raw, err)
		}
	}
	if _, err := check(a, i.raw(t, map[string]string{"exp": "2000000001.5", "iat": "2000000000.2"})); err != nil {
		t.Errorf("a fraction: %v", err)
	}
}

// sameError compares words too: the code alone is mostly invalid_token.
func sameError(err error, want *symbolon.Error) bool {
	var e *symbolon.Error
	return errors.As(err, &e) && e.Code == want.Code && e.Description == want.Description
}

// TestRequiredClaims: RFC 9068 §2.2.
func TestRequiredClaims(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	for name, want := range map[string]*symbolon.Error{"iss": errIssuer, "aud": errAudience, "exp": errExpired, "sub": errClaims, "client_id": errClaims, "iat": errClaims, "jti": errClaims} {
		if _, err := check(a, i.raw(t, map[string]string{name: ""})); !sameError(err, want) {
			t.Errorf("without %s: %v", name, err)
		}
		if _, err := check(a, i.raw(t, map[string]string{name: "null"})); !sameError(err, errMalformed) {
			t.Errorf("%s null: %v", name, err)
		}
		if _, err := check(a, i.raw(t, map[string]string{name: `""`})); err == nil {
			t.Errorf("%s empty: accepted", name)
		}
	}
}

// TestIssuerAndAudience: exact comparison (RFC 9068 §4 steps 3 and 4).
func TestIssuerAndAudience(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	for _, iss := range []string{i.url + "/", strings.ToUpper(i.url), i.url + "x", i.url[:len(i.url)-1], "https://auth.example.com", " " + i.url} {
		if _, err := check(a, i.token(t, func(c *symbolon.Claims) { c.Issuer = iss })); !sameError(err, errIssuer) {
			t.Errorf("iss %q: %v", iss, err)
		}
	}
	for _, aud := range [][]string{{audience + "/"}, {"https://orders.example.com.evil.example"}, {"https://ORDERS.example.com"}, {"a", "b"}, {audience[:5]}, {"*"}, {" " + audience}} {
		if _, err := check(a, i.token(t, func(c *symbolon.Claims) { c.Audience = aud })); !sameError(err, errAudience) {
			t.Errorf("aud %q: %v", aud, err)
		}
	}
	if _, err := check(a, i.token(t, func(c *symbolon.Claims) { c.Audience = []string{"x", audience} })); err != nil {
		t.Error(err)
	}
}

// TestExplain tells the steps in the order of RFC 9068 §4, and ends at the one
// that failed.
func TestExplain(t *testing.T) {
	i := newIssuer(t)
	cfg := i.config()
	cfg.TokenCache = 10
	a := newAPI(t, cfg)
	names := func(checks []symbolon.Check) string {
		var all []string
		for _, c := range checks {
			s := c.Name
			if !c.OK {
				s += "!"
				if c.Expected == "" || c.Got == "" || c.Fix == "" {
					t.Errorf("%s does not say what is wrong and what to do: %+v", c.Name, c)
				}
			}
			if c.Clause == "" {
				t.Errorf("%s cites nothing", c.Name)
			}
			all = append(all, s)
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct{ token, want string }{
		{i.token(t, nil), "request form type issuer audience key signature expiry begin claims scheme binding revocation scope"},
		{i.token(t, func(c *symbolon.Claims) { c.Scope = "" }), "request form type issuer audience key signature expiry begin claims scheme binding revocation scope!"},
		{i.token(t, func(c *symbolon.Claims) { c.Scope = "x" }), "request form type issuer audience key signature expiry begin claims scheme binding revocation scope!"},
		{i.token(t, func(c *symbolon.Claims) { c.Confirmation = &symbolon.Confirmation{JKT: "x"} }), "request form type issuer audience key signature expiry begin claims scheme!"},
		{i.token(t, func(c *symbolon.Claims) { c.ID = "" }), "request form type issuer audience key signature expiry begin claims!"},
		{i.token(t, func(c *symbolon.Claims) { c.IssuedAt += 100 }), "request form type issuer audience key signature begin!"},
		{i.token(t, func(c *symbolon.Claims) { c.Expiry = 1 }), "request form type issuer audience key signature expiry!"},
		{i.token(t, nil)[:200], "request form!"},
		{sign(t, freshSigner(t, "k1"), i.claims(time.Now()).AppendJSON(nil)), "request form type issuer audience key signature!"},
		{sign(t, freshSigner(t, "k9"), i.claims(time.Now()).AppendJSON(nil)), "request form type issuer audience key!"},
		{i.token(t, func(c *symbolon.Claims) { c.Audience = []string{"a"} }), "request form type issuer audience!"},
		{i.token(t, func(c *symbolon.Claims) { c.Issuer = "a" }), "request form type issuer!"},
		{"", "request!"},
	} {
		check(a, c.token, "orders:read") // the cache must not hide steps
		_, checks, err := a.Explain(context.Background(), with(c.token), "orders:read")
		if got := names(checks); got != c.want || (err == nil) == strings.Contains(c.want, "!") {
			t.Errorf("%s, %v\nwant %s", got, err, c.want)
		}
		if c.token != "" && strings.Contains(fmt.Sprint(checks), c.token) {
			t.Error("the token is in the explanation")
		}
	}
}

// FuzzCheck: whatever comes, nothing but what the issuer signed is let in.
func FuzzCheck(f *testing.F) {
	i := newIssuer(f)
	a := newAPI(f, i.config())
	good := i.token(f, nil)
	f.Add("Bearer " + good)
	f.Add("bearer " + good[:len(good)-1] + "A")
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	if err := a.Start(context.Background()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := a.Check(context.Background(), Request{Authorization: []string{header}})
		if err == nil && !strings.HasSuffix(strings.TrimRight(header, " \t"), good) {
			t.Fatalf("%q was let in as %+v", header, c)
		}
		var e *symbolon.Error
		if err != nil && (!errors.As(err, &e) || e.Code.ResourceStatus() >= 500) {
			t.Fatalf("%q: %v", header, err)
		}
	})
}
