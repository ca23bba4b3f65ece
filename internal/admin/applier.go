package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Apply brings the objects of a declarative file about, all or nothing, or with
// DryRun tells what it would do. Applying the same file again changes nothing.
// What was disabled, revoked or deleted by hand stays so; the plan notes it with
// the command that undoes it.
func (a *Admin) Apply(ctx context.Context, actor Actor, req ApplyRequest) (Plan, int64, error) {
	if err := mayApply(actor, req.Objects); err != nil {
		return Plan{}, 0, err
	}
	if req.Missing != nil {
		return Plan{}, 0, req.Missing
	}
	if !registry.ValidID(req.Set) {
		return Plan{}, 0, invalid("write set: main, or another lower-case name", "the file's set %q is not an id", req.Set)
	}
	var last *applier
	seq, err := a.change(ctx, actor, func(c *change) error {
		c.set, c.dry = req.Set, req.DryRun
		last = &applier{change: c, req: req, notes: make(map[ref][]Note)}
		return last.run()
	})
	if err != nil {
		return Plan{}, seq, err
	}
	plan, err := last.plan()
	return plan, seq, err
}

// ApplyOnce is Apply, unless this very content was the last that its set
// applied: what was changed by hand since is not undone by a restart. Values that
// were read then and are not there now are not missed; where something else has
// changed they are.
func (a *Admin) ApplyOnce(ctx context.Context, actor Actor, req ApplyRequest) (plan Plan, applied bool, err error) {
	text, err := a.Store.Meta(ctx, appliedKey(req.Set))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return plan, false, fromStore(err)
	}
	switch before := readContent(text); {
	case req.Content.WasIn(before):
		return Plan{Set: req.Set, Differences: []Difference{}}, false, nil
	case req.Missing != nil && req.Content.File == before.File:
		return plan, false, fmt.Errorf("%w\nthe file was applied before; it is to be applied again, because another value that it names has changed since", req.Missing)
	case req.Missing != nil && !before.IsZero():
		return plan, false, fmt.Errorf("%w\nthe file has changed since it was applied: for that, what it names has to be there again", req.Missing)
	}
	plan, _, err = a.Apply(ctx, actor, req)
	return plan, err == nil, err
}

func appliedKey(set string) string { return "applied:" + set }

// readContent reads what was applied; nothing where that cannot be read, and the
// file is applied again.
func readContent(text string) (c Content) {
	_ = json.Unmarshal([]byte(text), &c)
	return c
}

func mayApply(actor Actor, s State) error {
	if actor.Issuers != nil {
		return &Error{Code: Forbidden, Message: actor.name() + " may not apply a file, which is for the whole server", Fix: "ask an operator of the whole server"}
	}
	for _, need := range []struct {
		n          int
		permission Permission
	}{{1, ClientsWrite}, {len(s.Issuers), IssuersWrite}, {len(s.APIs), APIsWrite}, {len(s.Operators), GrantsAdmin},
		{len(s.OperatorTokens), GrantsAdmin}} {
		if need.n == 0 {
			continue
		}
		if err := actor.May(need.permission); err != nil {
			return err
		}
	}
	return nil
}

// applier is one apply inside its transaction.
type applier struct {
	*change
	req      ApplyRequest
	problems registry.Problems
	notes    map[ref][]Note
	noted    []ref // the order of notes
	marked   []ref // that this prune will delete the next time, without a change of the object
	marks    []string
}

func (p *applier) run() error {
	if err := p.readMarks(); err != nil {
		return err
	}
	for _, step := range []func() error{p.issuers, p.apis, p.clients, p.operators, p.operatorTokens} {
		if err := step(); err != nil {
			return err
		}
	}
	if len(p.problems) > 0 {
		return p.problems
	}
	if err := p.prune(); err != nil {
		return err
	}
	if !p.req.Content.IsZero() {
		was, err := p.getMeta(appliedKey(p.set))
		if err != nil {
			return err
		}
		text, err := json.Marshal(p.req.Content)
		if err != nil {
			return err
		}
		if was != string(text) {
			p.setMeta(appliedKey(p.set), string(text))
		}
	}
	return p.writeMarks()
}

func (p *applier) issuers() error {
	for _, n := range p.req.Objects.Issuers {
		s, issuer, err := bring(p, registry.KindIssuer, n.Object.ID, n, slices.Concat(issuerMembers, []string{"dialect"}))
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		if before, ok := s.before.(*registry.Issuer); ok && before.Dialect != issuer.Dialect {
			p.problem(s.ref, "dialect", "the dialect of an issuer never changes: it was made with "+cmp.Or(before.Dialect, "none"), otherWay(registry.KindIssuer, "dialect"))
		}
	}
	return nil
}

func (p *applier) operators() error {
	for _, n := range p.req.Objects.Operators {
		if _, _, err := bring(p, registry.KindOperator, n.Object.ID, n, operatorMembers); err != nil {
			return err
		}
	}
	return nil
}

func (p *applier) apis() error {
	for _, n := range p.req.Objects.APIs {
		want := cmp.Or(n.Object.Issuer, registry.DefaultIssuer)
		members := slices.Concat(apiMembers, []string{"issuer"})
		s, api, err := bring(p, registry.KindAPI, n.Object.ID, n, members)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		if before, ok := s.before.(*registry.API); !ok {
			api.Issuer = want
			if err := p.completeAPI(api, n.Fields.Has("resource_servers")); err != nil {
				return err
			}
		} else if before.Issuer != api.Issuer {
			p.problem(s.ref, "issuer", "an API does not move to another issuer: it was at "+before.Issuer, otherWay(registry.KindAPI, "issuer"))
			continue
		}
		if err := p.settleAPI(s); err != nil {
			return err
		}
	}
	return nil
}

