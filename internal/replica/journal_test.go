package replica

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
)

// journalled is config with a journal.
func (w *world) journalled() Config {
	cfg := w.config()
	cfg.JournalFile = filepath.Join(w.TempDir(), "deny.journal")
	return cfg
}

// pending is a denial that concerns tokens for an hour from now.
func pending(verb string, d registry.Denial) Pending {
	d.Expires = time.Now().Add(time.Hour)
	return Pending{Verb: verb, Denial: d, Actor: "uid:0", Via: "socket", RequestID: "req-1"}
}

func (w *world) journal(r *Replica, p Pending) Pending {
	w.Helper()
	p, err := r.Journal(p)
	w.must(err)
	return p
}

// ids are those of pending denials.
func ids(list []Pending) (out []string) {
	for _, p := range list {
		out = append(out, p.ID)
	}
	return out
}

// TestAJournalledDenialWorksAtOnce: on this node, and after its restart, until it
// is forgotten.
func TestAJournalledDenialWorksAtOnce(t *testing.T) {
	eachStore(t, func(w *world) {
		key := &registry.Client{ID: "keyed", State: registry.StateActive, JWKSURI: "https://keyed.example.com/jwks",
			Secrets:      []registry.Secret{{ID: "s1", Hash: registry.HashGenerated("one")}, {ID: "s2", Hash: registry.HashGenerated("two")}},
			Certificates: []registry.Certificate{{ID: "c1", SubjectDN: "CN=keyed"}, {ID: "c2", SubjectDN: "CN=other"}}}
		w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive), client("b", registry.StateActive), key)
		cfg := w.journalled()
		r := w.node(cfg)
		before, cached := w.get(r, "keyed")
		changed := r.Changed()
		all := []Pending{
			w.journal(r, pending(VerbClient, registry.Denial{What: registry.DenyClient, Client: "a"})),
			w.journal(r, pending(VerbCredential, registry.Denial{What: registry.DenyCredential, Client: "keyed", Credential: "s1"})),
			w.journal(r, pending(VerbCredential, registry.Denial{What: registry.DenyCredential, Client: "keyed", Credential: "c2"})),
			w.journal(r, pending(VerbCredential, registry.Denial{What: registry.DenyCredential, Client: "keyed", Credential: registry.JWKSURICredential(key.JWKSURI)})),
			w.journal(r, pending(VerbJTI, registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: "t1"})),
		}
		select {
		case <-changed:
		default:
			t.Error("who waits for news is not told")
		}
		look := func(r *Replica, refused bool) {
			t.Helper()
			s, a := w.get(r, "a")
			_, keyed := w.get(r, "keyed")
			v := s.Issuers["default"]
			if got := state(a) == registry.StateDisabled; got != refused {
				t.Errorf("the client is %s", state(a))
			}
			left := len(keyed.Client.Secrets) + len(keyed.Client.Certificates)
			if left == 2 != refused || len(keyed.Digests) != len(keyed.Client.Secrets) || keyed.Client.JWKSURI == "" != refused {
				t.Errorf("left of the credentials: %+v", keyed.Client)
			}
			if refused && (keyed.Client.Secrets[0].ID != "s2" || keyed.Digests[0] != cached.Digests[1] || keyed.Client.Certificates[0].ID != "c1") {
				t.Errorf("the wrong ones are left: %+v", keyed.Client)
			}
			for _, token := range []registry.TokenFacts{{Client: "a", Gen: 1 << 60}, {Client: "keyed", Cred: "s1", Gen: 1 << 60}, {Client: "b", JTI: "t1"}} {
				if v.Denied(token) != refused {
					t.Errorf("a token %+v: denied %v", token, !refused)
				}
			}
			if v.Denied(registry.TokenFacts{Client: "b", JTI: "t2"}) || v.Denied(registry.TokenFacts{Client: "keyed", Cred: "s2"}) {
				t.Error("another token is denied")
			}
			if _, b := w.get(r, "b"); state(b) != registry.StateActive {
				t.Errorf("another client is %s", state(b))
			}
		}
		look(r, true)
		if !slices.Equal(ids(r.Pending()), ids(all)) || !slices.Equal(ids(r.Journalled()), ids(all)) {
			t.Errorf("pending %v, journalled %v", r.Pending(), r.Journalled())
		}
		if len(cached.Client.Secrets) != 2 || before.Issuers["default"].Denied(registry.TokenFacts{Client: "a"}) {
			t.Error("a request that was under way sees another client or snapshot than before")
		}
		// A refusal looks once more, and comes to the same.
		confirmed, _, err := r.Confirm(t.Context(), "a", decoy(0))
		w.must(err)
		if state(confirmed) != registry.StateDisabled {
			t.Errorf("confirmed as %s", state(confirmed))
		}
		again, _, err := r.Confirm(t.Context(), "a", confirmed)
		w.must(err)
		if again != confirmed {
			t.Error("an entry that was looked at already is made anew")
		}
		// News of the store do not undo it.
		w.write(client("more", registry.StateActive))
		w.write(api("orders"))
		w.must(r.CatchUp(t.Context()))
		look(r, true)
		w.must(r.Close())
		second := cfg
		if w.postgres() {
			second.Local = w.local(filepath.Join(t.TempDir(), "replica.db"))
		}
		r = w.node(second)
		look(r, true)
		if !slices.Equal(ids(r.Pending()), ids(all)) {
			t.Errorf("after a restart: %v", r.Pending())
		}
		w.must(r.Forget(all[1].ID, all[2].ID, all[3].ID, "unknown"))
		if _, keyed := w.get(r, "keyed"); len(keyed.Client.Secrets) != 2 {
			t.Error("what was forgotten is still in force")
		}
		w.must(r.Forget(ids(all)...))
		look(r, false)
		if len(r.Pending())+len(r.Journalled()) != 0 {
			t.Errorf("left: %v", r.Journalled())
		}
	})
}

