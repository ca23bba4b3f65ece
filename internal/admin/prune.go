package admin

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/symbolon/symbolon/internal/registry"
)

// prune sees to what the set owns and the file no longer names. It disables
// first and deletes on the next run, and touches only clients and APIs: an
// issuer, a key, an operator or an operator token goes by hand.
func (p *applier) prune() error {
	for _, kind := range []string{registry.KindClient, registry.KindAPI, registry.KindIssuer, registry.KindOperator, registry.KindOperatorToken} {
		ids, err := p.tx.Find(kind, registry.AttrManagedBy, p.set)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if s := p.staged[ref{kind, id}]; s != nil && s.named {
				continue
			}
			if err := p.pruneOne(ref{kind, id}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *applier) pruneOne(r ref) error {
	switch {
	case r.kind == registry.KindIssuer || r.kind == registry.KindOperator || r.kind == registry.KindOperatorToken:
		p.note(r, Note{Text: "the file no longer names it; nothing but a person deletes it",
			Undo: fmt.Sprintf("symbolon %s delete %s", verb(r.kind), r.id)})
		return nil
	case !p.req.Prune:
		p.note(r, Note{Text: "the file no longer names it; a prune disables it, and the next one deletes it",
			Undo: "symbolon apply --prune"})
		return nil
	case r.kind == registry.KindClient:
		return p.pruneClient(r)
	}
	return p.pruneAPI(r)
}

func (p *applier) pruneClient(r ref) error {
	s, client, err := must[registry.Client](p.change, r.kind, r.id)
	if err != nil {
		return err
	}
	if client.State == registry.StateActive {
		client.State, client.StateBy = registry.StateDisabled, prunePrefix+p.set
		p.stage(s, client, "client.disable")
		p.mark(r)
		return nil
	}
	if !p.isMarked(r) {
		p.mark(r)
		return nil
	}
	p.unmark(r)
	return p.remove(s, prunePrefix+p.set)
}

func (p *applier) pruneAPI(r ref) error {
	s, _, err := must[registry.API](p.change, r.kind, r.id)
	if err != nil {
		return err
	}
	if !p.isMarked(r) {
		p.mark(r)
		return nil
	}
	// A client of another set, or of none, is not this prune's to change.
	clients, err := p.clientsOf(r.id)
	if err != nil {
		return err
	}
	if len(clients) > 0 {
		p.note(r, Note{Text: fmt.Sprintf("stays while clients have access: %s", some(clients)),
			Undo: fmt.Sprintf("symbolon client ungrant %s %s", clients[0], r.id)})
		return nil
	}
	p.unmark(r)
	if err := p.remove(s, prunePrefix+p.set); err != nil {
		return err
	}
	return p.settleAPI(s)
}

// Marks are what the set's last prune found unnamed: the next one deletes it.
// They stand beside the objects, because an API has no state to be disabled in.

func marksKey(set string) string { return "prune:" + set }

func (p *applier) readMarks() error {
	text, err := p.getMeta(marksKey(p.set))
	if err != nil || text == "" {
		return err
	}
	return json.Unmarshal([]byte(text), &p.marks)
}

func (p *applier) writeMarks() error {
	slices.Sort(p.marks)
	text := ""
	if len(p.marks) > 0 {
		doc, err := json.Marshal(p.marks)
		if err != nil {
			return err
		}
		text = string(doc)
	}
	if was, err := p.getMeta(marksKey(p.set)); err != nil || was == text {
		return err
	}
	p.setMeta(marksKey(p.set), text)
	return nil
}

func (r ref) String() string { return r.kind + ":" + r.id }

func (p *applier) isMarked(r ref) bool { return slices.Contains(p.marks, r.String()) }

func (p *applier) mark(r ref) {
	p.note(r, Note{Text: "the file no longer names it; the next prune deletes it, unless the file names it again by then"})
	if !p.isMarked(r) {
		p.marks = append(p.marks, r.String())
		p.marked = append(p.marked, r)
	}
}

func (p *applier) unmark(r ref) {
	p.marks = slices.DeleteFunc(p.marks, func(m string) bool { return m == r.String() })
}
