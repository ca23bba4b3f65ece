package client

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// origin is where a token may go: scheme, host in lower case, port.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port: u.Port()}
	if o.port == "" {
		switch o.scheme {
		case "https":
			o.port = "443"
		case "http":
			o.port = "80"
		}
	}
	return o
}

// parseOrigins reads Config.Origins, or takes the origin of the resource.
func parseOrigins(list []string, resource string) ([]origin, error) {
	var origins []origin
	for i, s := range list {
		u, err := secureURL(s)
		if err != nil {
			return nil, wrong(fmt.Sprintf("Origins[%d]", i), err)
		}
		if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return nil, wrong(fmt.Sprintf("Origins[%d]", i), fmt.Errorf("%q is more than scheme, host and port; leave the rest out", s))
		}
		origins = append(origins, originOf(u))
	}
	if len(origins) > 0 {
		return origins, nil
	}
	u, err := url.Parse(resource)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return nil, nil // a urn, or none: then the token goes nowhere by itself
	}
	if u, err = secureURL(resource); err != nil {
		return nil, wrong("Resource", fmt.Errorf("%w; or name in Origins where the API is reached", err))
	}
	return []origin{originOf(u)}, nil
}

func (c *Client) allows(u *url.URL) bool {
	o := originOf(u)
	for _, a := range c.origins {
		if a == o {
			return true
		}
	}
	return false
}

// stayed reports whether the request, and each that it was redirected from,
// goes where the token may go: a chain that left is not trusted to come back.
func (c *Client) stayed(r *http.Request) bool {
	for r != nil {
		if !c.allows(r.URL) {
			return false
		}
		if r.Response == nil {
			return true
		}
		r = r.Response.Request
	}
	return true
}
