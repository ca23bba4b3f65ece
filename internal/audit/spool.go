package audit

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// What to do when there is no room for another record.
const (
	OnFullRefuse = "refuse" // Append gives ErrFull: no token without its record
	OnFullIssue  = "issue"  // Append counts the record as lost and gives nil
)

// Errors of the spool.
var (
	// ErrFull: the disk is full and the reserve is used up. It passes by itself
	// within a second of space being there again.
	ErrFull = errors.New("audit: no room for another record: free space on the disk of the spool")
	// ErrClock: the clock is earlier than the newest record.
	ErrClock = errors.New("audit: the clock is earlier than the newest record")
	// ErrClosed: Append after Close.
	ErrClosed = errors.New("audit: the spool is closed")
)

// SpoolConfig says where and how records are kept.
type SpoolConfig struct {
	Dir          string           // made if missing (0700)
	Node         string           // id of the node, in every record
	Sync         bool             // Append returns after an fsync, which concurrent appends share
	OnFull       string           // OnFullRefuse (default) or OnFullIssue
	SegmentBytes int64            // size of a segment, at least 64 KiB; 0: 16 MiB, on a small disk less
	Reserve      int              // empty segments kept ready for a full disk; 0: 3
	Now          func() time.Time // nil: time.Now
	Logger       *slog.Logger     // nil: slog.Default()
}

// Position is a place in a spool: the end of a line. The zero value is the
// beginning.
type Position struct {
	Segment int64    // number of the segment
	Offset  int64    // octets into its file
	N       int64    // number of the last record before it
	Hash    [32]byte // of the line that ends there; zero: not known
}

// Spool appends records. Its methods may be called from any goroutine.
type Spool struct {
	cfg    SpoolConfig
	id     string // of the spool, in each header
	size   int64  // of new segments
	tail   []byte // `,"node":"…","n":`
	lock   *os.File
	opened Position // where this process began to append
	found  *survey  // of the segment that opened is in; nil: it is new

	mu       sync.Mutex
	cur      *segment // nil: there is none yet, for want of space
	head     Position // end of the newest line
	oldest   int64    // the oldest segment that is kept
	damage   *Damage  // to be told by the next header
	flushed  Position // up to where this process has flushed to the store
	skipTo   int64    // the next segment has at least this number
	behind   bool     // the clock is behind the newest record
	roll     bool     // the next record begins a new segment
	spares   []*os.File
	finished []closedSegment // to be cut to size and synced
	renamed  bool            // a segment got its name: the folder is to be synced
	closed   bool
	written  chan struct{} // closed at the next append when somebody waits

	finishing sync.Mutex // held while closed segments are finished
	syncing   groupSync
	toldAt    time.Time // of the last complaint about lost records; the keeper's
	refused   refusals

	short   atomic.Bool  // the reserve cannot be filled up
	waiting atomic.Int32 // how many wait on written
	records atomic.Int64
	full    atomic.Int64
	lost    atomic.Int64
	untold  atomic.Int64 // lost records that no notice has told yet

	wake chan struct{}
	stop chan struct{}
	done chan struct{}

	ending sync.Once
	endErr error
}

// Stats are counters since the start, for metrics.
type Stats struct {
	Records    int64 // appended
	Full       int64 // refused with ErrFull
	Lost       int64 // not written, and the request went on (OnFullIssue)
	Suppressed int64 // refusals that a summary tells instead of a record of their own
	Reserve    int   // empty segments that are ready now
	Short      bool  // the reserve cannot be filled up: space is running out
}

// Stats returns the counters.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	reserve := len(s.spares)
	s.mu.Unlock()
	return Stats{
		Records: s.records.Load(), Full: s.full.Load(), Lost: s.lost.Load(),
		Suppressed: s.refused.suppressed.Load(), Reserve: reserve, Short: s.short.Load(),
	}
}

// Position is the end of the newest record.
func (s *Spool) Position() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head
}

// Dir is the folder of the spool, for Scan, Find, Search and Verify.
func (s *Spool) Dir() string { return s.cfg.Dir }

// buffers hold lines while they are made.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, len(digest{}), len(digest{})+MaxRecord)
	return &b
}}

// Append writes the record. When it returns nil, the record survives a kill of the
// process, and with Sync a loss of power. It does not keep r or change it. Any
// error means that there is no evidence and the request must not succeed.
func (s *Spool) Append(r *Record) error {
	err := s.append(r)
	switch {
	case err == nil || errors.Is(err, ErrClosed):
	case s.cfg.OnFull == OnFullIssue:
		s.lost.Add(1)
		s.untold.Add(1)
		return nil
	case errors.Is(err, ErrFull):
		s.full.Add(1)
	}
	return err
}

// append is Append without the choice of OnFull.
func (s *Spool) append(r *Record) error {
	at := r.Time
	if at.IsZero() {
		at = s.cfg.Now()
	}
	b := buffers.Get().(*[]byte)
	line := appendBody((*b)[:len(digest{})], r, at)
	line = append(line, s.tail...)
	err := s.write(line, at, r.Presented)
	*b = line
	buffers.Put(b)
	if err == nil && s.cfg.Sync {
		err = s.syncing.wait(s.syncAll)
	}
	return err
}

// write gives the line its number and its hash and writes it. line has room for a
// digest in front. presented is what stands in it.
func (s *Spool) write(line []byte, at time.Time, presented []Presented) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	start := len(digest{})
	if err := s.room(int64(len(line)-start+20+hashSize+1), at); err != nil {
		return err
	}
	for i := range presented { // also when it fails: nobody knows then what a reader will find
		s.cur.presented = max(s.cur.presented, presented[i].seconds())
	}
	line = appendInt(line, "", s.head.N+1)
	line, hash := appendHash(line, start, s.head.Hash)
	size := int64(len(line) - start)
	if err := s.cur.write(line[start:]); err != nil {
		s.roll = s.cur.used > s.cur.first
		if isFull(err) {
			return fmt.Errorf("%w (%w)", ErrFull, err)
		}
		return fmt.Errorf("audit: the record could not be written: %w", err)
	}
	s.watchClock(at)
	s.head.Offset += size
	s.head.N++
	s.head.Hash = hash
	if s.waiting.Load() > 0 {
		close(s.written)
		s.written = make(chan struct{})
	}
	s.records.Add(1)
	return nil
}

// watchClock says once when records begin to be earlier than the newest.
func (s *Spool) watchClock(at time.Time) {
	switch newest := s.cur.newest; {
	case at.After(newest):
		s.cur.newest, s.behind = at, false
	case newest.Sub(at) > clockTolerance && !s.behind:
		s.behind = true
		s.cfg.Logger.Error("audit: the clock was set back: check its synchronization; a restart is refused until it has passed the newest record",
			"now", at, "newest_record", newest)
	}
}

// Close writes what is still to be told, syncs and stops. It leaves the segment
// as it is: the next OpenSpool goes on in it.
func (s *Spool) Close() error {
	s.ending.Do(func() { s.endErr = s.end() })
	return s.endErr
}

func (s *Spool) end() error {
	close(s.stop)
	<-s.done
	s.tell(s.cfg.Now(), true)
	err := s.syncAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.cur != nil {
		err = errors.Join(err, s.cur.f.Close())
	}
	for _, c := range s.finished { // by an append since
		err = errors.Join(err, c.f.Close())
	}
	for _, f := range s.spares {
		err = errors.Join(err, f.Close())
	}
	close(s.written)
	return errors.Join(err, s.lock.Close())
}