// bring makes or changes one object as the file wants it, and stages it. The
// staged object is nil when the file may not do that, which is noted.
func bring[T any](p *applier, kind, id string, n Named[T], may []string) (*staged, *T, error) {
	r := ref{kind, id}
	s, obj, err := load[T](p.change, kind, id)
	if err != nil {
		return nil, nil, err
	}
	if s.named {
		p.problem(r, "", "it is named twice", "name it once")
		return nil, nil, nil
	}
	s.named = true
	action := kind + ".update"
	if obj == nil {
		if obj, err = fresh[T](p, s); err != nil || obj == nil {
			return nil, nil, err
		}
		action = kind + ".create"
	}
	meta := metaOf(obj)
	if meta.ManagedBy != "" && meta.ManagedBy != p.set {
		p.problem(r, "", "it belongs to the set "+meta.ManagedBy,
			fmt.Sprintf("take it out of that set's file and release it: symbolon %s update %s --release", verb(kind), id))
		return nil, nil, nil
	}
	meta.ManagedBy = p.set
	for _, problem := range merge(kind, obj, n, may) {
		problem.ID = id
		p.problems = append(p.problems, problem)
	}
	p.unmark(r)
	p.stage(s, obj, action)
	return s, obj, nil
}

// fresh is a new object for the file, or the one that a prune of its set had
// deleted; nil when somebody deleted it by hand.
func fresh[T any](p *applier, s *staged) (*T, error) {
	old, err := p.remains(s.ref)
	if err != nil {
		return nil, err
	}
	if old != nil && !old.pruned(p.set) {
		p.note(s.ref, Note{Text: fmt.Sprintf("deleted by %s%s; a file does not bring it back", old.By, old.when()),
			Undo: fmt.Sprintf("symbolon %s create %s", verb(s.kind), s.id)})
		return nil, nil
	}
	obj := new(T)
	if old != nil {
		p.setMeta(remainsKey(s.ref), "")
		back, err := registry.Decode(s.kind, old.Doc)
		if err != nil {
			return nil, err
		}
		if t, ok := back.(*T); ok {
			obj = t
		}
	}
	setID(obj, s.id)
	return obj, nil
}

func setID(obj any, id string) {
	if p := idOf(obj); p != nil {
		*p = id
	}
}

func objectID(obj any) string {
	if p := idOf(obj); p != nil {
		return *p
	}
	return ""
}

func idOf(obj any) *string {
	switch o := obj.(type) {
	case *registry.Issuer:
		return &o.ID
	case *registry.API:
		return &o.ID
	case *registry.Client:
		return &o.ID
	case *registry.Operator:
		return &o.ID
	case *registry.OperatorToken:
		return &o.ID
	}
	return nil
}

func (p *applier) problem(r ref, path, message, fix string) {
	p.problems = append(p.problems, registry.Problem{Kind: r.kind, ID: r.id, Path: path, Message: message, Fix: fix})
}

func (p *applier) note(r ref, n Note) {
	if p.notes[r] == nil {
		p.noted = append(p.noted, r)
	}
	p.notes[r] = append(p.notes[r], n)
}

// plan tells what the transaction has done, or would have.
func (p *applier) plan() (Plan, error) {
	plan := Plan{Set: p.set, Differences: []Difference{}}
	told := make(map[ref]bool)
	add := func(r ref, action Action, fields []FieldChange) {
		told[r] = true
		plan.Differences = append(plan.Differences, Difference{Action: action, Kind: r.kind, ID: r.id, Fields: fields, Notes: p.notes[r]})
	}
	for _, s := range p.order {
		if !slices.Contains(planned, s.kind) {
			continue
		}
		changed, err := s.changed()
		if err != nil {
			return plan, err
		}
		switch {
		case changed && s.builtin:
			p.notes[s.ref] = []Note{{Text: "the server keeps it; it goes with its issuer"}}
			add(s.ref, actionOf(s), nil) // its scopes are not news
		case changed:
			add(s.ref, actionOf(s), difference(s.before, s.after))
		}
	}
	for _, r := range p.marked {
		if !told[r] {
			add(r, ActionMark, nil)
		}
	}
	for _, r := range p.noted {
		if !told[r] {
			add(r, ActionKeep, nil)
		}
	}
	slices.SortStableFunc(plan.Differences, func(x, y Difference) int {
		return slices.Index(planned, x.Kind) - slices.Index(planned, y.Kind)
	})
	return plan, nil
}

// planned are the kinds that a plan lists, in its order. Keys and denials
// follow from them.
var planned = []string{registry.KindIssuer, registry.KindAPI, registry.KindClient, registry.KindOperator, registry.KindOperatorToken}

func actionOf(s *staged) Action {
	before, _ := s.before.(*registry.Client)
	after, _ := s.after.(*registry.Client)
	switch {
	case s.before == nil:
		return ActionCreate
	case s.after == nil:
		return ActionDelete
	case before != nil && before.State != registry.StateDisabled && after.State == registry.StateDisabled:
		return ActionDisable
	}
	return ActionChange
}

// by tells who disabled a client, for people.
func by(stateBy string) string {
	switch {
	case strings.HasPrefix(stateBy, prunePrefix):
		return "a prune of the set " + strings.TrimPrefix(stateBy, prunePrefix)
	case strings.HasPrefix(stateBy, setPrefix):
		return "the set " + strings.TrimPrefix(stateBy, setPrefix)
	case stateBy == "":
		return "somebody"
	}
	return stateBy
}
