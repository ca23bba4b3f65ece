package admin

import (
	"fmt"

	"github.com/symbolon/symbolon/internal/registry"
)

// Actor is who asks for an operation, as a record names them.
type Actor struct {
	Name      string // "uid:0", "system", later an operator or a client
	Via       string // "socket", "file", "schedule"
	RequestID string // of the request that carries the operation; may be empty
	Role      string // registry.RoleAdmin, …; the zero Actor may do nothing

	// Permissions bound what the role may do, as the scopes of a token do; nil: they
	// do not. Where they are set the actor never has GrantsAdmin.
	Permissions []Permission
	// Issuers bound what the actor sees and changes to objects of these issuers
	// alone; nil: of all.
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

// Permission is what an operation needs.
type Permission string

// The permissions, by what they let an actor do. GrantsAdmin is the one that
// lets powers be handed on: nobody grants what they do not hold.
const (
	ClientsRead  Permission = "clients:read"
	ClientsWrite Permission = "clients:write"
	APIsWrite    Permission = "apis:write"
	IssuersWrite Permission = "issuers:write"
	KeysRotate   Permission = "keys:rotate"
	AuditRead    Permission = "audit:read"
	DenyWrite    Permission = "deny:write"
	GrantsAdmin  Permission = "grants:admin"
)

// May reports whether the actor may do what needs the permission. Only the
// role admin has permissions; what other roles may do has its place here and
// nowhere else.
func (a Actor) May(p Permission) error {
	if a.Role == registry.RoleAdmin {
		return nil
	}
	return &Error{Code: Forbidden, Message: fmt.Sprintf("%s lacks the permission %s", a.name(), p),
		Fix: "ask an operator with the role admin"}
}

func (a Actor) name() string {
	if a.Name == "" {
		return "an unnamed actor"
	}
	return a.Name
}
