package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
	"github.com/symbolon/symbolon/internal/jose"
)

// MetadataURLs are the places where the metadata of an issuer is looked for,
// in order: RFC 8414 §3.1, where the well-known part stands between host and
// path, then OpenID Connect Discovery §4, where it stands at the end. The
// issuer must be an https URL, or http on a loopback name, without user, query
// and fragment.
func MetadataURLs(issuer string) ([]string, error) {
	u, err := secureURL(issuer)
	if err != nil {
		return nil, err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, fmt.Errorf("%q has a query; an issuer has none (RFC 8414 §2)", issuer)
	}
	host := u.Scheme + "://" + u.Host
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	return []string{
		host + symbolon.WellKnownServer + path,
		host + path + symbolon.WellKnownOpenID,
	}, nil
}

// Discover fetches the metadata of an issuer with hc and refuses a document
// that names another issuer (RFC 8414 §3.3) or an endpoint over plain http, or
// that two parsers could read in two ways: with a member twice, or with one
// whose name differs from that of a member of ServerMetadata in case alone. No
// redirect is followed, at most 64 KiB are read. Errors are
// *symbolon.Error: Status is that of the last answer, zero when there was
// none.
func Discover(ctx context.Context, hc *http.Client, issuer string) (*symbolon.ServerMetadata, error) {
	urls, err := MetadataURLs(issuer)
	if err != nil {
		return nil, fault(0, "the issuer "+err.Error())
	}
	var failed *symbolon.Error
	for _, at := range urls {
		body, refusal := get(ctx, hc, at)
		if refusal == nil {
			return readMetadata(body, issuer, at)
		}
		failed = refusal
		// Only an answer that says "not here" leads on to the next place.
		if s := refusal.Status; s < 300 || s >= 500 || s == http.StatusTooManyRequests {
			break
		}
	}
	return nil, failed
}

// get reads one document.
func get(ctx context.Context, hc *http.Client, at string) ([]byte, *symbolon.Error) {
	answer, err := fetch.Get(ctx, hc, at, "application/json")
	switch {
	case errors.Is(err, fetch.ErrTooLong):
		return nil, tooLong(http.StatusOK)
	case err != nil:
		return nil, unreachable(err)
	case answer.Status != http.StatusOK:
		text := fmt.Sprintf("%s answered %d where the metadata of the issuer was expected; check the issuer's URL", at, answer.Status)
		if said := described(answer.Body); said != "" {
			text += "; the answer says: " + said
		}
		e := fault(answer.Status, text)
		e.RetryAfter = retryAfter(answer.Header, time.Now)
		return nil, e
	}
	return answer.Body, nil
}

// described is the sentence of an OAuth error; "" when the body is none.
func described(body []byte) string {
	var answer symbolon.ErrorAnswer
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return printable(answer.ErrorDescription, 300)
}

// readMetadata judges the document.
func readMetadata(body []byte, issuer, at string) (*symbolon.ServerMetadata, error) {
	if err := unambiguous(body); err != nil {
		return nil, fault(http.StatusOK, fmt.Sprintf("%s is not a metadata document that every program reads alike: %v; check the issuer's URL", at, err)).WithCause(err)
	}
	var doc symbolon.ServerMetadata
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fault(http.StatusOK, at+" is not a metadata document; check the issuer's URL").WithCause(err)
	}
	// RFC 8414 §3.3: identical, by simple string comparison.
	if doc.Issuer != issuer {
		return nil, fault(http.StatusOK, fmt.Sprintf("the metadata at %s names the issuer %.200q, but %q was asked; write it exactly so, or correct the server's url", at, doc.Issuer, issuer))
	}
	for _, e := range endpointsOf(&doc) {
		if e.url == "" {
			continue
		}
		u, err := secureURL(e.url)
		if err == nil && u.Scheme == "http" && !strings.HasPrefix(issuer, "http:") {
			err = errors.New("is plain http, but the issuer is https")
		}
		if err != nil {
			return nil, fault(http.StatusOK, fmt.Sprintf("the metadata's %s cannot be used: %.300s", e.member, err))
		}
	}
	return &doc, nil
}

// named is a URL of the metadata with the member that names it.
type named struct{ member, url string }

// endpointsOf are the URLs to which credentials or tokens go, or from which trust
// comes.
func endpointsOf(doc *symbolon.ServerMetadata) []named {
	endpoints := []named{
		{"token_endpoint", doc.TokenEndpoint}, {"jwks_uri", doc.JWKSURI},
		{"introspection_endpoint", doc.IntrospectionEndpoint}, {"revocation_endpoint", doc.RevocationEndpoint},
		{"symbolon_revocations_uri", doc.RevocationsURI}, {"symbolon_revocations_jwks_uri", doc.RevocationsJWKSURI},
	}
	if a := doc.MTLSAliases; a != nil {
		for _, e := range []named{
			{"token_endpoint", a.TokenEndpoint}, {"introspection_endpoint", a.IntrospectionEndpoint}, {"revocation_endpoint", a.RevocationEndpoint},
		} {
			endpoints = append(endpoints, named{e.member + " in mtls_endpoint_aliases", e.url})
		}
	}
	return endpoints
}

// membersOf are the names of the members that are read of a document.
func membersOf(doc reflect.Type) (names []string) {
	for i := range doc.NumField() {
		name, _, _ := strings.Cut(doc.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

var (
	metadataMembers = membersOf(reflect.TypeFor[symbolon.ServerMetadata]())
	aliasMembers    = membersOf(reflect.TypeFor[symbolon.MTLSAliases]())
)

// unambiguous refuses what two parsers could read in two ways. encoding/json
// takes the last of two members with one name, and Token_Endpoint for
// token_endpoint; others do not, and the one that looked at the document before
// us may be one of them.
func unambiguous(body []byte) error {
	if err := jose.CheckObject(body); err != nil {
		return err
	}
	m, err := exactly(body, metadataMembers)
	if err != nil || m["mtls_endpoint_aliases"] == nil {
		return err
	}
	_, err = exactly(m["mtls_endpoint_aliases"], aliasMembers)
	return err
}

// exactly refuses members whose names differ from those that are read in case
// alone.
func exactly(object []byte, read []string) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		return nil, err
	}
	for name := range m {
		for _, r := range read {
			if name != r && strings.EqualFold(name, r) {
				return nil, fmt.Errorf("it has a member %q beside or instead of %q", name, r)
			}
		}
	}
	return m, nil
}

// secureURL reads a URL that may carry credentials or decide about trust:
// https, or http on a loopback name; with a host; without user and fragment.
func secureURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, fmt.Errorf(`%q is not a URL as "https://auth.example.com"`, s)
	case u.User != nil:
		return nil, errors.New("is a URL that holds a user name; leave it out")
	case strings.Contains(s, "#"):
		return nil, fmt.Errorf("%q has a fragment; leave it out", s)
	case u.Scheme == "http" && !symbolon.Loopback(u.Hostname()):
		return nil, fmt.Errorf("%q is plain http, which is only for loopback names; use https", s)
	}
	return u, nil
}
