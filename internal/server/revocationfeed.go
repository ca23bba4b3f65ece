package server

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// feeds are the revocation sets of all issuers, and who waits for them.
type feeds struct {
	config  *Config
	counted func(step string)
	waiting web.Places
	sending web.Places    // of answers that are longer than long
	long    int           // octets
	drained chan struct{} // closed when nobody may wait any more
	drain   sync.Once

	mu       sync.Mutex
	byIssuer map[string]*feed
}

// of gives the feed of the place's issuer, made at the first request.
func (fs *feeds) of(at Place) *feed {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.byIssuer[at.Issuer.ID]
	if f != nil && f.iss == at.Issuer.Iss {
		return f
	}
	f = newFeed(fs, at.Issuer)
	if fs.byIssuer == nil {
		fs.byIssuer = make(map[string]*feed)
	}
	fs.byIssuer[at.Issuer.ID] = f
	maps.DeleteFunc(fs.byIssuer, func(id string, _ *feed) bool { return at.Snapshot.Issuers[id] == nil })
	return f
}

// feed makes the revocation sets of one issuer.
type feed struct {
	config  *Config
	counted func(step string)
	id, iss string // of the issuer: its id, and its URL
	signer  *keys.Feed
	keys    *page

	mu       sync.Mutex
	position registry.Position // of the snapshot that denied is made of
	made     *registry.Denials // the denials of that snapshot
	denied   *denied

	signing sync.Mutex // one text is signed once, however many wait for it
	texts   map[part]*signedSet
	large   int // octets of the longest one
}

func newFeed(fs *feeds, issuer *registry.IssuerView) *feed {
	signer := fs.config.Ring.Feed(issuer.Iss)
	set := jose.KeySet{Keys: []*jose.Key{signer.Key()}}
	return &feed{
		config: fs.config, counted: fs.counted, id: issuer.ID, iss: issuer.Iss,
		signer: signer, keys: newPage("application/json", set.JSON()), texts: make(map[part]*signedSet),
	}
}

// denied is what an issuer denies, until that changes. It is shared and never
// changed itself.
type denied struct {
	epoch int64
	// In the order of their commits. What comes is appended, to be shared with the
	// next denied: nobody looks past the end of his own. So one more does not copy
	// a hundred thousand; some have expired or were replaced meanwhile.
	entries  []deniedEntry
	replaced map[entryName]bool
	pending  []symbolon.PendingDenial
	merged   []string
	journal  string // names pending and merged; empty when there are none
	etag     []string
}

type deniedEntry struct {
	symbolon.RevocationEntry
	commit int64
}

// entryName tells an entry from others of its key.
type entryName struct {
	key    symbolon.DenialKey
	commit int64
}

func (e *deniedEntry) name() entryName { return entryName{e.Key, e.commit} }

// live are the entries from that place on that still deny something, where no
// later one says it.
func (d *denied) live(first int, now time.Time) []deniedEntry {
	all := d.entries[first:]
	past := func(e deniedEntry) bool {
		return e.Expires <= now.Unix() || len(d.replaced) > 0 && d.replaced[e.name()]
	}
	i := slices.IndexFunc(all, past)
	if i < 0 {
		return all
	}
	live := append(make([]deniedEntry, 0, len(all)), all[:i]...)
	for _, e := range all[i:] {
		if !past(e) {
			live = append(live, e)
		}
	}
	return live
}

// newest is the commit of the last entry; 0 without one.
func (d *denied) newest() int64 {
	if len(d.entries) == 0 {
		return 0
	}
	return d.entries[len(d.entries)-1].commit
}

// look gives what is denied now, and the node's position, which may have moved
// on without a denial.
func (f *feed) look() (*denied, registry.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// In the lock, so that who looks later sees no less; and the journal first: what
	// leaves it is in the snapshot by then.
	pending := f.pending()
	snapshot := f.config.Replica.Snapshot()
	merged := snapshot.Merged(f.config.Now())
	was, fresh := f.denied, snapshot.Epoch != f.position.Epoch || snapshot.Seq < f.position.Seq
	next := &denied{epoch: snapshot.Epoch, pending: pending, merged: merged, journal: was.tagOf(pending, merged)}
	switch {
	case was == nil || fresh:
		next.entries = f.allEntries(snapshot)
	case f.made == snapshot.Denials:
		next.entries, next.replaced = was.entries, was.replaced
	default:
		next.entries, next.replaced = f.joined(was, snapshot)
	}
	f.position, f.made = snapshot.Position, snapshot.Denials
	if was == nil || fresh || next.journal != was.journal || next.newest() != was.newest() || len(next.entries) != len(was.entries) {
		// The tag says what is denied without saying it again: commits and ids are
		// not used twice.
		next.etag = []string{fmt.Sprintf(`W/"%d.%d.%s"`, next.epoch, next.newest(), next.journal)}
		f.denied = next
	}
	return f.denied, f.position
}

// denialsAfter are the denials of the snapshot that concern the issuer, were
// written after the commit and have not expired.
func (f *feed) denialsAfter(commit int64, snapshot *registry.Snapshot) (list []*registry.Denial) {
	now := f.config.Now()
	for d := range snapshot.Denials.After(commit) {
		f.counted("look at a denial")
		if d.Concerns(f.id) && d.Expires.After(now) {
			list = append(list, d)
		}
	}
	return list
}

