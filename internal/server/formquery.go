package server

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// errQuery: also where a dialect takes parameters from the URL it is the answer
// to any other, and to a request that has a body besides.
var errQuery = symbolon.NewError(symbolon.InvalidRequest,
	"parameters belong in the request body, not in the URL, where logs keep them")

// parseQuery reads the parameters from the URL. Only those names may stand there,
// whatever they mean.
func (f *form) parseQuery(raw string, names []string) error {
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, _, err := splitPair(pair)
		if err != nil {
			return err
		}
		if !slices.Contains(names, name) {
			return errQuery
		}
	}
	return f.parse(raw)
}

// leak is a credential that came in the URL: every proxy on the way may have it
// in its log by now.
type leak struct {
	secret bool   // a client_secret, which is good until it is replaced
	client string // that the URL names; "" when it names none that there could be
}

var errAssertionInURL = errors.New("client_assertion in the URL: send it in the body; it is good until it expires unless it was used, and the logs of every hop may hold it")

// cause tells the operator, and repeats nothing but the client's id.
func (l leak) cause() error {
	whose := "" // the URL does not say
	if l.client != "" {
		whose = " of client " + l.client
	}
	return errors.New("client_secret in the URL: replace that credential" + whose + ", the logs of every hop may hold it")
}

// leaked looks for credentials in a query, however broken it is; nil: there are
// none.
func (q *request) leaked(raw string) (cause error) {
	var l leak
	asserted := false
	for pair := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		switch readable(name) {
		case "client_secret":
			l.secret = l.secret || value != ""
		case "client_assertion":
			asserted = true
		case "client_id":
			// What has the form of a secret is none that may be written down.
			if id := readable(value); registry.ValidClientID(id) && registry.Redact(id) == id {
				l.client = id
			}
		}
	}
	switch {
	case l.secret:
		q.leak, q.ClientID = &l, l.client
		return l.cause()
	case asserted:
		return errAssertionInURL
	}
	return nil
}

// readable is the text without its escapes where they can be read.
func readable(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// Anybody can send such requests: ten lines of the log, and then one in ten
// seconds, tell it as well as thousands. Each has its record.
const (
	leaksAtOnce = 10
	leakEvery   = 10 * time.Second
)

func newLeakLimit() *web.Limiter {
	return &web.Limiter{Every: leakEvery, Burst: leaksAtOnce, MaxKeys: 1}
}

// tellLeak warns of a secret that came in the URL. Whether it is the client's is
// not looked at: the answer, and the time it takes, must not tell.
func (s *Server) tellLeak(c *call) {
	if ok, _ := s.leaks.Allow("", c.now); !ok {
		return
	}
	s.cfg.Logger.Warn("a client_secret came in the URL of a request, which was refused",
		"client", c.request.leak.client, "issuer", c.Issuer.ID, "request_id", c.record.RequestID,
		"fix", "replace that secret of the client: the logs of every hop may hold it; and have the program send it in the body or in the Authorization header")
}
