package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
)

// setPrefix begins StateBy of a client that a file disabled in so many words.
const setPrefix = "set:"

// clients brings the clients of the file about. Their state and credentials are
// not fields like others: a file may stop a client and retire a credential, and
// never takes such a thing back.
func (p *applier) clients() error {
	for _, n := range p.req.Objects.Clients {
		plain := n
		plain.Fields = slices.DeleteFunc(slices.Clone(n.Fields), func(f string) bool {
			top, _, _ := strings.Cut(f, ".")
			return slices.Contains([]string{"state", "secrets", "keys", "certificates"}, top)
		})
		s, client, err := bring(p, registry.KindClient, n.Object.ID, plain, clientMembers)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		s.asked = n.Fields.Has("default_api")
		p.adopt(s, client)
		if s.before == nil {
			if err := p.complete(client, n.Fields.Has("access")); err != nil {
				return err
			}
		}
		if err := p.elsewhere(s, client); err != nil {
			return err
		}
		p.state(s, client, n)
		if n.Fields.Has("secrets") {
			if err := p.secrets(s, client, n); err != nil {
				return err
			}
		}
		bringPublic(p, s, n, keyList(client, n.Object.Keys))
		bringPublic(p, s, n, certificateList(client, n.Object.Certificates))
	}
	return nil
}

// adopt refuses to take a client over that nobody has put into a set, and at the
// same time to let it in at other issuers than before: whoever made it may have
// had no say there, and its credentials stay.
func (p *applier) adopt(s *staged, client *registry.Client) {
	before, ok := s.before.(*registry.Client)
	if !ok || before.ManagedBy != "" {
		return
	}
	for _, id := range client.IssuerIDs() {
		if !before.AtIssuer(id) {
			p.problem(s.ref, "issuers", "the client is there already, made by hand, and does not authenticate at issuer "+id,
				"look at its credentials, then: symbolon client update "+client.ID+" --issuer "+id+"; or give the file's client another id")
		}
	}
}

// complete gives a new client its state, and takes access to what no longer
// exists from one that comes back, unless the file itself says it.
func (p *applier) complete(client *registry.Client, named bool) error {
	if client.State == "" {
		client.State = registry.StateActive
	}
	if named {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(client.Access)) {
		_, api, err := load[registry.API](p.change, registry.KindAPI, id)
		if err != nil {
			return err
		}
		if api == nil {
			delete(client.Access, id)
			continue
		}
		client.Access[id] = slices.DeleteFunc(client.Access[id], func(scope string) bool {
			_, ok := api.Scopes[scope]
			return !ok
		})
	}
	return nil
}

// elsewhere notes access that is of no use: an API is asked for at its own issuer,
// where the client is nobody. It is no mistake for sure: the issuer may be added to
// the client, or the API moved, by the next file.
func (p *applier) elsewhere(s *staged, client *registry.Client) error {
	for _, id := range slices.Sorted(maps.Keys(client.Access)) {
		_, api, err := load[registry.API](p.change, registry.KindAPI, id)
		if err != nil {
			return err
		}
		if api != nil && !client.AtIssuer(api.Issuer) {
			p.note(s.ref, Note{Text: fmt.Sprintf("access to %s is of no use: it is an API of issuer %s, where the client does not authenticate; add that to its issuers", id, api.Issuer)})
		}
	}
	return nil
}

func (p *applier) state(s *staged, client *registry.Client, n Named[registry.Client]) {
	if client.State == registry.StateDisabled && client.StateBy == prunePrefix+p.set {
		client.State, client.StateBy = registry.StateActive, "" // its set names it again
	}
	if !n.Fields.Has("state") {
		return
	}
	switch want := n.Object.State; {
	case want == client.State:
	case want == registry.StateDisabled:
		client.State, client.StateBy = registry.StateDisabled, setPrefix+p.set
	case want == registry.StateActive:
		p.note(s.ref, Note{Text: fmt.Sprintf("%s by %s; a file does not enable it", client.State, by(client.StateBy)),
			Undo: "symbolon client enable " + client.ID})
	default:
		p.problem(s.ref, "state", "not a state that a file can give", `write "active" or "disabled"`)
	}
}

// secrets adds the secrets of the file that are new, and removes those that
// the set had put there and the file no longer holds.
func (p *applier) secrets(s *staged, client *registry.Client, n Named[registry.Client]) error {
	listed := make(map[string]bool)
	for _, want := range n.Object.Secrets {
		if listed[want.ID] {
			p.problem(s.ref, "secrets."+want.ID, "it is named twice", "name it once")
			continue
		}
		listed[want.ID] = true
		if err := p.secret(s, client, n, want); err != nil {
			return err
		}
	}
	client.Secrets = slices.DeleteFunc(client.Secrets, func(have registry.Secret) bool {
		return !listed[have.ID] && have.ManagedBy == p.set
	})
	for _, have := range client.Secrets {
		if !listed[have.ID] {
			p.note(s.ref, Note{Text: fmt.Sprintf("secret %s was added by hand and stays", have.ID),
				Undo: fmt.Sprintf("symbolon client secret remove %s %s", client.ID, have.ID)})
		}
	}
	return nil
}

// secret brings one secret about.
func (p *applier) secret(s *staged, client *registry.Client, n Named[registry.Client], want registry.Secret) error {
	path := "secrets." + want.ID
	value := p.req.Objects.Values[client.ID][want.ID]
	if value.IsZero() == (want.Hash == "") {
		p.problem(s.ref, path, "it needs a value_from or a hash, and only one of them", "write value_from: {env: …}, value_from: {file: …} or hash: \"sha256:…\"")
		return nil
	}
	if i := findSpent(client, want.ID); i >= 0 {
		p.noteSpent(s, client, CredentialSecret, client.Spent[i])
		return nil
	}
	if i := findSecret(client, want.ID); i >= 0 {
		return p.sameSecret(s, &client.Secrets[i], n, want, value)
	}
	if !value.IsZero() {
		if err := checkValue(value); err != nil {
			p.refuse(s.ref, path, err)
			return nil
		}
	}
	cred := NewCredential{ID: want.ID, Value: value, Hash: want.Hash, Expires: want.Expires, managedBy: p.set}
	if _, err := p.addSecret(client, cred); err != nil {
		p.refuse(s.ref, path, err)
	}
	return nil
}

// sameSecret refuses another value under an id that is in use: tokens name the
// credential by its id. Its expiry may change.
func (p *applier) sameSecret(s *staged, have *registry.Secret, n Named[registry.Client], want registry.Secret, value Secret) error {
	same := want.Hash == have.Hash
	if !value.IsZero() {
		same = p.prep.fits(have.Hash, value)
	}
	if !same && !p.prep.pending() {
		p.problem(s.ref, "secrets."+want.ID, "its value is not the one that is stored",
			"a changed value needs a new id: add it as another secret, and take this one out when nobody uses it any more")
		return nil
	}
	have.ManagedBy = p.set
	if n.Fields.Has("secrets." + want.ID + ".expires") {
		have.Expires = want.Expires
	}
	return nil
}

// refuse turns an error of an operation into a problem at its place.
func (p *applier) refuse(r ref, path string, err error) {
	problem := registry.Problem{Kind: r.kind, ID: r.id, Path: path, Message: err.Error()}
	switch e := err.(type) {
	case *Error:
		problem.Message, problem.Fix = e.Message, e.Fix
	case registry.Problems:
		problem.Message, problem.Fix = e[0].Message, e[0].Fix
	}
	p.problems = append(p.problems, problem)
}
