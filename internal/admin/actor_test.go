package admin

import (
	"slices"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// Which actor has which permission: a table of all of them, so that a new one
// shows here.
func TestPermissionsOfActors(t *testing.T) {
	everything := roles[registry.RoleAdmin]
	token := func(role string) Actor {
		return OfToken(&registry.OperatorToken{ID: "ci", Role: role}, "r", []string{"okta"})
	}
	for _, tt := range []struct {
		name  string
		actor Actor
		may   []Permission
	}{
		{"nobody", Actor{}, nil},
		{"a client at an endpoint", OfClient("c", "r"), nil},
		{"a role that does not exist", Actor{Role: "root"}, nil},
		{"viewer", Actor{Role: registry.RoleViewer}, []Permission{ClientsRead, OperatorsRead, AuditRead}},
		{"operator", Actor{Role: registry.RoleOperator}, []Permission{ClientsRead, OperatorsRead, AuditRead, ClientsWrite, APIsWrite, DenyWrite}},
		{"admin", Actor{Role: registry.RoleAdmin}, everything},
		{"the host", Local(0, "r"), everything},
		{"the server", System(), everything},
		{"a file at the start", File(), everything},
		{"a token of a viewer", token(registry.RoleViewer), []Permission{ClientsRead, OperatorsRead}},
		{"a token of an operator", token(registry.RoleOperator), []Permission{ClientsRead, OperatorsRead, ClientsWrite, APIsWrite, DenyWrite}},
		{"a token of an admin", token(registry.RoleAdmin), []Permission{ClientsRead, OperatorsRead, ClientsWrite, APIsWrite, DenyWrite, KeysRotate}},
		{"a token of a role that does not exist", token("root"), nil},
		{"an admin within some issuers", Actor{Role: registry.RoleAdmin, Issuers: []string{"okta"}}, []Permission{ClientsRead, OperatorsRead, ClientsWrite, APIsWrite, DenyWrite, KeysRotate}},
		{"a client that manages", OfManagement("c", "r", []Permission{ClientsRead}, []string{"okta"}), []Permission{ClientsRead}},
		{"a client with all permissions", OfManagement("c", "r", everything, []string{"okta"}), []Permission{ClientsRead, OperatorsRead, ClientsWrite, APIsWrite, DenyWrite}},
		{"a client with no permission", OfManagement("c", "r", nil, nil), nil},
		{"an admin with a few permissions", Actor{Role: registry.RoleAdmin, Permissions: []Permission{GrantsAdmin, IssuersWrite}}, []Permission{IssuersWrite}},
	} {
		for _, p := range everything {
			err := tt.actor.May(p)
			if (err == nil) != slices.Contains(tt.may, p) {
				t.Errorf("%s, %s: %v", tt.name, p, err)
			}
			if err != nil && (CodeOf(err) != Forbidden || err.(*Error).Fix == "") {
				t.Errorf("%s, %s: %v", tt.name, p, err)
			}
		}
	}
}

// An actor that is bound to no issuer reaches none: nothing is not everything.
func TestBoundsOfActors(t *testing.T) {
	token := &registry.OperatorToken{ID: "ci", Role: registry.RoleOperator}
	for _, tt := range []struct {
		actor Actor
		want  []string
	}{
		{OfToken(token, "r", []string{"okta", "okta-default"}), []string{"okta", "okta-default"}},
		{OfToken(token, "r", nil), []string{}},
		{OfManagement("c", "r", nil, []string{"okta"}), []string{"okta"}},
		{OfManagement("c", "r", nil, nil), []string{}},
	} {
		if tt.actor.Issuers == nil || !slices.Equal(tt.actor.Issuers, tt.want) {
			t.Errorf("%s: %#v, want %v", tt.actor.Name, tt.actor.Issuers, tt.want)
		}
	}
	if a := OfToken(token, "r", nil); a.Name != "token:ci" || a.Via != "ssws" || a.RequestID != "r" || a.Permissions == nil {
		t.Errorf("%+v", a)
	}
	if a := OfManagement("c", "r", nil, nil); a.Name != "client:c" || a.Via != "management" || a.RequestID != "r" || a.Permissions == nil {
		t.Errorf("%+v", a)
	}
}
