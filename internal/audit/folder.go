package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/internal/store"
)

const (
	defaultEvery = 5 * time.Second
	lastFlush    = 5 * time.Second
)

// batch bounds what one flush takes on.
type batch struct {
	octets  int64 // of the spool
	shipped int   // records for the store
}

var defaultBatch = batch{octets: 8 << 20, shipped: 500}

// FolderConfig says what is folded into what.
type FolderConfig struct {
	Store  *store.Store
	Spool  *Spool
	Every  time.Duration    // between flushes; 0: 5 s
	Keep   time.Duration    // closed segments older than this are removed once they are flushed; 0: none is
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// Folder adds up what a node's spool says (usage by the hour, last use of
// credentials), ships its refusals and the anchors of its closed segments, and
// removes segments that are old. The sums are written together with the position
// up to which the spool was read; what is shipped before that has ids of its own:
// so a kill at any point neither loses anything nor counts it twice.
type Folder struct {
	cfg   FolderConfig
	batch batch
	asked chan chan<- error // by Await, for Run to flush
	runs  atomic.Bool

	mu     sync.Mutex
	walk   *walk               // stands at what was flushed; nil: to be asked of the store
	stored store.SpoolPosition // what the store has
	said   time.Time           // when it was told last up to when requests are counted
	fold   *fold
	failed bool // the last flush did
	pruned time.Time
	told   map[Damage]bool // damages that were reported
}

// NewFolder makes the folder of a spool. It does nothing until Run or Flush.
func NewFolder(cfg FolderConfig) *Folder {
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Folder{cfg: cfg, batch: defaultBatch, asked: make(chan chan<- error), fold: newFold(cfg.Spool.cfg.Node), told: make(map[Damage]bool)}
}

// Run flushes now and then, and when somebody awaits it, until ctx ends, and once
// more then.
func (f *Folder) Run(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.Every)
	defer tick.Stop()
	f.runs.Store(true)
	defer f.runs.Store(false)
	var waiting chan<- error // nil: the clock asked
	for {
		err := f.Flush(ctx)
		if waiting != nil {
			waiting <- err
			waiting = nil
		}
		if err := errors.Join(err, f.pruneHourly(ctx)); ctx.Err() == nil {
			f.report(err)
		}
		select {
		case waiting = <-f.asked:
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			f.report(f.Flush(ctx))
			f.stop()
			return nil
		case <-tick.C:
		}
	}
}

