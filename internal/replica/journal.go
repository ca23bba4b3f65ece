package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/internal/disk"
	"github.com/symbolon/symbolon/internal/registry"
)

// Verbs of a pending denial: what its merging carries out.
const (
	VerbClient     = "client"     // disable the client, deny its tokens
	VerbTokens     = "tokens"     // deny the client's tokens
	VerbCredential = "credential" // revoke the credential, deny its tokens
	VerbKID        = "kid"        // revoke the signing key
	VerbJTI        = "jti"        // deny the one token
	VerbDenial     = "denial"     // the denial alone: the store had it once, and lost it
)

var verbs = []string{VerbClient, VerbTokens, VerbCredential, VerbKID, VerbJTI, VerbDenial}

// Pending is a denial of this node's journal: it is in force here, and no commit
// of the store holds it yet.
type Pending struct {
	ID     string          `json:"id"`     // its name in sets: they list it as merged once a commit holds it
	Verb   string          `json:"verb"`   // VerbClient, …
	Denial registry.Denial `json:"denial"` // what it names; N is 0: it refuses every token of that
	At     time.Time       `json:"at"`     // when it was journalled
	// Who asked for it, as a record names them.
	Actor     string `json:"actor"`
	Via       string `json:"via,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// Bounds of the journal.
const (
	maxJournal      = 10_000
	maxJournalBytes = 32 << 20
)

// Errors of the journal.
var (
	errNoJournal   = errors.New("this node keeps no journal of denials")
	errJournalFull = fmt.Errorf("the journal of denials holds no more than %d; bring the store back", maxJournal)
)

// journal keeps denials while the store is away: in one small file, which is
// always whole, and in memory.
type journal struct {
	path string // empty: there is none

	mu      sync.Mutex // held by who writes
	entries []Pending  // by time; never changed in place

	// clients says what is pending of single clients; nil: nothing, as nearly
	// always.
	clients atomic.Pointer[map[string]*pendingClient]
}

// journalFile is the file.
type journalFile struct {
	V       int       `json:"v"`
	Entries []Pending `json:"entries"`
}

// openJournal reads the file. What cannot be read is an error: it may hold a
// denial that nobody else knows.
func openJournal(path string) (*journal, error) {
	j := &journal{path: path}
	if path == "" {
		return j, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxJournalBytes))
	if err != nil {
		return nil, err
	}
	file, ok := readJournal(text)
	if !ok {
		return nil, fmt.Errorf("the journal of denials %s cannot be read; it may hold denials that the store does not know: "+
			"restore it, or remove it and run `symbolon deny` again for what was denied while the store was away", path)
	}
	j.keep(file.Entries)
	return j, nil
}

// readJournal reads the text of the file; false: it is not as write leaves it, or
// of a version that denies in other ways.
func readJournal(text []byte) (file journalFile, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&file) != nil || file.V != 1 {
		return file, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return file, false
	}
	for i := range file.Entries {
		p := &file.Entries[i]
		if p.ID == "" || !slices.Contains(verbs, p.Verb) || p.Denial.ID != registry.DenialID(&p.Denial) || p.Denial.Expires.IsZero() {
			return file, false
		}
	}
	return file, true
}

// keep makes entries those in force.
func (j *journal) keep(entries []Pending) {
	j.entries = entries
	clients := make(map[string]*pendingClient)
	for i := range entries {
		d := &entries[i].Denial
		if d.What != registry.DenyClient && d.What != registry.DenyCredential {
			continue
		}
		c := clients[d.Client]
		if c == nil {
			c = new(pendingClient)
			clients[d.Client] = c
		}
		switch {
		case d.What == registry.DenyCredential:
			c.credentials = append(c.credentials, d.Credential)
		case d.Issuer != "":
			c.issuers = append(c.issuers, d.Issuer)
		default:
			c.all = true
		}
	}
	if len(clients) == 0 {
		j.clients.Store(nil)
		return
	}
	j.clients.Store(&clients)
}

// write replaces the file, whole or not at all, and returns when the disk has it.
func (j *journal) write(entries []Pending) error {
	text, err := json.Marshal(journalFile{V: 1, Entries: entries})
	if err != nil {
		return err
	}
	return disk.Replace(j.path, text, 0o600)
}

// add keeps denials, on the disk first.
func (j *journal) add(more ...Pending) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.path == "":
		return errNoJournal
	case len(j.entries)+len(more) > maxJournal:
		return errJournalFull
	}
	entries := append(slices.Clone(j.entries), more...)
	if err := j.write(entries); err != nil {
		return fmt.Errorf("a denial could not be kept: %w", err)
	}
	j.keep(entries)
	return nil
}

// drop forgets entries that the store has.
func (j *journal) drop(ids []string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := slices.DeleteFunc(slices.Clone(j.entries), func(p Pending) bool { return slices.Contains(ids, p.ID) })
	if len(entries) == len(j.entries) {
		return nil
	}
	if err := j.write(entries); err != nil {
		return fmt.Errorf("the journal of denials could not be written: %w", err)
	}
	j.keep(entries)
	return nil
}

// list gives all entries. They are not to be changed.
func (j *journal) list() []Pending {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries
}

// inForce are the entries that may concern a living token.
func (j *journal) inForce(now time.Time) []Pending {
	var out []Pending
	for _, p := range j.list() {
		if p.Denial.Expires.After(now) {
			out = append(out, p)
		}
	}
	return out
}
