package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// crud are the operations that every kind of object has. O is the document, V
// how it is shown.
type crud[O, V any] struct {
	kind   string
	create func(context.Context, admin.Actor, O) (V, int64, error)
	update func(context.Context, admin.Actor, admin.Update[O]) (V, int64, error)
	delete func(context.Context, admin.Actor, admin.Target) (int64, error)
	show   func(context.Context, admin.Actor, string) (V, error)
	list   func(context.Context, admin.Actor, admin.Query) (admin.Page[V], error)
}

// Target is an object in a path. If-Match holds its version, as "3". It is
// exported because huma looks into exported fields only.
type Target struct {
	ID      string `path:"id"`
	IfMatch string `header:"If-Match" doc:"The version that the caller has seen, as \"3\""`
}

func (t Target) target() (admin.Target, error) {
	out := admin.Target{ID: t.ID}
	if t.IfMatch == "" || t.IfMatch == "*" {
		return out, nil
	}
	version, err := strconv.ParseInt(strings.Trim(t.IfMatch, `"`), 10, 64)
	if err != nil || version < 1 {
		return out, &admin.Error{Code: admin.Invalid, Message: "If-Match is not the version of an object", Fix: `write it as "3"`}
	}
	out.Version = version
	return out, nil
}

// document is a request whose body is an object, or the members to change.
type document struct {
	RawBody []byte `contentType:"application/json"`
}

type edited struct {
	Target
	document
}

// answer is an object after a change, and the commit that holds the change.
type answer[V any] struct {
	Commit int64 `header:"Commit" doc:"Number of the commit that holds the change"`
	Body   V
}

func answered[V any](v V, seq int64, err error) (*answer[V], error) {
	if err != nil {
		return nil, err
	}
	return &answer[V]{Commit: seq, Body: v}, nil
}

// shown is an object that was only read.
type shown[V any] struct {
	Body V
}

func shownAs[V any](v V, err error) (*shown[V], error) {
	if err != nil {
		return nil, err
	}
	return &shown[V]{Body: v}, nil
}

// done is the answer to a deletion.
type done struct {
	Commit int64 `header:"Commit"`
	Body   struct {
		Commit int64 `json:"commit"`
	}
}

func doneAt(seq int64, err error) (*done, error) {
	if err != nil {
		return nil, err
	}
	d := &done{Commit: seq}
	d.Body.Commit = seq
	return d, nil
}

// query are the filters of a list.
type query struct {
	Search    string `query:"search" doc:"Part of the name or id"`
	Owner     string `query:"owner"`
	State     string `query:"state"`
	Label     string `query:"label" doc:"As team=finance"`
	Issuer    string `query:"issuer"`
	API       string `query:"api"`
	ManagedBy string `query:"managed_by"`
	After     string `query:"after" doc:"next of the page before"`
	Limit     int    `query:"limit" minimum:"0" maximum:"1000" doc:"Default 100"`
}

func (q query) query() admin.Query { return admin.Query(q) }

// objects adds the routes of one kind.
func objects[O, V any](h *handler, api huma.API, path string, ops crud[O, V]) {
	get(h, api, path, func(ctx context.Context, in *query) (*shown[admin.Page[V]], error) {
		return shownAs(ops.list(ctx, actorOf(ctx), in.query()))
	})
	get(h, api, path+"/{id}", func(ctx context.Context, in *Target) (*shown[V], error) {
		return shownAs(ops.show(ctx, actorOf(ctx), in.ID))
	})
	post(h, api, path, http.StatusCreated, func(ctx context.Context, in *document) (*answer[V], error) {
		n, err := admin.ReadNew[O](ops.kind, in.RawBody)
		if err != nil {
			return nil, err
		}
		return answered(ops.create(ctx, actorOf(ctx), n))
	})
	patch(h, api, path+"/{id}", func(ctx context.Context, in *edited) (*answer[V], error) {
		t, err := in.target()
		if err != nil {
			return nil, err
		}
		n, err := admin.ReadNamed[O](in.RawBody)
		if err != nil {
			return nil, err
		}
		return answered(ops.update(ctx, actorOf(ctx), admin.Update[O]{Target: t, Change: n}))
	})
	put(h, api, path+"/{id}", func(ctx context.Context, in *edited) (*answer[V], error) {
		return ops.put(ctx, in)
	})
	del(h, api, path+"/{id}", func(ctx context.Context, in *Target) (*done, error) {
		t, err := in.target()
		if err != nil {
			return nil, err
		}
		return doneAt(ops.delete(ctx, actorOf(ctx), t))
	})
}

// put creates the object of the path's id, or sets the members that the body
// names: the same request may be repeated.
func (ops crud[O, V]) put(ctx context.Context, in *edited) (*answer[V], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	body, err := withoutID(in.RawBody, in.ID)
	if err != nil {
		return nil, err
	}
	if t.Version == 0 {
		if _, err := ops.show(ctx, actorOf(ctx), in.ID); admin.CodeOf(err) == admin.NotFound {
			n, err := admin.ReadNew[O](ops.kind, withID(body, in.ID))
			if err != nil {
				return nil, err
			}
			return answered(ops.create(ctx, actorOf(ctx), n))
		}
	}
	n, err := admin.ReadNamed[O](body)
	if err != nil {
		return nil, err
	}
	return answered(ops.update(ctx, actorOf(ctx), admin.Update[O]{Target: t, Change: n}))
}

// withoutID takes the id out of a body, which may repeat the one of the path.
func withoutID(body []byte, id string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return body, nil // ReadNamed says what is wrong with it
	}
	given, ok := members["id"]
	if !ok {
		return body, nil
	}
	var text string
	if json.Unmarshal(given, &text) != nil || text != id {
		return nil, registry.Problems{{ID: id, Path: "id", Message: "it is not the one of the path", Fix: "leave it out"}}
	}
	delete(members, "id")
	return json.Marshal(members)
}

// withID puts the id of the path into a body that has none.
func withID(body []byte, id string) []byte {
	text, err := json.Marshal(id)
	body = bytes.TrimSpace(body)
	if err != nil || len(body) < 2 || body[0] != '{' {
		return body
	}
	rest := bytes.TrimSpace(body[1:])
	if rest[0] != '}' {
		rest = append([]byte{','}, rest...)
	}
	return append(append([]byte(`{"id":`), text...), rest...)
}