// Await returns when everything that was appended before the call is in the store.
// Run flushes, and goes on with that when ctx ends first: a flush that is cut off
// begins anew. Where nothing runs it is done here.
func (f *Folder) Await(ctx context.Context) error {
	if !f.runs.Load() {
		return f.Flush(ctx)
	}
	flushed := make(chan error, 1) // nobody may be there any more to hear of it
	select {
	case f.asked <- flushed:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-flushed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// report says once that evidence waits, and once that it does not any more.
func (f *Folder) report(err error) {
	switch {
	case err != nil && !f.failed:
		f.failed = true
		f.cfg.Logger.Warn("audit: evidence waits in the spool; issuing goes on", "error", err)
	case err == nil && f.failed:
		f.failed = false
		f.cfg.Logger.Info("audit: evidence is flushed again")
	}
}

// stop closes the file that it reads.
func (f *Folder) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restart()
}

func (f *Folder) restart() {
	if f.walk != nil {
		f.walk.close()
		f.walk = nil
	}
	f.fold = newFold(f.cfg.Spool.cfg.Node)
}

// sayEvery is how often the store is told that there was nothing to count.
const sayEvery = time.Minute

// Flush brings everything that was appended before the call into the store.
func (f *Folder) Flush(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, end := f.cfg.Now(), f.cfg.Spool.Position()
	for {
		if err := f.start(ctx); err != nil {
			return err
		}
		if !f.walk.pos.before(end) && now.Sub(f.said) < sayEvery {
			return nil
		}
		if err := f.flushBatch(ctx, now, end); err != nil {
			f.restart() // what the store has is not known: it is asked again
			return err
		}
	}
}

// start asks the store how far the spool is flushed.
func (f *Folder) start(ctx context.Context) error {
	if f.walk != nil {
		return nil
	}
	spool := f.cfg.Spool
	at, err := f.cfg.Store.SpoolPosition(ctx, spool.cfg.Node)
	if err != nil {
		return err
	}
	from := Position{Segment: at.Segment, Offset: at.Offset}
	w := f.walkFrom(from)
	if spool.isCut(at) {
		err = fmt.Errorf("%w (segment %d, octet %d)", ErrPosition, at.Segment, at.Offset)
	} else if at.Offset > 0 {
		err = w.open()
	}
	if errors.Is(err, ErrPosition) {
		from, err = f.misfit(at, err)
		w = f.walkFrom(from)
	}
	if err != nil {
		return err
	}
	f.walk, f.stored = w, at
	return f.checkLast(at)
}

// checkLast compares the last line that was flushed, before others follow it: from
// then on the store would vouch for what it has become.
func (f *Folder) checkLast(at store.SpoolPosition) error {
	pos := f.walk.pos
	if at.Offset == 0 || at.Hash == (digest{}) || pos.Segment != at.Segment || pos.Offset != at.Offset || pos.Hash == at.Hash {
		return nil
	}
	d := Damage{Segment: pos.Segment, Record: pos.N, What: alteredLast}
	if f.told[d] {
		return nil
	}
	if err := f.cfg.Spool.tellInHeader(d); err != nil {
		f.restart()
		return err
	}
	f.tellDamage(d)
	return nil
}

// walkFrom checks the hashes of what earlier processes wrote: this one knows what
// it has written.
func (f *Folder) walkFrom(from Position) *walk {
	spool := f.cfg.Spool
	w := walkFrom(spool.cfg.Dir, from)
	w.limit = spool.Position
	w.trust = func() bool { return !w.pos.before(spool.opened) }
	return w
}

// misfit goes on when the store has flushed what the spool does not have: its folder
// was lost, or its end was cut off while the node was down. New segments get numbers
// that the store does not know yet.
func (f *Folder) misfit(at store.SpoolPosition, cause error) (Position, error) {
	spool := f.cfg.Spool
	f.cfg.Logger.Error("audit: evidence that was flushed is missing in the spool; run audit verify", "dir", spool.cfg.Dir,
		"segment", at.Segment, "offset", at.Offset, "error", cause)
	what := fmt.Sprintf("the store knows this spool up to segment %d, octet %d, which is not there", at.Segment, at.Offset)
	f.notice("evidence_missing", what)
	if err := spool.skipPast(at.Segment, what); err != nil {
		return Position{}, err
	}
	if spool.opened.Segment > at.Segment {
		return Position{Segment: at.Segment + 1}, nil
	}
	return spool.opened, nil
}

func (f *Folder) notice(code, reason string) {
	r := Record{Time: f.cfg.Now(), Outcome: Notice, Endpoint: "spool", Code: code, Reason: reason}
	if err := f.cfg.Spool.Append(&r); err != nil {
		f.cfg.Logger.Error("audit: could not record it", "code", code, "error", err)
	}
}

// tellDamage reports a damage once, however often its place is read.
func (f *Folder) tellDamage(d Damage) {
	d.next = Position{}
	if f.told[d] || len(f.told) >= maxDamages {
		return
	}
	f.told[d] = true
	f.cfg.Logger.Error("audit: the spool is damaged; run audit verify", "dir", f.cfg.Spool.cfg.Dir, "damage", &d)
	f.notice("spool_damaged", d.Error())
}

// flushBatch reads a part of the spool and writes what it adds up to.
// What was answered before now is all there when it gets to end.
func (f *Folder) flushBatch(ctx context.Context, now time.Time, end Position) error {
	closed, err := f.read(ctx)
	if err != nil {
		return err
	}
	if len(f.fold.records) > 0 {
		if err := f.cfg.Store.CopyRecords(ctx, f.fold.records); err != nil {
			return err
		}
	}
	for _, end := range closed {
		if err := f.anchor(ctx, end); err != nil {
			return err
		}
	}
	pos := f.walk.pos
	flush := store.Flush{From: f.stored, To: store.SpoolPosition{Segment: pos.Segment, Offset: pos.Offset, Hash: pos.Hash}}
	flush.Usage, flush.LastUsed = f.fold.rows()
	if !pos.before(end) {
		flush.Counted = now.UnixMicro()
	}
	f.cfg.Spool.flushes(flush.To)
	if err := f.cfg.Store.FlushUsage(ctx, f.cfg.Spool.cfg.Node, flush); err != nil {
		return err
	}
	if f.stored = flush.To; flush.Counted != 0 {
		f.said = now
	}
	f.fold.reset()
	return nil
}

// read folds lines up to the end of a batch, and returns the ends of the segments
// that it left behind.
func (f *Folder) read(ctx context.Context) (closed []Position, err error) {
	w := f.walk
	last := w.pos
	for octets := int64(0); octets < f.batch.octets && len(f.fold.records) < f.batch.shipped && ctx.Err() == nil; {
		line, err := w.next()
		if w.pos.Segment != last.Segment && last.Offset > 0 {
			closed = append(closed, last)
		}
		var damage *Damage
		switch {
		case errors.Is(err, io.EOF):
			return closed, nil
		case errors.As(err, &damage):
			f.tellDamage(*damage)
		case err != nil:
			return nil, err
		case !f.fold.add(line):
			f.cfg.Logger.Error("audit: a line of the spool is not a record", "dir", f.cfg.Spool.cfg.Dir, "record", w.pos.N)
		}
		octets += int64(len(line))
		last = w.pos
	}
	return closed, ctx.Err()
}
