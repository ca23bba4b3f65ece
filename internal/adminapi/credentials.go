package adminapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// credentialTarget is a credential of a client in a path.
type credentialTarget struct {
	Target
	Credential string `path:"credential"`
}

// removeCredential ends a rotation.
func (h *handler) removeCredential(kind admin.CredentialKind) operation[credentialTarget, answer[admin.Client]] {
	return func(ctx context.Context, in *credentialTarget) (*answer[admin.Client], error) {
		t, err := in.target()
		if err != nil {
			return nil, err
		}
		return answered(h.Admin.RemoveCredential(ctx, actorOf(ctx), t, kind, in.Credential))
	}
}

// revokeCredential is for one that leaked.
func (h *handler) revokeCredential(kind admin.CredentialKind) operation[credentialTarget, answer[admin.Client]] {
	return func(ctx context.Context, in *credentialTarget) (*answer[admin.Client], error) {
		t, err := in.target()
		if err != nil {
			return nil, err
		}
		return answered(h.Admin.RevokeCredential(ctx, actorOf(ctx), t, kind, in.Credential))
	}
}

// keyRequest is a public key: one of PEM and JWK.
type keyRequest struct {
	ID      string          `json:"id,omitempty"`
	PEM     string          `json:"pem,omitempty" doc:"A public key or a certificate"`
	JWK     json.RawMessage `json:"jwk,omitempty"`
	Expires time.Time       `json:"expires,omitzero"`
}

// readKey reads a key from a body, or from the member of one.
func readKey(body []byte) (admin.NewKey, error) {
	k, err := admin.ReadStrict[keyRequest](body)
	if err != nil {
		return admin.NewKey{}, err
	}
	n := admin.NewKey{ID: k.ID, Text: k.PEM, Expires: k.Expires}
	if len(k.JWK) > 0 {
		n.Text = string(k.JWK)
	}
	if (k.PEM == "") == (len(k.JWK) == 0) {
		return n, &admin.Error{Code: admin.Invalid, Message: "a key needs one of pem and jwk", Fix: "send the public key in one of them"}
	}
	return n, nil
}

// certificateRequest is a certificate credential: one subject form, or PEM.
type certificateRequest struct {
	ID        string    `json:"id,omitempty"`
	SubjectDN string    `json:"subject_dn,omitempty"`
	SANDNS    string    `json:"san_dns,omitempty"`
	SANURI    string    `json:"san_uri,omitempty"`
	SANIP     string    `json:"san_ip,omitempty"`
	SANEmail  string    `json:"san_email,omitempty"`
	PEM       string    `json:"pem,omitempty" doc:"The client's own certificate"`
	Expires   time.Time `json:"expires,omitzero"`
}

func (c certificateRequest) credential() admin.NewCertificate {
	return admin.NewCertificate{Certificate: registry.Certificate{ID: c.ID, SubjectDN: c.SubjectDN, SANDNS: c.SANDNS, SANURI: c.SANURI,
		SANIP: c.SANIP, SANEmail: c.SANEmail, PEM: c.PEM, Expires: c.Expires}}
}

func (h *handler) listKeysOf(ctx context.Context, in *Target) (*shown[[]admin.KeyInfo], error) {
	client, err := h.Admin.Client(ctx, actorOf(ctx), in.ID)
	return shownAs(client.Keys, err)
}

func (h *handler) addKey(ctx context.Context, in *edited) (*answer[admin.KeyInfo], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	n, err := readKey(in.RawBody)
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.AddKey(ctx, actorOf(ctx), t, n))
}

func (h *handler) listCertificates(ctx context.Context, in *Target) (*shown[[]admin.CertificateInfo], error) {
	client, err := h.Admin.Client(ctx, actorOf(ctx), in.ID)
	return shownAs(client.Certificates, err)
}

func (h *handler) addCertificate(ctx context.Context, in *edited) (*answer[admin.CertificateInfo], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	c, err := admin.ReadStrict[certificateRequest](in.RawBody)
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.AddCertificate(ctx, actorOf(ctx), t, c.credential()))
}
