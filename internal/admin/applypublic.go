package admin

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// publicList is one of a client's lists of credentials that hold nothing
// secret, as it is and as a file wants it.
type publicList[C any] struct {
	kind CredentialKind
	name string // the member's
	have *[]C
	want []C
	part func(*C) part
	same func(have, want *C) bool // the same value; the text of the file is taken over
}

// part is what all credentials have.
type part struct {
	id               string
	expires, created *time.Time
	managedBy        *string
}

func keyList(client *registry.Client, want []registry.ClientKey) publicList[registry.ClientKey] {
	return publicList[registry.ClientKey]{kind: CredentialKey, name: "keys", have: &client.Keys, want: want,
		part: func(k *registry.ClientKey) part { return part{k.ID, &k.Expires, &k.Created, &k.ManagedBy} },
		same: func(have, want *registry.ClientKey) bool { return bytes.Equal(have.Key().JSON(), want.Key().JSON()) },
	}
}

func certificateList(client *registry.Client, want []registry.Certificate) publicList[registry.Certificate] {
	return publicList[registry.Certificate]{kind: CredentialCertificate, name: "certificates", have: &client.Certificates, want: want,
		part: func(c *registry.Certificate) part { return part{c.ID, &c.Expires, &c.Created, &c.ManagedBy} },
		same: func(have, want *registry.Certificate) bool {
			if have.Digest() != want.Digest() {
				return false
			}
			written := *want // the same in other words
			written.Expires, written.Created, written.ManagedBy = have.Expires, have.Created, have.ManagedBy
			*have = written
			return true
		},
	}
}

// bringPublic adds what the file's list has more, and removes what the set had
// put there and the file no longer holds.
func bringPublic[C any](p *applier, s *staged, n Named[registry.Client], l publicList[C]) {
	if !n.Fields.Has(l.name) {
		return
	}
	client := s.after.(*registry.Client)
	var listed []string
	for i := range l.want {
		want := l.part(&l.want[i])
		if slices.Contains(listed, want.id) {
			p.problem(s.ref, l.name+"."+want.id, "it is named twice", "name it once")
			continue
		}
		listed = append(listed, want.id)
		l.bring(p, s, n, l.want[i])
	}
	*l.have = slices.DeleteFunc(*l.have, func(c C) bool {
		have := l.part(&c)
		return !slices.Contains(listed, have.id) && *have.managedBy == p.set
	})
	for i := range *l.have {
		if id := l.part(&(*l.have)[i]).id; !slices.Contains(listed, id) {
			p.note(s.ref, Note{Text: fmt.Sprintf("%s %s was added by hand and stays", l.kind, id),
				Undo: fmt.Sprintf("symbolon client %s remove %s %s", l.kind, client.ID, id)})
		}
	}
}

// bring brings one credential about.
func (l publicList[C]) bring(p *applier, s *staged, n Named[registry.Client], one C) {
	client := s.after.(*registry.Client)
	want := l.part(&one)
	if i := findSpent(client, want.id); i >= 0 {
		p.noteSpent(s, client, l.kind, client.Spent[i])
		return
	}
	for i := range *l.have {
		have := l.part(&(*l.have)[i])
		if have.id != want.id {
			continue
		}
		if !l.same(&(*l.have)[i], &one) {
			p.problem(s.ref, l.name+"."+want.id, "it is not the one that is stored",
				"a changed value needs a new id: add it as another "+string(l.kind)+", and take this one out when nobody uses it any more")
			return
		}
		*have.managedBy = p.set
		if n.Fields.Has(l.name + "." + want.id + ".expires") {
			*have.expires = *want.expires
		}
		return
	}
	if err := p.stillToCome(l.kind, want.id, *want.expires); err != nil {
		p.refuse(s.ref, l.name+"."+want.id, err)
		return
	}
	*want.created, *want.managedBy = p.now, p.set
	*l.have = append(*l.have, one)
}

// noteSpent says that a file does not bring a credential back.
func (p *applier) noteSpent(s *staged, client *registry.Client, kind CredentialKind, spent registry.Spent) {
	was := "removed"
	if !spent.Revoked.IsZero() {
		was = "revoked on " + spent.Revoked.Format("2006-01-02")
	}
	p.note(s.ref, Note{Text: fmt.Sprintf("%s %s was %s; a file does not bring it back, give the new one another id", kind, spent.ID, was),
		Undo: fmt.Sprintf("symbolon client %s add %s --id %s", kind, client.ID, nextCredentialID(client, kind))})
}
