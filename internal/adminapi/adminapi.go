// Package adminapi serves the operations of package admin as JSON under
// /admin/v1: on the Unix socket of the data directory, to whoever has the
// server's own uid or is root.
//
// Requests and answers are the types of package admin. Errors are problem
// documents (RFC 9457) with the members code, fix, request_id and, for each
// member of an object that is wrong, errors.
package adminapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/web"
)

// Config is what the handler works on.
type Config struct {
	Admin  *admin.Admin
	Logger *slog.Logger     // default: discards
	Now    func() time.Time // default time.Now
	// UID is the uid that may administer besides root; nil: the process's own.
	UID *uint32
}

// maxBody bounds a request: a declarative file of some ten thousand clients.
const maxBody = 32 << 20

// New returns the handler. It expects connections whose context PeerContext
// has seen, and refuses all others.
func New(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.UID == nil {
		own := uint32(os.Geteuid())
		cfg.UID = &own
	}
	h := &handler{Config: cfg, refusals: &web.Limiter{Every: time.Second, Burst: 60, MaxKeys: 64}}
	// The routes are made by the first request: most starts of a server never
	// see one, and none waits for them.
	h.routes = sync.OnceValue(h.makeRoutes)
	return web.Wrap(web.Config{MaxBody: maxBody, Logger: cfg.Logger, Now: cfg.Now, WriteError: writeError}, h.serve)
}

type handler struct {
	Config
	routes   func() *http.ServeMux
	refusals *web.Limiter // how many refused peers are recorded
}

// serve lets a peer with authority through to the routes.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	x := web.ExchangeOf(w)
	x.Endpoint = "admin"
	actor, err := h.actor(r.Context(), x.RequestID)
	if err != nil {
		return err
	}
	web.NoStore(x.Header())
	mux := h.routes()
	if _, pattern := mux.Handler(r); pattern == "" {
		return noRoute(mux, w, r)
	}
	mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, actor)))
	return nil
}

type actorKey struct{}

// actorOf is who sends the request; the zero Actor, which may do nothing,
// outside serve.
func actorOf(ctx context.Context) admin.Actor {
	a, _ := ctx.Value(actorKey{}).(admin.Actor)
	return a
}

// errPeer is the answer to every peer without authority.
var errPeer = symbolon.NewError(symbolon.InsufficientScope, "this user may not administer the server").WithCause(&admin.Error{
	Code: admin.Forbidden, Message: "this user may not administer the server", Fix: "run the command as root or as the server's own user"})

// actor says who the peer is by its uid, which the kernel vouches for.
func (h *handler) actor(ctx context.Context, requestID string) (admin.Actor, error) {
	uid, ok := PeerUID(ctx)
	if ok && (uid == 0 || uid == *h.UID) {
		return admin.Local(uid, requestID), nil
	}
	name, reason := "unknown", "the connection is not one of the Unix socket"
	if ok {
		name = fmt.Sprintf("uid:%d", uid)
		reason = fmt.Sprintf("its uid is neither root's nor the server's (%d)", *h.UID)
	}
	h.Logger.Warn("a peer was turned away from administration", "peer", name, "reason", reason, "request_id", requestID)
	if ok, _ := h.refusals.Allow(name, h.Now()); ok {
		if err := h.Admin.RecordRefusedPeer(ctx, name, reason, requestID); err != nil {
			h.Logger.Error("a refused peer could not be recorded", "peer", name, "error", err)
		}
	}
	return admin.Actor{}, errPeer
}

// methods are those that a route can have.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// noRoute tells a wrong path from a wrong method (RFC 9110 §15.5.6).
func noRoute(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, m := range methods {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := mux.Handler(other); pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) > 0 {
		return web.CheckMethod(w, r, allowed...)
	}
	return symbolon.NewError(symbolon.NotFound, "there is no such path in the admin API")
}
