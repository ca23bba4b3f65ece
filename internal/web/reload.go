package web

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Reloaded is what was read from files, and is read again when they change. What
// cannot be read keeps the one before: a half-written file must not take the
// server off the network, nor let anybody in. The exported fields are set before
// First and then no more.
type Reloaded[T any] struct {
	What   string            // as the log names it
	Keep   string            // what to do about a file that cannot be used, for the log
	Files  []string          // those that Read reads
	Read   func() (T, error) // called by one goroutine at a time
	Now    func() time.Time
	Logger *slog.Logger

	current atomic.Pointer[T]
	checked atomic.Int64 // unix nanoseconds of the clock

	mu      sync.Mutex // never held while a file is looked at
	looking *look      // nil: nobody is
	slow    time.Time  // when the log was told last that it takes long

	// Of who looks, one at a time:
	stamps []fileStamp // of the files that were last tried
	failed bool        // and could not be used
	told   time.Time   // when the log was told so last
}

// look is one look at the files. Handshakes wait for it, but not for a disk.
type look struct {
	done chan struct{} // it is over
	late chan struct{} // it takes longer than anybody waits
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

// Recheck is how often the files are looked at, at most.
const Recheck = time.Second

const (
	// patience is how long handshakes wait for the files: longer than any disk
	// that works, and no longer, once, when one does not.
	patience = time.Second
	remind   = 10 * time.Minute // how often the log is told again what cannot be used
)

// First reads the files, which must be usable at the start.
func (r *Reloaded[T]) First() error {
	r.checked.Store(r.Now().UnixNano())
	r.stamps = r.look() // before they are read: a change in between is seen the next time
	v, err := r.Read()
	r.current.Store(&v)
	return err
}

func (r *Reloaded[T]) look() []fileStamp {
	stamps := make([]fileStamp, len(r.Files))
	for i, name := range r.Files {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = fileStamp{info.Size(), info.ModTime(), info}
		}
	}
	return stamps
}

// Get gives what the files say now, or what they said when they last made sense
// or could be looked at.
func (r *Reloaded[T]) Get() T {
	if now := r.Now(); !r.fresh(now) {
		l := r.join(now)
		select {
		case <-l.done:
		case <-l.late:
		}
	}
	return *r.current.Load()
}

// fresh: the files were looked at lately. A clock that is set back does not keep
// what is old for good.
func (r *Reloaded[T]) fresh(now time.Time) bool {
	since := now.UnixNano() - r.checked.Load()
	return since >= 0 && since < int64(Recheck)
}

// join returns the look that is under way, or begins one.
func (r *Reloaded[T]) join(now time.Time) *look {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looking != nil {
		return r.looking
	}
	l := &look{done: make(chan struct{}), late: make(chan struct{})}
	if r.fresh(now) { // one ended meanwhile
		close(l.done)
		return l
	}
	r.looking = l
	late := time.AfterFunc(patience, func() { r.late(l, now) })
	go func() {
		r.again(now)
		late.Stop()
		r.mu.Lock()
		r.looking = nil
		r.mu.Unlock()
		close(l.done)
	}()
	return l
}

// late lets those go on who wait for a look that takes too long.
func (r *Reloaded[T]) late(l *look, now time.Time) {
	close(l.late)
	r.mu.Lock()
	tell := elapsed(r.slow, now, remind)
	if tell {
		r.slow = now
	}
	r.mu.Unlock()
	if tell {
		r.Logger.Warn("the files cannot be looked at in time; what was read before stays until they can: look at their disk", "what", r.What, "files", r.Files)
	}
}

// elapsed: it is that long ago, or the clock was set back.
func elapsed(since, now time.Time, long time.Duration) bool {
	d := now.Sub(since)
	return d < 0 || d >= long
}

// again looks at the files, and reads them if they have changed.
func (r *Reloaded[T]) again(now time.Time) {
	defer r.checked.Store(now.UnixNano())
	stamps := r.look()
	changed := !slices.EqualFunc(stamps, r.stamps, fileStamp.same)
	// What failed is tried again though its files look the same: it may have been
	// this process that could not open them.
	if !changed && !r.failed {
		return
	}
	r.stamps = stamps
	fresh, err := r.Read()
	r.failed = err != nil
	switch {
	case err == nil:
		r.current.Store(&fresh)
		r.Logger.Info("read again", "what", r.What, "files", r.Files)
	case changed || elapsed(r.told, now, remind):
		r.told = now
		r.Logger.Error("what changed cannot be used; the one before stays: "+r.Keep, "what", r.What, "files", r.Files, "error", err)
	}
}
