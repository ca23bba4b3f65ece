package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

const (
	revocationLife = 5 * time.Minute // of a signed set: from then on it is not taken
	revocationKeep = time.Second     // how long a text is handed out again, and as long for each MiB that it has
)

// signedSet is a set as it leaves.
type signedSet struct {
	text   []byte
	denied *denied
	seq    int64
	made   time.Time
}

// part is what an answer holds: the entries from one place on; and nothing of the
// journal where who asks knows it.
type part struct {
	first int
	known bool
}

// text gives the signed answer to a request. All who ask for the same part share
// it: fifty validators that one commit wakes cost one signature.
func (f *feed) text(d *denied, position registry.Position, q *revocationQuery) ([]byte, error) {
	f.signing.Lock()
	defer f.signing.Unlock()
	now := f.config.Now()
	first, since := d.first(q)
	of := part{first, since > 0 && d.journalKnown(q)}
	if t := f.texts[of]; t != nil && t.denied == d && t.fresh(now) && (!q.difference || t.seq >= min(q.since.Seq, position.Seq)) {
		return t.text, nil
	}
	contact := f.config.Replica.Contact()
	if contact.Unix() <= 0 {
		return nil, errStale // it never heard from its store, and knows nothing
	}
	set := &symbolon.RevocationSet{
		Issuer: f.iss, Epoch: d.epoch, Seq: position.Seq, Since: since,
		AsOf: min(contact.Unix(), now.Unix()), Expires: now.Add(revocationLife).Unix(), Journal: d.journal,
	}
	if !of.known {
		set.Pending, set.Merged = d.pending, d.merged
	}
	payload, err := appendRevocationSet(nil, set, d.live(first, now))
	if err != nil {
		return nil, err
	}
	for old, t := range f.texts {
		if t.denied != d || !t.fresh(now) {
			delete(f.texts, old)
		}
	}
	f.counted("sign a revocation set")
	t := &signedSet{text: f.signer.Sign(payload), denied: d, seq: position.Seq, made: now}
	f.texts[of] = t
	f.tellLarge(len(t.text))
	return t.text, nil
}

// largeSet is how many octets of a set an operator hears of: nearly more than
// validators read.
const largeSet = symbolon.MaxRevocationSet / 4 * 3

// tellLarge warns once of a set that validators will soon not be able to read, and
// once of one that they cannot: those that start would not know what is denied.
func (f *feed) tellLarge(octets int) {
	was := f.large
	f.large = max(was, octets)
	const fix = "give tokens shorter lifetimes: one that is revoked stands in the set until it has expired; `symbolon deny tokens CLIENT` takes one entry for all of a client"
	switch {
	case octets > symbolon.MaxRevocationSet && was <= symbolon.MaxRevocationSet:
		f.config.Logger.Error("the revocation set is too long for validators, which read 32 MiB: those that start do not take it, and do not know what is denied", "issuer", f.iss, "octets", octets, "fix", fix)
	case octets > largeSet && was <= largeSet:
		f.config.Logger.Warn("the revocation set is nearly too long for validators, which read 32 MiB", "issuer", f.iss, "octets", octets, "fix", fix)
	}
}

// fresh reports whether the text may be handed out again while nothing else is
// denied: it is at most so much older than it could be. Strangers may ask for long
// ones, whose signing takes a tenth of a second.
func (t *signedSet) fresh(now time.Time) bool {
	age := now.Sub(t.made)
	return 0 <= age && age < revocationKeep+time.Duration(len(t.text)>>20)*time.Second
}

// appendRevocationSet writes a set as JSON, with these entries in the place of
// its own: package encoding/json takes much longer for many of them.
func appendRevocationSet(dst []byte, set *symbolon.RevocationSet, entries []deniedEntry) ([]byte, error) {
	set.Entries = []symbolon.RevocationEntry{}
	if set.Pending == nil {
		set.Pending = []symbolon.PendingDenial{}
	}
	if set.Merged == nil {
		set.Merged = []string{}
	}
	frame, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	const gap = `"entries":[`
	at := bytes.Index(frame, []byte(gap)) + len(gap)
	dst = append(dst, frame[:at]...)
	for i := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = entries[i].append(dst)
	}
	return append(dst, frame[at:]...), nil
}

// append writes the entry as RevocationEntry.MarshalJSON does.
func (e *deniedEntry) append(dst []byte) []byte {
	dst = append(dst, `["`...)
	dst = base64.RawURLEncoding.AppendEncode(dst, e.Key[:])
	dst = strconv.AppendInt(append(dst, `",`...), e.Expires, 10)
	if e.N != 0 {
		dst = strconv.AppendInt(append(dst, ','), e.N, 10)
	}
	return append(dst, ']')
}
