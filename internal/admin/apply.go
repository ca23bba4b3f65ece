package admin

import (
	"slices"

	"github.com/symbolon/symbolon/internal/registry"
)

// ApplyRequest is a declarative file as package state reads it.
type ApplyRequest struct {
	Set     string  `json:"set"` // owner of what the file names; [a-z0-9][a-z0-9-]{0,62}, "main" when the file has none
	Objects State   `json:"objects"`
	Content Content `json:"content,omitzero"`  // what was read: it is applied at start once per content
	Prune   bool    `json:"prune,omitempty"`   // disable, and on the next run delete, what the set owns and the file names no more
	DryRun  bool    `json:"dry_run,omitempty"` // make the plan, write nothing

	// Missing tells which values that the file names are not there: then it cannot
	// be applied. It stays in the process that read the file.
	Missing error `json:"-"`
	// Where tells where in the file the member stands that a problem names, as
	// "state.yaml:12:5"; "" when it does not know. It stays in the process that
	// read the file.
	Where func(registry.Problem) string `json:"-"`
}

// Content tells whether a file, and the values that it has from elsewhere, are what
// was applied before.
type Content struct {
	File string `json:"file"` // "sha256:<hex>" of the text
	// Values has a digest of each value from elsewhere, in the order of the file; ""
	// for one that is not there.
	Values []string `json:"values,omitempty"`
}

// IsZero: it is not known what was read.
func (c Content) IsZero() bool { return c.File == "" }

// WasIn reports whether all that is there of c is what was applied.
func (c Content) WasIn(applied Content) bool {
	return !c.IsZero() && c.File == applied.File && slices.EqualFunc(c.Values, applied.Values, func(is, was string) bool { return is == was || is == "" })
}

// State is what a file wants, or what an export found: objects, each with the
// members that are named. Lists are in the file's order.
type State struct {
	Issuers   []Named[registry.Issuer]   `json:"issuers,omitempty"`
	APIs      []Named[registry.API]      `json:"apis,omitempty"`
	Clients   []Named[registry.Client]   `json:"clients,omitempty"`
	Operators []Named[registry.Operator] `json:"operators,omitempty"`

	OperatorTokens []Named[registry.OperatorToken] `json:"operator_tokens,omitempty"`

	// Values are the plain secrets that the file points at with value_from. The
	// client's Secrets has an entry of the same id with an empty Hash. They are
	// hashed where they are compared with what is stored.
	Values SecretValues `json:"-"`
	// TokenValues are those of operator tokens, by the token's id.
	TokenValues map[string]Secret `json:"-"`
}

// SecretValues are plain secrets: client id → credential id → value.
type SecretValues map[string]map[string]Secret

// Named is an object with the members that its author named. A member that is
// not named is left alone: its value in Object means nothing.
type Named[T any] struct {
	Object T      `json:"object"`
	Fields Fields `json:"fields"`
}

// Fields are the named members of an object as dotted paths of their JSON
// names. A structure is named member by member ("token.lifetime",
// "keys.rotate"); a list or a map is named as a whole and is then the whole
// truth ("scopes", "access", "labels", "issuers"): what it does not hold is
// removed. Secrets are objects of their own: naming "secrets" adds those that
// are new and removes those that the same set had put there; the members of an
// entry are named by its id, as "secrets.s1.expires". The id itself needs no
// mention.
type Fields []string

// Has reports whether the member at path is named.
func (f Fields) Has(path string) bool { return slices.Contains(f, path) }

// Action is what a plan does to one object.
type Action string

// The actions of a plan, in the order in which it lists them.
const (
	ActionCreate  Action = "create"
	ActionChange  Action = "change"
	ActionDisable Action = "disable" // first step of a prune of a client, or the file says so
	ActionMark    Action = "mark"    // first step of a prune of what cannot be disabled, or is: it stays as it is
	ActionDelete  Action = "delete"  // second step of a prune
	ActionKeep    Action = "keep"    // the file wants something that it may not do, or no longer names the object
)

// Plan is what an apply does, or would do: only objects that differ are listed.
type Plan struct {
	Set         string       `json:"set"`
	Differences []Difference `json:"differences"`
}

// Difference is what a plan does to one object.
type Difference struct {
	Action Action        `json:"action"`
	Kind   string        `json:"kind"` // registry.KindClient, …
	ID     string        `json:"id"`
	Fields []FieldChange `json:"fields,omitempty"` // sorted by path
	Notes  []Note        `json:"notes,omitempty"`
}

// FieldChange is one member that changes. Before and After are short texts for
// people ("10m", "orders:read orders:write", "set"); "" is absent. A secret or
// its hash never stands here: a credential is named by its id.
type FieldChange struct {
	Path   string `json:"path"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Note says what a file may not undo, or what a prune will do next, and the
// command that does it by hand.
type Note struct {
	Text string `json:"text"`           // "disabled by uid:0; a file does not enable it again"
	Undo string `json:"undo,omitempty"` // "symbolon client enable billing"
}

// Changes counts the differences that write something. A plan without any is
// empty: applying it makes no commit.
func (p Plan) Changes() int {
	n := 0
	for _, d := range p.Differences {
		if d.Action != ActionKeep {
			n++
		}
	}
	return n
}
