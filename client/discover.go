package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// requestTimeout is how long one request to the authorization server may take.
const requestTimeout = 10 * time.Second

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
// that names another issuer (RFC 8414 §3.3) or an endpoint over plain http.
// No redirect is followed, at most 64 KiB are read. Errors are
// *symbolon.Error: Status is that of the last answer, zero when there was
// none.
func Discover(ctx context.Context, hc *http.Client, issuer string) (*symbolon.ServerMetadata, error) {
	urls, err := MetadataURLs(issuer)
	if err != nil {
		return nil, fault(0, "the issuer "+err.Error())
	}
	hc = withoutRedirects(hc)
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
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fault(0, "the metadata's URL cannot be asked").WithCause(err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := hc.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		e := fault(resp.StatusCode, fmt.Sprintf("%s answered %d where the metadata of the issuer was expected; check the issuer's URL", at, resp.StatusCode))
		e.RetryAfter = retryAfter(resp.Header, time.Now)
		return nil, e
	}
	return readBody(resp)
}

// readBody reads at most what an answer may have.
func readBody(resp *http.Response) ([]byte, *symbolon.Error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, symbolon.MaxBody+1))
	if err != nil {
		return nil, unreachable(err)
	}
	if len(body) > symbolon.MaxBody {
		return nil, fault(resp.StatusCode, fmt.Sprintf("the answer is longer than %d bytes and was not read on", symbolon.MaxBody))
	}
	return body, nil
}

// readMetadata judges the document.
func readMetadata(body []byte, issuer, at string) (*symbolon.ServerMetadata, error) {
	var doc symbolon.ServerMetadata
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fault(http.StatusOK, at+" is not a metadata document; check the issuer's URL").WithCause(err)
	}
	// RFC 8414 §3.3: identical, by simple string comparison.
	if doc.Issuer != issuer {
		return nil, fault(http.StatusOK, fmt.Sprintf("the metadata at %s names the issuer %.200q, but %q was asked; write it exactly so, or correct the server's url", at, doc.Issuer, issuer))
	}
	for _, e := range []struct{ member, url string }{{"token_endpoint", doc.TokenEndpoint}, {"jwks_uri", doc.JWKSURI}} {
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
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%q is plain http, which is only for loopback names; use https", s)
	}
	return u, nil
}

// loopback reports whether the host is this machine by its name alone.
func loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
