package dialect

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/web"
)

// Paths of the organisation's management API.
const (
	oktaAPIPath    = "/api/v1/"
	oktaAppsPath   = "/api/v1/apps"
	oktaUsersPath  = "/api/v1/users"
	oktaActivate   = "activate"
	oktaDeactivate = "deactivate"
)

// oktaRoutes are the management API of an organisation. The first that fits is
// taken.
func (e *Endpoints) oktaRoutes() []server.Route {
	route := func(name string, form server.Form, path string, handle func(*managed) error) server.Route {
		return server.Route{Name: name, Form: form, Path: path, Errors: writeOktaError, Serve: e.serveManaged(func(c *managed) error {
			if err := handle(c); err != nil {
				return oktaRefusal(err)
			}
			return nil
		})}
	}
	return []server.Route{
		route("okta_apps", server.Below, oktaAppsPath, e.oktaApps),
		route("okta_app", server.Under, oktaAppsPath+"/", e.oktaApp),
		route("okta_users", server.Below, oktaUsersPath, e.oktaUsers),
		route("okta_api", server.Under, oktaAPIPath, func(c *managed) error { return oktaNoPath.refuse(c.noPath()) }),
	}
}

// oktaApps answers GET and POST of all applications.
func (e *Endpoints) oktaApps(c *managed) error {
	if err := web.CheckMethod(c.x, c.r, http.MethodGet, http.MethodPost); err != nil {
		return err
	}
	if c.r.Method == http.MethodPost {
		return e.createApp(c)
	}
	if err := e.admit(c, oktaReadApps); err != nil {
		return err
	}
	q, err := oktaPage(c.r.URL.RawQuery)
	if err != nil {
		return err
	}
	q.query.Issuer = c.Issuer.ID
	page, err := e.cfg.Admin.Clients(c.r.Context(), c.actor, q.query)
	if err != nil {
		return err
	}
	apps := make([]*oktaApp, len(page.Items))
	for i, client := range page.Items {
		apps[i] = showApp(c, client, admin.Secret{})
	}
	q.link(c, oktaAppsPath, page.Next)
	return c.answer(http.StatusOK, apps)
}

// oktaApp answers what is below one application: itself, and its lifecycle.
func (e *Endpoints) oktaApp(c *managed) error {
	segments := strings.Split(c.Rest, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil || plain == "" {
			return oktaNoPath.refuse(c.noPath())
		}
		segments[i] = plain
	}
	switch {
	case len(segments) == 1:
		if err := web.CheckMethod(c.x, c.r, http.MethodGet, http.MethodPut, http.MethodDelete); err != nil {
			return err
		}
		return e.oneApp(c, segments[0])
	case len(segments) == 3 && segments[1] == "lifecycle" && (segments[2] == oktaActivate || segments[2] == oktaDeactivate):
		if err := web.CheckMethod(c.x, c.r, http.MethodPost); err != nil {
			return err
		}
		return e.appLifecycle(c, segments[0], segments[2])
	}
	return oktaNoPath.refuse(c.noPath())
}

// oktaUsers answers GET of the users: those are the server's operators, whom
// every organisation has in common.
func (e *Endpoints) oktaUsers(c *managed) error {
	if err := web.CheckMethod(c.x, c.r, http.MethodGet); err != nil {
		return err
	}
	if err := e.admit(c, oktaReadUsers); err != nil {
		return err
	}
	q, err := oktaPage(c.r.URL.RawQuery)
	if err != nil {
		return err
	}
	page, err := e.cfg.Admin.Operators(c.r.Context(), c.actor, q.query)
	if err != nil {
		return err
	}
	users := make([]oktaUser, len(page.Items))
	for i, o := range page.Items {
		users[i] = showUser(o)
	}
	q.link(c, oktaUsersPath, page.Next)
	return c.answer(http.StatusOK, users)
}

// maxPage is the longest page, and the usual one.
const maxPage = 200

// oktaQuery is what a list is asked for with.
type oktaQuery struct {
	query admin.Query
	limit string // as it was given; "": it was not
}

// oktaPage reads the parameters of a list. One that would leave things out is
// refused, since nothing is searched here: a program that looks for one
// application must not take another for it. The others change nothing.
func oktaPage(raw string) (oktaQuery, error) {
	q := oktaQuery{query: admin.Query{Limit: maxPage}}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, invalidIn("query", oktaCause{"query: cannot be read"})
	}
	for _, name := range []string{"q", "filter", "search"} {
		if strings.Join(values[name], "") != "" {
			search := oktaSearch
			search.Causes = []oktaCause{{name + ": nothing is searched here; ask for the list without it, and look yourself"}}
			return q, &search
		}
	}
	for _, name := range []string{"limit", "after"} {
		if len(values[name]) > 1 {
			return q, invalidIn(name, oktaCause{name + ": is there twice"})
		}
	}
	if values.Has("limit") {
		q.limit = values.Get("limit")
		n, err := wholeNumber(q.limit)
		if err != nil || n < 1 || n > maxPage {
			return q, invalidIn("limit", oktaCause{"limit: must be from 1 to " + strconv.Itoa(maxPage)})
		}
		q.query.Limit, q.limit = n, strconv.Itoa(n)
	}
	if after := values.Get("after"); after != "" {
		if !registry.ValidClientID(after) {
			return q, invalidIn("after", oktaCause{"after: is no cursor of this list"})
		}
		q.query.After = after
	}
	return q, nil
}

// link tells where this page and the next are, in lines of their own:
// github.com/okta/okta-sdk-golang looks at each, @okta/okta-sdk-nodejs for the
// one with rel="next". There is none after the last page.
func (q oktaQuery) link(c *managed, path, next string) {
	at := func(after, rel string) string {
		values := url.Values{}
		if after != "" {
			values.Set("after", after)
		}
		if q.limit != "" {
			values.Set("limit", q.limit)
		}
		u := c.Issuer.Base + path
		if len(values) > 0 {
			u += "?" + values.Encode()
		}
		return "<" + u + `>; rel="` + rel + `"`
	}
	links := []string{at(q.query.After, "self")}
	if next != "" {
		links = append(links, at(next, "next"))
	}
	c.x.Header()["Link"] = links
}
