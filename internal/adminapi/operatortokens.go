package adminapi

import (
	"context"
	"encoding/json"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// createdToken is an operator token, and the value that was made for it.
type createdToken struct {
	Token admin.OperatorToken `json:"operator_token"`
	Value string              `json:"value,omitempty" doc:"Shown this once; absent when it came with the request"`
}

func (h *handler) listOperatorTokens(ctx context.Context, in *query) (*shown[admin.Page[admin.OperatorToken]], error) {
	return shownAs(h.Admin.OperatorTokens(ctx, actorOf(ctx), in.query()))
}

func (h *handler) showOperatorToken(ctx context.Context, in *Target) (*shown[admin.OperatorToken], error) {
	return shownAs(h.Admin.OperatorToken(ctx, actorOf(ctx), in.ID))
}

func (h *handler) createOperatorToken(ctx context.Context, in *document) (*answer[createdToken], error) {
	req, err := readNewToken(in.RawBody)
	if err != nil {
		return nil, err
	}
	made, seq, err := h.Admin.CreateOperatorToken(ctx, actorOf(ctx), req)
	return answered(createdToken{Token: made.Token, Value: made.Value.Reveal()}, seq, err)
}

// readNewToken takes the value out of the body; the rest is the token.
func readNewToken(body []byte) (req admin.CreateOperatorToken, err error) {
	members, err := admin.ReadStrict[map[string]json.RawMessage](body)
	if err != nil {
		return req, err
	}
	if text, ok := members["value"]; ok {
		value, err := admin.ReadStrict[string](text)
		if err != nil {
			return req, err
		}
		req.Value = admin.NewSecret(value)
		delete(members, "value")
		if body, err = json.Marshal(members); err != nil {
			return req, err
		}
	}
	req.Token, err = admin.ReadNew[registry.OperatorToken](registry.KindOperatorToken, body)
	return req, err
}

// putOperatorToken creates the token of the path's id, or sets the members that the
// body names. A value comes about only with the token.
func (h *handler) putOperatorToken(ctx context.Context, in *edited) (*answer[createdToken], error) {
	ops := crud[registry.OperatorToken, createdToken]{
		kind: registry.KindOperatorToken,
		show: func(ctx context.Context, actor admin.Actor, id string) (createdToken, error) {
			_, err := h.Admin.OperatorToken(ctx, actor, id)
			return createdToken{}, err
		},
		update: func(ctx context.Context, actor admin.Actor, u admin.Update[registry.OperatorToken]) (createdToken, int64, error) {
			t, seq, err := h.Admin.UpdateOperatorToken(ctx, actor, u)
			return createdToken{Token: t}, seq, err
		},
		create: func(ctx context.Context, actor admin.Actor, t registry.OperatorToken) (createdToken, int64, error) {
			made, seq, err := h.Admin.CreateOperatorToken(ctx, actor, admin.CreateOperatorToken{Token: t})
			return createdToken{Token: made.Token, Value: made.Value.Reveal()}, seq, err
		},
	}
	return ops.put(ctx, in)
}

func (h *handler) updateOperatorToken(ctx context.Context, in *edited) (*answer[admin.OperatorToken], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	n, err := admin.ReadNamed[registry.OperatorToken](in.RawBody)
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.UpdateOperatorToken(ctx, actorOf(ctx), admin.Update[registry.OperatorToken]{Target: t, Change: n}))
}

func (h *handler) deleteOperatorToken(ctx context.Context, in *Target) (*done, error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	return doneAt(h.Admin.DeleteOperatorToken(ctx, actorOf(ctx), t))
}
