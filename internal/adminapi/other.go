package adminapi

import (
	"context"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
)

// Keys.

type keyQuery struct {
	Issuer string `query:"issuer"`
}

func (h *handler) listKeys(ctx context.Context, in *keyQuery) (*shown[[]admin.Key], error) {
	return shownAs(h.Admin.Keys(ctx, actorOf(ctx), in.Issuer))
}

type keyTarget struct {
	KID string `path:"kid"`
}

func (h *handler) revokeKey(ctx context.Context, in *keyTarget) (*answer[admin.Key], error) {
	return answered(h.Admin.RevokeKey(ctx, actorOf(ctx), in.KID))
}

func (h *handler) rotateKey(ctx context.Context, in *edited) (*answer[[]admin.Key], error) {
	req, err := admin.ReadStrict[struct {
		Algorithm string `json:"algorithm"`
	}](in.RawBody)
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.RotateKey(ctx, actorOf(ctx), in.ID, req.Algorithm))
}

// Declarative state.

func (h *handler) apply(ctx context.Context, in *document) (*answer[admin.Plan], error) {
	req, err := admin.DecodeApply(in.RawBody)
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.Apply(ctx, actorOf(ctx), req))
}

type exportQuery struct {
	Set string `query:"set" doc:"Only what the set owns"`
}

func (h *handler) export(ctx context.Context, in *exportQuery) (*shown[admin.State], error) {
	return shownAs(h.Admin.Export(ctx, actorOf(ctx), in.Set))
}

// Denials.

func (h *handler) listDenials(ctx context.Context, in *query) (*shown[admin.Page[admin.Denied]], error) {
	return shownAs(h.Admin.Denials(ctx, actorOf(ctx), in.query()))
}

type denyRequest struct {
	What       string `json:"what"` // client, tokens (of a client), credential, kid, jti or token
	Client     string `json:"client,omitempty"`
	Credential string `json:"credential,omitempty"`
	KID        string `json:"kid,omitempty"`
	Issuer     string `json:"issuer,omitempty"` // of a jti; "default" when empty
	JTI        string `json:"jti,omitempty"`
	Token      string `json:"token,omitempty"` // the text of a token: as good as a password
}

// What can be denied besides what a denial is.
const (
	denyTokens = "tokens"
	denyToken  = "token"
)

func (h *handler) deny(ctx context.Context, in *document) (*answer[admin.Denied], error) {
	d, err := admin.ReadStrict[denyRequest](in.RawBody)
	if err != nil {
		return nil, err
	}
	actor := actorOf(ctx)
	switch d.What {
	case registry.DenyClient:
		return answered(h.Admin.DenyClient(ctx, actor, d.Client))
	case registry.DenyCredential:
		return answered(h.Admin.DenyCredential(ctx, actor, d.Client, d.Credential))
	case registry.DenyKID:
		return answered(h.Admin.DenyKID(ctx, actor, d.KID))
	case registry.DenyJTI:
		return answered(h.Admin.DenyJTI(ctx, actor, d.Issuer, d.JTI))
	case denyTokens:
		return answered(h.Admin.DenyTokens(ctx, actor, d.Client))
	case denyToken:
		return answered(h.Admin.DenyToken(ctx, actor, admin.NewSecret(d.Token)))
	}
	return nil, registry.Problems{{Path: "what", Message: "nothing that can be denied", Fix: "write client, tokens, credential, kid, jti or token"}}
}

// Evidence.

type requestQuery struct {
	Issuer    string    `query:"issuer"`
	Client    string    `query:"client"`
	Cred      string    `query:"cred"`
	Endpoint  string    `query:"endpoint"`
	Outcome   string    `query:"outcome"`
	Code      string    `query:"code"`
	RequestID string    `query:"request_id"`
	Since     time.Time `query:"since"`
	Until     time.Time `query:"until"`
	Text      string    `query:"text"`
	Before    int64     `query:"before"`
	Limit     int       `query:"limit" minimum:"0" maximum:"1000"`
}

func (h *handler) searchRequests(ctx context.Context, in *requestQuery) (*shown[[]*audit.Record], error) {
	return shownAs(h.Admin.Requests(ctx, actorOf(ctx), audit.Query(*in)))
}

type changeQuery struct {
	Actor     string    `query:"actor"`
	Action    string    `query:"action"`
	Kind      string    `query:"kind"`
	Object    string    `query:"object"`
	RequestID string    `query:"request_id"`
	Since     time.Time `query:"since"`
	Until     time.Time `query:"until"`
	Before    string    `query:"before"`
	Limit     int       `query:"limit" minimum:"0" maximum:"1000"`
}

func (h *handler) searchChanges(ctx context.Context, in *changeQuery) (*shown[[]admin.ChangeRecord], error) {
	return shownAs(h.Admin.Changes(ctx, actorOf(ctx), admin.ChangeQuery(*in)))
}

func (h *handler) verify(ctx context.Context, _ *struct{}) (*shown[admin.Verification], error) {
	return shownAs(h.Admin.Verify(ctx, actorOf(ctx)))
}

type usageQuery struct {
	ID   string    `path:"id"`
	From time.Time `query:"from"`
	To   time.Time `query:"to"`
	By   string    `query:"by" doc:"hour, day or total"`
}

func (h *handler) clientUsage(ctx context.Context, in *usageQuery) (*shown[admin.Usage], error) {
	return shownAs(h.Admin.Usage(ctx, actorOf(ctx), admin.UsageQuery{Client: in.ID, From: in.From, To: in.To, By: in.By}))
}

type explainTarget struct {
	Request string `path:"request"`
}

func (h *handler) explain(ctx context.Context, in *explainTarget) (*shown[admin.Explanation], error) {
	return shownAs(h.Admin.Explain(ctx, actorOf(ctx), in.Request))
}
