package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
)

// storeAgain is how old the stored set's time may be: who starts with it knows
// when the issuer was heard, to that.
const storeAgain = 10 * time.Minute

// storedSet is the stored copy of what an issuer denies, which is in force from
// the start, also while the issuer is away.
type storedSet struct {
	V       int    `json:"v"`
	Issuer  string `json:"issuer"`
	SetURI  string `json:"set_uri"`
	KeysURI string `json:"keys_uri"`
	Heard   int64  `json:"heard"` // seconds since 1970
	Set     []byte `json:"set"`   // a symbolon.RevocationSet as JSON, in Base64
	Sum     string `json:"sum"`   // against damage
}

func (s *storedSet) sum() string {
	h := sha256.New()
	for _, part := range []string{strconv.Itoa(s.V), s.Issuer, s.SetURI, s.KeysURI, strconv.FormatInt(s.Heard, 10)} {
		h.Write([]byte(part + "\n"))
	}
	h.Write(s.Set)
	return hex.EncodeToString(h.Sum(nil))
}

// maxStoredSet is more than the longest set takes.
const maxStoredSet = 2 * symbolon.MaxRevocationSet

func (f *follower) storedPath() string { return copyPath(f.cfg.DataDir, "denied", f.issuer) }

// load gives the stored set, if there is one that can be trusted. However old it
// is, what it denies stays denied.
func (f *follower) load() (*heldSet, places, time.Time) {
	if f.cfg.DataDir == "" {
		return nil, places{}, time.Time{}
	}
	set, at, heard, err := f.read()
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			f.cfg.Logger.Warn("the stored revocation set is not used; delete the file if this goes on", "file", f.storedPath(), "error", err)
		}
		return nil, places{}, time.Time{}
	}
	return set, at, heard
}

func (f *follower) read() (*heldSet, places, time.Time, error) {
	var s storedSet
	none := func(err error) (*heldSet, places, time.Time, error) { return nil, places{}, time.Time{}, err }
	if err := readStored(f.storedPath(), maxStoredSet, &s); err != nil {
		return none(err)
	}
	if err := checkStored(s.V, s.Issuer == f.issuer, s.Sum == s.sum()); err != nil {
		return none(err)
	}
	whole, err := symbolon.ParseRevocationSet(s.Set)
	if err != nil {
		return none(err)
	}
	// Nothing is dropped by the clock: at a start it may be far ahead still, and no
	// later difference brings back what is lost here.
	set, err := (*heldSet)(nil).take(whole, 0)
	if err != nil {
		return none(err)
	}
	set.journal = ""
	return set, places{s.SetURI, s.KeysURI}, time.Unix(s.Heard, 0), nil
}

// store writes the copy. That it fails ends nothing: the set is in memory.
func (f *follower) store(set *heldSet, at places, heard time.Time) {
	s := storedSet{V: storedVersion, Issuer: f.issuer, SetURI: at.set, KeysURI: at.keys, Heard: heard.Unix()}
	var err error
	if s.Set, err = json.Marshal(set.whole(f.issuer)); err == nil {
		s.Sum = s.sum()
		err = writeStored(f.cfg.DataDir, f.storedPath(), s)
	}
	if err != nil {
		f.cfg.Logger.Warn("the issuer's revocation set cannot be stored; a start while the issuer is away would not know what is denied", "file", f.storedPath(), "error", err)
	}
}

// storePause is the least time between the beginnings of two writes. A set can
// have megabytes, and each denial makes another one. What a crash loses by it, the
// issuer tells again: the copy says from where on.
const storePause = 5 * time.Second

// setKeeper writes the last set of those that it was given, behind the back of who
// gives them, one at a time.
type setKeeper struct {
	write func(set *heldSet, at places, heard time.Time)

	mu      sync.Mutex
	next    func()        // writes what was given last; nil: that was done
	timer   *time.Timer   // the next write; nil: none is planned
	writing chan struct{} // closed when the write under way ends; nil: none is
	began   time.Time     // when the last one did
}

// keep has the set written, unless another one comes before it is.
func (k *setKeeper) keep(set *heldSet, at places, heard time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = func() { k.write(set, at, heard) }
	k.plan()
}

// plan sees to what is to be written; the lock is held.
func (k *setKeeper) plan() {
	if k.next != nil && k.timer == nil && k.writing == nil {
		k.timer = time.AfterFunc(storePause-time.Since(k.began), k.flush)
	}
}

// flush writes what is to be written, unless somebody does.
func (k *setKeeper) flush() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next == nil || k.writing != nil {
		return
	}
	write, done := k.next, make(chan struct{})
	k.next, k.timer, k.writing, k.began = nil, nil, done, time.Now()
	k.mu.Unlock()
	write()
	k.mu.Lock()
	k.writing = nil
	close(done)
	k.plan()
}

// close writes what is left; nothing is given any more.
func (k *setKeeper) close() {
	for {
		k.mu.Lock()
		if k.timer != nil {
			k.timer.Stop()
			k.timer = nil
		}
		left, writing := k.next != nil, k.writing
		k.mu.Unlock()
		switch {
		case writing != nil:
			<-writing
		case left:
			k.flush()
		default:
			return
		}
	}
}
