package node

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// reloaded is what was read from files, and is read again when they change. What
// cannot be read keeps the one before: a half-written file must not take the
// server off the network, nor let anybody in.
type reloaded[T any] struct {
	what  string // as the log names it
	files []string
	read  func() (T, error)
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	current T
	stamps  []fileStamp // of the files that were last tried
	failed  bool        // and could not be used
	checked time.Time
}

// fileStamp is what tells a file from the one that was there before. Two within
// one tick of the file system's clock differ in their place or their size.
type fileStamp struct {
	size    int64
	changed time.Time
	info    os.FileInfo // nil: there is no such file
}

func (s fileStamp) same(other fileStamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return s.size == other.size && s.changed.Equal(other.changed) && os.SameFile(s.info, other.info)
}

// recheck is how often the files are looked at, at most.
const recheck = time.Second

// first reads the files, which must be usable at the start.
func (r *reloaded[T]) first() (err error) {
	r.checked = r.now()
	r.stamps = r.look() // before they are read: a change in between is seen the next time
	r.current, err = r.read()
	return err
}

func (r *reloaded[T]) look() []fileStamp {
	stamps := make([]fileStamp, len(r.files))
	for i, name := range r.files {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = fileStamp{info.Size(), info.ModTime(), info}
		}
	}
	return stamps
}

// get gives what the files say now, or what they said when they last made sense.
func (r *reloaded[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if since := now.Sub(r.checked); since >= 0 && since < recheck {
		return r.current
	}
	r.checked = now
	stamps := r.look()
	changed := !slices.EqualFunc(stamps, r.stamps, fileStamp.same)
	// What failed is tried again though its files look the same: it may have been
	// this process that could not open them.
	if !changed && !r.failed {
		return r.current
	}
	r.stamps = stamps
	fresh, err := r.read()
	switch {
	case err == nil:
		r.current = fresh
		r.log.Info("read again", "what", r.what, "files", r.files)
	case changed:
		r.log.Error("what changed cannot be used; the one before stays", "what", r.what, "files", r.files, "error", err)
	}
	r.failed = err != nil
	return r.current
}
