package registry

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// commits are a history of documents, and the snapshots that follow it: one made
// of the one before, and one made anew.
type commits struct {
	*rapid.T
	pos  Position
	docs map[string]Doc // what there is, by kind and id
	last *Snapshot
}

var historyTime = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// few are denials that come and go; two of them name the same client at an API,
// three the same client.
var few = []Denial{
	{What: DenyClient, Client: "billing"}, {What: DenyClient, Client: "other"}, {What: DenyIssuer, Issuer: "default"},
	{What: DenyCredential, Client: "billing", Credential: "s1"}, {What: DenyKID, Issuer: "default", KID: "k1"}, {What: DenyJTI, Issuer: "default", JTI: "t1"},
	{What: DenyClient, Client: "billing", Issuer: "default"}, {What: DenyClient, Client: "billing", Issuer: "partners"},
	{What: DenyClient, Client: "third", Issuers: []string{"elsewhere", "partners"}}, {What: DenyCredential, Client: "third", Credential: "s1", Issuers: []string{"default"}},
	{What: DenyClientAPI, Issuer: "default", Client: "billing", API: "orders", Audience: "https://orders.example.com"},
	{What: DenyClientAPI, Issuer: "default", Client: "billing", API: "anew", Audience: "https://orders.example.com"},
}

func (c *commits) write(kind, id string, obj any) Doc {
	text, err := Encode(obj, nil)
	if err != nil {
		c.Fatal(err)
	}
	d := NewDoc(kind, id, c.pos.Seq, text)
	c.docs[kind+" "+id] = d
	return d
}

func (c *commits) remove(kind, id string) Doc {
	delete(c.docs, kind+" "+id)
	return Doc{Kind: kind, ID: id, Seq: c.pos.Seq}
}

// deny writes one of the few, or the document of one that cannot be read.
func (c *commits) deny() Doc {
	d := rapid.SampledFrom(few).Draw(c.T, "denial")
	d.ID, d.N = DenialID(&d), rapid.Int64Range(0, 200).Draw(c.T, "n")
	switch rapid.IntRange(0, 9).Draw(c.T, "how") {
	case 0:
		doc := NewDoc(KindDenial, d.ID, c.pos.Seq, []byte(`{"min": 99}`))
		c.docs[KindDenial+" "+d.ID] = doc
		return doc
	case 1, 2:
		for i := range rapid.IntRange(1, 3).Draw(c.T, "merged") {
			d.Merged = append(d.Merged, MergedDenial{ID: fmt.Sprint("p", i), Expires: historyTime.Add(time.Duration(d.N) * time.Second)})
		}
	}
	return c.write(KindDenial, d.ID, &d)
}

// many writes or removes a number of denials that no token of the test has.
func (c *commits) many() (docs []Doc) {
	from, n := rapid.IntRange(0, 2000).Draw(c.T, "from"), rapid.IntRange(1, 900).Draw(c.T, "many")
	gone := rapid.Bool().Draw(c.T, "gone")
	for i := range n {
		d := Denial{What: DenyJTI, Issuer: "default", JTI: fmt.Sprint("x", from+i)}
		d.ID = DenialID(&d)
		if gone {
			docs = append(docs, c.remove(KindDenial, d.ID))
		} else {
			docs = append(docs, c.write(KindDenial, d.ID, &d))
		}
	}
	return docs
}

// begin makes the first snapshot, with so many denials that the next ones are kept
// apart from them.
func (c *commits) begin() {
	for _, pad := range pads {
		c.docs[KindDenial+" "+pad.ID] = pad
	}
	for _, d := range few {
		if d.N = 120; rapid.Bool().Draw(c.T, "there") {
			c.write(KindDenial, DenialID(&d), &d)
		}
	}
	c.last, _ = c.anew()
}

// pads are the documents of denials that no token of the test has.
var pads = func() (docs []Doc) {
	for i := range 2000 {
		d := Denial{What: DenyJTI, Issuer: "default", JTI: fmt.Sprint("x", i)}
		text, err := Encode(&d, nil)
		if err != nil {
			panic(err)
		}
		docs = append(docs, NewDoc(KindDenial, DenialID(&d), 1, text))
	}
	return docs
}()