// allEntries are those of the snapshot.
func (f *feed) allEntries(snapshot *registry.Snapshot) []deniedEntry {
	list := f.denialsAfter(0, snapshot)
	entries := make([]deniedEntry, len(list))
	for i, d := range list {
		entries[i] = f.entryOf(d, snapshot.Epoch)
	}
	sortEntries(entries)
	return entries
}

func sortEntries(entries []deniedEntry) {
	slices.SortFunc(entries, func(a, b deniedEntry) int {
		return cmp.Or(cmp.Compare(a.commit, b.commit), slices.Compare(a.Key[:], b.Key[:]))
	})
}

func (f *feed) entryOf(d *registry.Denial, epoch int64) deniedEntry {
	return deniedEntry{symbolon.RevocationEntry{Key: d.Key(epoch, f.iss), Expires: wholeSeconds(d.Expires), N: d.N}, d.Commit}
}

// wholeSeconds is the time, not earlier, in seconds since 1970.
func wholeSeconds(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// mostPast is how many replaced entries are kept; and, beside as many as there
// are denials, how many others that are past.
const mostPast = 1024

// joined are the entries of was with what the snapshot has more, at the cost of
// the latter. What replaces an entry says no less: package admin sees to it.
func (f *feed) joined(was *denied, snapshot *registry.Snapshot) ([]deniedEntry, map[entryName]bool) {
	var fresh []deniedEntry
	var again []entryName
	for _, d := range f.denialsAfter(f.position.Seq, snapshot) {
		old := f.made.Get(d.ID)
		if old != nil && old.Commit == d.Commit {
			continue // it was there before its commit was settled
		}
		fresh = append(fresh, f.entryOf(d, snapshot.Epoch))
		if old != nil {
			e := f.entryOf(old, snapshot.Epoch)
			again = append(again, e.name())
		}
	}
	sortEntries(fresh)
	switch {
	case len(fresh) > 0 && fresh[0].commit < was.newest(), len(was.replaced)+len(again) > mostPast,
		len(was.entries)+len(fresh) > 2*snapshot.Denials.Len()+mostPast:
		return f.allEntries(snapshot), nil
	case len(again) == 0:
		return append(was.entries, fresh...), was.replaced
	}
	replaced := make(map[entryName]bool, len(was.replaced)+len(again))
	maps.Copy(replaced, was.replaced)
	for _, name := range again {
		replaced[name] = true
	}
	return append(was.entries, fresh...), replaced
}

// tagOf is journalTag, of what was there before without making it again: whoever
// waits looks here at every commit, and after a restore there may be thousands.
func (d *denied) tagOf(pending []symbolon.PendingDenial, merged []string) string {
	if d != nil && slices.Equal(d.pending, pending) && slices.Equal(d.merged, merged) {
		return d.journal
	}
	return journalTag(pending, merged)
}

// journalTag names what a journal holds; it is empty for an empty one.
func journalTag(pending []symbolon.PendingDenial, merged []string) string {
	if len(pending)+len(merged) == 0 {
		return ""
	}
	h := sha256.New()
	for _, p := range pending {
		fmt.Fprintf(h, "pending %q %s %d\n", p.ID, p.Key, p.Expires)
	}
	for _, id := range merged {
		fmt.Fprintf(h, "merged %q\n", id)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// pending are the denials of the node's journal that concern the issuer.
func (f *feed) pending() (list []symbolon.PendingDenial) {
	for _, p := range f.config.Replica.Pending() {
		if p.Denial.Concerns(f.id) {
			list = append(list, symbolon.PendingDenial{ID: p.ID, Key: p.Denial.Key(0, f.iss), Expires: wholeSeconds(p.Denial.Expires)})
		}
	}
	return list
}

// newsFor reports whether there is something that a validator does not have who
// asks so.
func (d *denied) newsFor(q *revocationQuery) bool {
	switch {
	case d.epoch != q.since.Epoch:
		return d.epoch > q.since.Epoch
	case d.newest() > q.since.Seq:
		return true
	}
	return q.journal != nil && d.journal != "" && d.journal != *q.journal
}

// journalKnown reports whether who asks so took all that the journal holds: after
// a restore that may be thousands of ids, for each validator every 20 s.
func (d *denied) journalKnown(q *revocationQuery) bool {
	return q.difference && d.journal != "" && q.took == d.journal
}

// first is the place of the first entry that such a request is answered with,
// and since what the answer says that it begins after; 0: the answer is whole.
// The number of entries is rounded up to a power of two, so that whoever asks
// from many positions has few texts signed.
func (d *denied) first(q *revocationQuery) (i int, since int64) {
	if !q.difference || q.since.Epoch < d.epoch {
		return 0, 0
	}
	n := len(d.entries)
	if n == 0 && q.since.Epoch == d.epoch && d.journalKnown(q) {
		return 0, 1 // there is none after any position, and a whole set would need the journal
	}
	i = n
	if q.since.Epoch == d.epoch {
		i = sort.Search(n, func(i int) bool { return d.entries[i].commit > q.since.Seq })
	}
	for more := 1; i < n; more *= 2 {
		if n-i <= more {
			i = max(n-more, 0)
			break
		}
	}
	// No commit is cut: the answer has all entries after since.
	for i > 0 && i < n && d.entries[i-1].commit == d.entries[i].commit {
		i--
	}
	if i == 0 {
		return 0, 0
	}
	return i, d.entries[i-1].commit
}