// TestAJournalledDenialOfAnIssuer leaves the client what is not denied: it may not
// become one of the default issuer by that.
func TestAJournalledDenialOfAnIssuer(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/symbolon.db")
	both, bare, one := client("both", registry.StateActive), client("bare", registry.StateActive), client("one", registry.StateActive)
	both.Issuers, one.Issuers = []string{"default", "partners"}, []string{"partners"}
	w.write(&registry.Issuer{ID: "default"}, &registry.Issuer{ID: "partners"}, both, bare, one)
	r := w.node(w.journalled())
	for client, issuer := range map[string]string{"both": "partners", "bare": "default", "one": "partners"} {
		w.journal(r, pending(VerbDenial, registry.Denial{What: registry.DenyClient, Client: client, Issuer: issuer}))
		s, e := w.get(r, client)
		token := registry.TokenFacts{Client: client, Gen: 1 << 60}
		if e.Client.State == registry.StateActive && e.Client.AtIssuer(issuer) || !s.Issuers[issuer].Denied(token) {
			t.Errorf("%s: %s at %v, its tokens are not denied at %s", client, e.Client.State, e.Client.Issuers, issuer)
		}
		if client == "both" && (e.Client.State != registry.StateActive || !e.Client.AtIssuer("default") || s.Issuers["default"].Denied(token)) {
			t.Errorf("both: %s at %v", e.Client.State, e.Client.Issuers)
		}
	}
}

// TestADenialWaitsForNoStore: one that hangs holds up whoever follows it, and not
// the denial.
func TestADenialWaitsForNoStore(t *testing.T) {
	server := pgtest.Start(t)
	w := newWorld(t, server.Database(t))
	w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive))
	r := w.node(w.journalled())
	server.Pause(t)
	catching := make(chan error, 1)
	go func() { catching <- r.CatchUp(t.Context()) }()
	w.eventually("somebody is applying", func() bool { return len(r.turn) == 1 || r.Away() })
	start := time.Now()
	w.journal(r, pending(VerbClient, registry.Denial{What: registry.DenyClient, Client: "a"}))
	if _, e := w.get(r, "a"); state(e) != registry.StateDisabled {
		t.Errorf("the client is %s", state(e))
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v", d)
	}
	server.Resume(t)
	<-catching
}

// TestPendingExpires: sets stop naming it when no token is left; the journal keeps
// it, because the client is to be disabled all the same.
func TestPendingExpires(t *testing.T) {
	eachStore(t, func(w *world) {
		w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive))
		cfg, clock := w.journalled(), newClock()
		cfg.Now = clock.now
		r := w.node(cfg)
		p := pending(VerbClient, registry.Denial{What: registry.DenyClient, Client: "a"})
		p.Denial.Expires = clock.now().Add(time.Hour)
		p = w.journal(r, p)
		clock.advance(time.Hour - time.Second)
		if len(r.Pending()) != 1 {
			t.Error("it is gone already")
		}
		clock.advance(2 * time.Second)
		if len(r.Pending()) != 0 || len(r.Journalled()) != 1 {
			t.Errorf("pending %v, journalled %v", r.Pending(), r.Journalled())
		}
		if _, e := w.get(r, "a"); state(e) != registry.StateDisabled {
			t.Errorf("the client is %s", state(e))
		}
	})
}