// commit makes one more; what it does to denials is in the documents.
func (c *commits) commit() (unrelated bool, docs []Doc) {
	c.pos.Seq++
	switch rapid.IntRange(0, 9).Draw(c.T, "commit") {
	case 0:
		c.pos.Epoch++
	case 1:
		id := rapid.SampledFrom([]string{"orders", "anew"}).Draw(c.T, "api")
		c.write(KindAPI, id, &API{ID: id, Issuer: "default", Identifier: "https://orders.example.com"})
		return true, nil
	case 2:
		d := rapid.SampledFrom(few).Draw(c.T, "expires")
		docs = append(docs, c.remove(KindDenial, DenialID(&d)))
	case 3, 4:
		docs = c.many()
	default:
		for range rapid.IntRange(1, 3).Draw(c.T, "denials") {
			docs = append(docs, c.deny())
		}
	}
	return false, docs
}

// anew is the snapshot made of all documents.
func (c *commits) anew() (*Snapshot, []Warning) {
	return Build("https://auth.example.com", c.pos, slices.Collect(maps.Values(c.docs)))
}

// TestDenialsFollow: after any history the snapshot that was made of the one
// before says what one made anew says, and those before still say what they said.
func TestDenialsFollow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &commits{T: t, docs: make(map[string]Doc)}
		c.write(KindIssuer, "default", &Issuer{ID: "default"})
		c.write(KindIssuer, "partners", &Issuer{ID: "partners"})
		c.begin()
		var earlier []*Snapshot
		var said []string
		for range rapid.IntRange(1, 12).Draw(t, "commits") {
			unrelated, docs := c.commit()
			denials := c.last.Denials
			if len(docs) > 0 {
				denials = denials.With(docs)
			}
			if unrelated {
				c.last, _ = BuildOn(denials, "https://auth.example.com", c.pos, slices.Collect(maps.Values(c.docs)))
			} else {
				c.last = c.last.Next(c.pos, denials)
			}
			c.check()
			earlier, said = append(earlier, c.last), append(said, says(c.last))
		}
		for i, s := range earlier {
			if says(s) != said[i] {
				t.Fatalf("snapshot %d says something else, %d later", i, len(earlier)-1-i)
			}
		}
	})
}

func (c *commits) check() {
	want, warnings := c.anew()
	if got, want := toldOf(c.last.Denials.Warnings()), toldOf(warnings); !slices.Equal(got, want) {
		c.Fatalf("warnings %q, want %q", got, want)
	}
	if got, want := says(c.last), says(want); got != want {
		c.Fatalf("got  %s\nwant %s", got, want)
	}
	list := c.denials()
	for id, v := range c.last.Issuers {
		for _, token := range someTokens {
			if got, want := v.Denied(token) || v.DeniedAt(token, "https://orders.example.com"), refused(list, id, token); got != want {
				c.Fatalf("%+v of %s is refused: %v, want %v", token, id, got, want)
			}
		}
	}
}

// denials are those of the documents that can be decoded, and name some token.
func (c *commits) denials() (list []*Denial) {
	for _, doc := range c.docs {
		obj, _ := doc.decode()
		if d, ok := obj.(*Denial); ok && !isPad(d) {
			list = append(list, d)
		}
	}
	return list
}

// isPad reports whether no token of the test has what the denial names.
func isPad(d *Denial) bool {
	return strings.HasPrefix(d.JTI, "x") && d.JTI != "x700" && d.JTI != "x1500"
}

// refused says from all denials whether a token is refused at orders.
func refused(list []*Denial, issuer string, t TokenFacts) bool {
	for _, d := range list {
		if !d.Concerns(issuer) {
			continue
		}
		named := map[string]bool{
			DenyClient: d.Client == t.Client, DenyIssuer: true, DenyClientAPI: d.Client == t.Client,
			DenyCredential: d.Client == t.Client && d.Credential == t.Cred, DenyJTI: d.JTI == t.JTI, DenyKID: d.KID == t.KID,
		}[d.What]
		one := d.What == DenyCredential || d.What == DenyJTI || d.What == DenyKID
		if named && (one || d.N == 0 || t.Gen < d.N) {
			return true
		}
	}
	return false
}

