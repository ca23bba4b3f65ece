package adminapi

import (
	"context"
	"net/http"
	"path"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// prefix is where the API stands.
const prefix = "/admin/v1"

// makeRoutes is the one block of routes.
func (h *handler) makeRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("symbolon admin API", "1")
	// No pages and no documents are served: huma's own load scripts from elsewhere.
	cfg.DocsPath, cfg.OpenAPIPath, cfg.SchemasPath, cfg.CreateHooks = "", "", "", nil
	cfg.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	api := huma.NewGroup(humago.New(mux, cfg), prefix)
	a := h.Admin

	objects(h, api, "/issuers", crud[registry.Issuer, admin.Issuer]{
		kind: registry.KindIssuer, create: a.CreateIssuer, update: a.UpdateIssuer, delete: a.DeleteIssuer, show: a.Issuer, list: a.Issuers})
	objects(h, api, "/apis", crud[registry.API, admin.API]{
		kind: registry.KindAPI, create: a.CreateAPI, update: a.UpdateAPI, delete: a.DeleteAPI, show: a.API, list: a.APIs})
	objects(h, api, "/operators", crud[registry.Operator, admin.Operator]{
		kind: registry.KindOperator, create: a.CreateOperator, update: a.UpdateOperator, delete: a.DeleteOperator, show: a.Operator, list: a.Operators})

	get(h, api, "/operator-tokens", h.listOperatorTokens)
	post(h, api, "/operator-tokens", http.StatusCreated, h.createOperatorToken)
	get(h, api, "/operator-tokens/{id}", h.showOperatorToken)
	put(h, api, "/operator-tokens/{id}", h.putOperatorToken)
	patch(h, api, "/operator-tokens/{id}", h.updateOperatorToken)
	del(h, api, "/operator-tokens/{id}", h.deleteOperatorToken)

	get(h, api, "/clients", h.listClients)
	post(h, api, "/clients", http.StatusCreated, h.createClient)
	get(h, api, "/clients/{id}", h.showClient)
	put(h, api, "/clients/{id}", h.putClient)
	patch(h, api, "/clients/{id}", h.updateClient)
	del(h, api, "/clients/{id}", h.deleteClient)
	post(h, api, "/clients/{id}/enable", http.StatusOK, h.enableClient)
	post(h, api, "/clients/{id}/disable", http.StatusOK, h.disableClient)
	put(h, api, "/clients/{id}/access/{api}", h.grant)
	del(h, api, "/clients/{id}/access/{api}", h.ungrant)
	get(h, api, "/clients/{id}/usage", h.clientUsage)
	get(h, api, "/clients/{id}/secrets", h.listSecrets)
	post(h, api, "/clients/{id}/secrets", http.StatusCreated, h.addSecret)
	get(h, api, "/clients/{id}/keys", h.listKeysOf)
	post(h, api, "/clients/{id}/keys", http.StatusCreated, h.addKey)
	get(h, api, "/clients/{id}/certificates", h.listCertificates)
	post(h, api, "/clients/{id}/certificates", http.StatusCreated, h.addCertificate)
	for _, kind := range []admin.CredentialKind{admin.CredentialSecret, admin.CredentialKey, admin.CredentialCertificate} {
		path := "/clients/{id}/" + string(kind) + "s/{credential}"
		del(h, api, path, h.removeCredential(kind))
		post(h, api, path+"/revoke", http.StatusOK, h.revokeCredential(kind))
	}

	get(h, api, "/keys", h.listKeys)
	post(h, api, "/keys/{kid}/revoke", http.StatusOK, h.revokeKey)
	post(h, api, "/issuers/{id}/keys/rotate", http.StatusOK, h.rotateKey)

	post(h, api, "/apply", http.StatusOK, h.apply)
	get(h, api, "/export", h.export)

	get(h, api, "/denials", h.listDenials)
	post(h, api, "/denials", http.StatusCreated, h.deny)

	get(h, api, "/audit/requests", h.searchRequests)
	get(h, api, "/audit/changes", h.searchChanges)
	get(h, api, "/audit/verify", h.verify)
	get(h, api, "/requests/{request}", h.explain)
	return mux
}

// schemaName names a type with its package: admin.Client is how a client is
// shown, registry.Client how a declarative file says it.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Name() == "" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	return path.Base(t.PkgPath()) + "." + huma.DefaultSchemaNamer(t, hint)
}

// operation is a handler as huma calls it.
type operation[I, O any] func(context.Context, *I) (*O, error)

func get[I, O any](h *handler, api huma.API, path string, op operation[I, O]) {
	register(h, api, http.MethodGet, path, http.StatusOK, op)
}

func post[I, O any](h *handler, api huma.API, path string, status int, op operation[I, O]) {
	register(h, api, http.MethodPost, path, status, op)
}

func put[I, O any](h *handler, api huma.API, path string, op operation[I, O]) {
	register(h, api, http.MethodPut, path, http.StatusOK, op)
}

func patch[I, O any](h *handler, api huma.API, path string, op operation[I, O]) {
	register(h, api, http.MethodPatch, path, http.StatusOK, op)
}

func del[I, O any](h *handler, api huma.API, path string, op operation[I, O]) {
	register(h, api, http.MethodDelete, path, http.StatusOK, op)
}

// register adds one route. Errors become problems here, and what is this
// server's own fault is logged here.
func register[I, O any](h *handler, api huma.API, method, path string, status int, op operation[I, O]) {
	huma.Register(api, huma.Operation{
		OperationID: method + path, Method: method, Path: path, DefaultStatus: status,
		// Bodies are read by package admin, which knows their members; size and
		// time are the listener's to bound.
		MaxBodyBytes: maxBody, BodyReadTimeout: -1, SkipValidateBody: true,
	}, func(ctx context.Context, in *I) (*O, error) {
		out, err := op(ctx, in)
		if err == nil {
			return out, nil
		}
		p := toProblem(err, actorOf(ctx).RequestID)
		if p.Status >= http.StatusInternalServerError {
			h.Logger.Error("an administrative operation failed", "method", method, "path", path, "request_id", p.RequestID, "error", err)
		}
		return nil, p
	})
}