func TestAJournalThatCannotBeRead(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db"))
	const entry = `{"v":1,"entries":[{"id":"p1","verb":"client","actor":"ops","at":"2026-01-01T00:00:00Z",` +
		`"denial":{"id":"client:billing","what":"client","client":"billing","n":0,"expires":"2100-01-01T00:00:00Z"}}]}`
	if file, ok := readJournal([]byte(entry)); !ok || len(file.Entries) != 1 {
		t.Fatalf("%+v", file)
	}
	for name, text := range map[string]string{
		"empty": "", "half": `{"v":1,"entries":[{"id":"a"`, "of a later version": `{"v":2,"entries":[]}`,
		"with a member that nobody knows": `{"v":1,"entries":[],"more":1}`, "a list": `[]`, "two": `{"v":1,"entries":[]}{"v":1,"entries":[]}`,
		"with a verb that nobody knows": strings.Replace(entry, `"verb":"client"`, `"verb":"group"`, 1),
		"without a name":                strings.Replace(entry, `"id":"p1"`, `"id":""`, 1),
		"of another client":             strings.Replace(entry, `"client":"billing"`, `"client":"other"`, 1),
		"without an end":                strings.Replace(entry, `2100-`, `0001-`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := w.journalled()
			w.must(os.WriteFile(cfg.JournalFile, []byte(text), 0o600))
			if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), cfg.JournalFile) || !strings.Contains(err.Error(), "restore it") {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// TestADenialThatCannotBeKept is refused, and not in force: it would be gone after
// a restart.
func TestADenialThatCannotBeKept(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db"))
	w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive))
	p := pending(VerbClient, registry.Denial{What: registry.DenyClient, Client: "a"})
	for name, tt := range map[string]struct {
		path string
		want error
	}{
		"no journal":          {"", errNoJournal},
		"a directory is gone": {filepath.Join(t.TempDir(), "gone", "deny.journal"), os.ErrNotExist},
	} {
		cfg := w.config()
		cfg.JournalFile = tt.path
		r := w.node(cfg)
		if _, err := r.Journal(p); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, e := w.get(r, "a"); state(e) != registry.StateActive || len(r.Pending()) != 0 {
			t.Errorf("%s: %s, pending %v", name, state(e), r.Pending())
		}
	}
	r := w.node(w.journalled())
	full := make([]Pending, maxJournal-1)
	w.must(r.journal.add(full...))
	w.journal(r, p)
	if _, err := r.Journal(p); !errors.Is(err, errJournalFull) {
		t.Errorf("one too many: %v", err)
	}
}

func TestTheJournalIsPrivateAndWhole(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db"))
	cfg := w.journalled()
	r := w.node(cfg)
	w.journal(r, pending(VerbJTI, registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: "t1"}))
	files, err := os.ReadDir(filepath.Dir(cfg.JournalFile))
	w.must(err)
	info, err := os.Stat(cfg.JournalFile)
	w.must(err)
	if len(files) != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %v", files, info.Mode())
	}
}

// TestLostDenialsAreHandedIn: what a fail-over to a server that was behind has
// undone is denied again, by whoever remembers it.
func TestLostDenialsAreHandedIn(t *testing.T) {
	w := newWorld(t, pgtest.Database(t))
	deny := func(d registry.Denial, n int64) *registry.Denial {
		d.ID, d.N, d.Expires = registry.DenialID(&d), n, time.Now().Add(time.Hour)
		return &d
	}
	old := deny(registry.Denial{What: registry.DenyClient, Client: "old", Merged: []registry.MergedDenial{{ID: "j1", Expires: time.Now().Add(time.Hour)}}}, 5)
	w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive), client("raised", registry.StateActive))
	w.write(old, deny(registry.Denial{What: registry.DenyClient, Client: "raised"}, 1<<40+2))
	w.write(deny(registry.Denial{What: registry.DenyClient, Client: "raised"}, 1<<40+3))
	expired := deny(registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: "expired"}, 0)
	expired.Expires = time.Now().Add(-time.Second)
	w.write(deny(registry.Denial{What: registry.DenyClient, Client: "a"}, 1<<40+4), deny(registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: "t1"}, 0), expired)
	r := w.node(w.journalled())
	w.lose(2)
	// The store has gone on with what is like one of the lost.
	w.write(&registry.Issuer{ID: "default"}, deny(registry.Denial{What: registry.DenyClient, Client: "old"}, 9))
	w.must(r.CatchUp(t.Context()))
	var got []string
	for _, p := range r.Pending() {
		got = append(got, p.Verb+" "+p.Denial.ID)
		if p.Denial.N != 0 || p.Actor != "system" || p.ID == "" {
			t.Errorf("handed in as %+v", p)
		}
	}
	// Of "raised" the store lost the denial too: w.lose takes objects away, not
	// their last versions alone.
	if want := []string{"denial client:a", "denial client:raised", "denial jti:default:t1"}; !slices.Equal(got, want) {
		t.Errorf("handed in %v, want %v", got, want)
	}
	if s := r.Snapshot(); s.Epoch != 2 || !s.Issuers["default"].Denied(registry.TokenFacts{Client: "a", Gen: s.Gen()}) {
		t.Errorf("epoch %d, not denied", s.Epoch)
	}
	// Once is enough, and the other node that remembers it finds it there.
	w.must(r.handIn(t.Context()))
	if len(r.Pending()) != 3 {
		t.Errorf("handed in again: %v", r.Pending())
	}
}