// someTokens are tokens that denials of the few name, or do not.
var someTokens = func() (all []TokenFacts) {
	for _, gen := range []int64{0, 50, 100, 119, 150, 199} {
		all = append(all, TokenFacts{Client: "billing", Gen: gen}, TokenFacts{Client: "other", Gen: gen}, TokenFacts{Client: "third", Gen: gen},
			TokenFacts{Client: "third", Cred: "s1", Gen: gen}, TokenFacts{Client: "billing", Cred: "s1", Gen: gen},
			TokenFacts{JTI: "t1", Gen: gen}, TokenFacts{KID: "k1", Gen: gen}, TokenFacts{JTI: "x700", Gen: gen}, TokenFacts{JTI: "x1500", Gen: gen})
	}
	return all
}()

// toldOf are the warnings about denials.
func toldOf(list []Warning) (told []string) {
	for _, w := range list {
		if w.Kind == KindDenial {
			told = append(told, fmt.Sprint(w))
		}
	}
	slices.Sort(told)
	return told
}

// says is what a snapshot says of denials: which there are, in which commits, and
// what they refuse.
func says(s *Snapshot) string {
	out := fmt.Sprintln(s.Position, s.Denials.Len(), s.Denials.Tokens("default"), s.Denials.Tokens("partners"), len(s.APIs), s.Merged(historyTime.Add(99*time.Second)))
	for _, commit := range []int64{0, s.Seq / 2, s.Seq - 1, s.Seq} {
		var ids []string
		n := 0
		for d := range s.Denials.After(commit) {
			if n++; !isPad(d) {
				ids = append(ids, fmt.Sprint(d.ID, " ", d.Commit, " ", d.N))
			}
			if s.Denials.Get(d.ID) != d || s.Denials.Seq(d.ID) != d.Commit {
				out += "not the one of its id: " + d.ID
			}
		}
		slices.Sort(ids)
		out += fmt.Sprintln(n, ids)
	}
	for _, id := range []string{"default", "partners"} {
		v := s.Issuers[id]
		for _, token := range someTokens {
			out += fmt.Sprint(v.Denied(token), v.DeniedAt(token, "https://orders.example.com"), " ")
		}
	}
	return out
}

// jti is the document of a denial.
func jti(t testing.TB, i int) Doc {
	d := Denial{What: DenyJTI, Issuer: "default", JTI: fmt.Sprintf("%022d", i)}
	text := doc(t, KindDenial, DenialID(&d), &d)
	return NewDoc(KindDenial, text.ID, int64(i+1), text.Doc)
}

// TestTokensAreCounted: of each issuer its own, those that were deleted not.
func TestTokensAreCounted(t *testing.T) {
	jtiAt := func(issuer, id string, seq int64) Doc {
		d := Denial{What: DenyJTI, Issuer: issuer, JTI: id}
		text := doc(t, KindDenial, DenialID(&d), &d)
		return NewDoc(KindDenial, text.ID, seq, text.Doc)
	}
	other := Denial{What: DenyClient, Client: "billing"}
	client := doc(t, KindDenial, DenialID(&other), &other)
	x := NewDenials([]Doc{jtiAt("default", "a", 1), jtiAt("default", "b", 2), jtiAt("partners", "a", 3), NewDoc(KindDenial, client.ID, 4, client.Doc)})
	next := x.With([]Doc{jtiAt("default", "b", 5), jtiAt("default", "c", 6), {Kind: KindDenial, ID: "jti:partners:a"}})
	for issuer, want := range map[string][2]int{"default": {2, 3}, "partners": {1, 0}, "nobody": {0, 0}} {
		if got := [2]int{x.Tokens(issuer), next.Tokens(issuer)}; got != want {
			t.Errorf("%s: %v, want %v", issuer, got, want)
		}
	}
	if (*Denials)(nil).Tokens("default") != 0 {
		t.Error("of none there are some")
	}
}

