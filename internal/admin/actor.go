package admin

import (
	"fmt"
	"slices"

	"github.com/symbolon/symbolon/internal/registry"
)

// Actor is who asks for an operation, as a record names them.
type Actor struct {
	Name      string // "uid:0", "system", "token:ci", "client:billing", later an operator
	Via       string // "socket", "file", "schedule", "endpoint", "ssws", "management"
	RequestID string // of the request that carries the operation; may be empty
	Role      string // registry.RoleAdmin, …; the zero Actor may do nothing

	// Permissions bound what the role may do, as the scopes of a token do; nil: they
	// do not. Where they are set the actor never has GrantsAdmin.
	Permissions []Permission
	// Issuers bound what the actor sees and changes to objects of these issuers
	// alone, and to what concerns no other; nil: they do not. An empty list is
	// nothing at all.
	Issuers []string
}

// System is the actor of what happens by schedule.
func System() Actor { return Actor{Name: "system", Via: "schedule", Role: registry.RoleAdmin} }

// Local is a person on the server's host: the uid of the peer is the
// authority, and it has full power.
func Local(uid uint32, requestID string) Actor {
	return Actor{Name: fmt.Sprintf("uid:%d", uid), Via: "socket", RequestID: requestID, Role: registry.RoleAdmin}
}

// OfClient is a client that asks for something of its own at an endpoint. It has
// no role: what it may do, its operation says.
func OfClient(id, requestID string) Actor {
	return Actor{Name: "client:" + id, Via: "endpoint", RequestID: requestID}
}

// File is the declarative file that the server applies at its own start.
func File() Actor { return Actor{Name: "system", Via: "file", Role: registry.RoleAdmin} }

// OfToken is a program with an operator token: its role, without the power to hand
// power on, at the issuers that the token reaches where it was sent.
func OfToken(t *registry.OperatorToken, requestID string, issuers []string) Actor {
	return Actor{Name: "token:" + t.ID, Via: "ssws", RequestID: requestID, Role: t.Role,
		Permissions: slices.DeleteFunc(slices.Clone(roles[t.Role]), func(p Permission) bool { return p == GrantsAdmin }),
		Issuers:     append([]string{}, issuers...)}
}

// OfManagement is a client with a token for the management API of an organisation,
// whose issuers are given. permissions are what its scopes let it do: at most what
// the role operator may.
func OfManagement(client, requestID string, permissions []Permission, issuers []string) Actor {
	return Actor{Name: "client:" + client, Via: "management", RequestID: requestID, Role: registry.RoleOperator,
		Permissions: append([]Permission{}, permissions...), Issuers: append([]string{}, issuers...)}
}

// Permission is what an operation needs.
type Permission string

// The permissions, by what they let an actor do. GrantsAdmin is the one that
// lets powers be handed on: nobody grants what they do not hold.
const (
	ClientsRead   Permission = "clients:read" // clients, APIs, issuers, keys, denials
	ClientsWrite  Permission = "clients:write"
	APIsWrite     Permission = "apis:write"
	IssuersWrite  Permission = "issuers:write"
	KeysRotate    Permission = "keys:rotate"
	OperatorsRead Permission = "operators:read"
	AuditRead     Permission = "audit:read"
	DenyWrite     Permission = "deny:write"
	GrantsAdmin   Permission = "grants:admin"
)

// roles are what each role may do.
var roles = map[string][]Permission{
	registry.RoleViewer:   {ClientsRead, OperatorsRead, AuditRead},
	registry.RoleOperator: {ClientsRead, OperatorsRead, AuditRead, ClientsWrite, APIsWrite, DenyWrite},
	registry.RoleAdmin: {ClientsRead, OperatorsRead, AuditRead, ClientsWrite, APIsWrite, DenyWrite,
		IssuersWrite, KeysRotate, GrantsAdmin},
}

// serverWide are permissions that an actor who is bound to issuers never has: what
// they are for concerns the whole server. An issuer that is moved would leave its
// organisation, and the evidence is of everybody.
var serverWide = []Permission{IssuersWrite, AuditRead, GrantsAdmin}

// May reports whether the actor may do what needs the permission. What an actor
// may do has its place here and nowhere else; at which objects, in reach.go.
func (a Actor) May(p Permission) error {
	fix := "it needs the role " + leastRole(p) + ", which an operator with the role admin gives"
	switch {
	case a.Issuers != nil && slices.Contains(serverWide, p):
		fix = "it concerns more than one organisation: ask an operator of the whole server"
	case !slices.Contains(roles[a.Role], p):
	case a.Permissions != nil && (p == GrantsAdmin || !slices.Contains(a.Permissions, p)):
	default:
		return nil
	}
	return &Error{Code: Forbidden, Message: fmt.Sprintf("%s lacks the permission %s", a.name(), p), Fix: fix}
}

// leastRole is the role with the least power that has the permission.
func leastRole(p Permission) string {
	for _, role := range []string{registry.RoleViewer, registry.RoleOperator} {
		if slices.Contains(roles[role], p) {
			return role
		}
	}
	return registry.RoleAdmin
}

// reading is the actor as far as it sees what it has just written, whatever it
// may read besides.
func (a Actor) reading() Actor {
	if a.Permissions != nil {
		a.Permissions = append(slices.Clone(a.Permissions), ClientsRead, OperatorsRead)
	}
	return a
}

func (a Actor) name() string {
	if a.Name == "" {
		return "an unnamed actor"
	}
	return a.Name
}