// TestOneDenialMoreIsCheap: of thousands of commits with one denial each, one in a
// thousand copies all that there are; the others copy a thousand at most. As many
// removals cost as little.
func TestOneDenialMoreIsCheap(t *testing.T) {
	const n = 10_000
	folds, order := 0, 0
	x := NewDenials(nil)
	step := func(d Doc) {
		next := x.With([]Doc{d})
		if reflect.ValueOf(next.byID.base).Pointer() != reflect.ValueOf(x.byID.base).Pointer() {
			folds++
		}
		if reflect.ValueOf(next.denied.jtis.base).Pointer() != reflect.ValueOf(x.denied.jtis.base).Pointer() {
			folds++
		}
		if len(next.ordered) != len(x.ordered) {
			order++
		}
		if len(next.byID.fresh) > mostFresh || len(next.denied.jtis.fresh) > mostFresh || len(next.fresh) > mostFresh {
			t.Fatalf("%d, %d, %d are copied for each", len(next.byID.fresh), len(next.denied.jtis.fresh), len(next.fresh))
		}
		x = next
	}
	for i := range n {
		step(jti(t, i))
	}
	if x.Len() != n || folds > 2*(n/mostFresh+1) || order > n/mostFresh+1 {
		t.Errorf("%d denials: all were copied %d times, put into order %d times", x.Len(), folds, order)
	}
	for i := range n {
		gone := jti(t, i)
		gone.Doc = nil
		step(gone)
	}
	if x.Len() != 0 || len(x.ordered)+len(x.fresh) > 3*mostFresh || folds > 4*(n/mostFresh+1) {
		t.Errorf("%d denials are left, %d in order; all were copied %d times", x.Len(), len(x.ordered)+len(x.fresh), folds)
	}
}

// TestUnrelatedCommitsShareDenials, and the issuers too where they do not change.
func TestUnrelatedCommitsShareDenials(t *testing.T) {
	s := deniedWorld(t, Denial{What: DenyClient, Client: "billing", N: 101})
	moved := s.Next(Position{Seq: 9, Epoch: 2}, s.Denials)
	if moved.Denials != s.Denials || moved.Issuers["default"] != s.Issuers["default"] || moved.Gen() != 2<<40+9 || s.Seq != 7 {
		t.Errorf("%+v after %+v", moved.Position, s.Position)
	}
	more := s.Next(Position{Seq: 9, Epoch: 2}, s.Denials.With([]Doc{jti(t, 1)}))
	if v := more.Issuers["default"]; v == s.Issuers["default"] || v != more.IssuersAt("auth.example.com")[1] || len(v.APIs) != 4 || v.denials != more.Denials {
		t.Errorf("the issuer of the next one: %+v", v)
	}
	if same := s.Denials.With(nil); same != s.Denials {
		t.Error("without a document there are others")
	}
	if d := s.Denials.With([]Doc{doc(t, KindIssuer, "x", &Issuer{ID: "x"})}); d != s.Denials {
		t.Error("an issuer makes others")
	}
}

// TestSharedIsNotWritten: set outside of edit and finish would be seen by others.
func TestSharedIsNotWritten(t *testing.T) {
	m := layered[string, mark]{}.edit(1)
	m.set("a", mark{Denial: &Denial{}})
	m.finish()
	defer func() {
		if recover() == nil {
			t.Error("it was written")
		}
	}()
	m.set("b", mark{Denial: &Denial{}})
}

// BenchmarkOneDenialMore: a commit with one denial, beside a hundred thousand.
func BenchmarkOneDenialMore(b *testing.B) {
	docs := make([]Doc, 100_000)
	for i := range docs {
		docs[i] = jti(b, i)
	}
	docs = append(docs, doc(b, KindIssuer, "default", &Issuer{ID: "default"}))
	s, _ := Build("https://auth.example.com", Position{}, docs)
	b.ReportAllocs()
	for i := len(docs); b.Loop(); i++ {
		s = s.Next(Position{Seq: int64(i)}, s.Denials.With([]Doc{jti(b, i)}))
	}
}
