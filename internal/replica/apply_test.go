package replica

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// applySteps are the points at which an apply can be interrupted, in order; the
// commit comes before them, and after the last one everything is done.
var applySteps = []string{"before the commit", "begin", "file", "client", "clients", "published"}

// gated is a reader whose next Get waits before it reads and before it returns.
type gated struct {
	rows
	mu   sync.Mutex
	next *slowLoad
}

// slowLoad is one loader, led through its steps by the test.
type slowLoad struct {
	looked, loaded chan struct{} // it has the snapshot; it has asked for the client
	read, give     chan struct{} // it may read the file; it may go on with what it read
	hasRead        chan struct{}
	done           chan struct{}
	snapshot       *registry.Snapshot
	entry          *Entry
}

func (g *gated) Get(ctx context.Context, kind, id string) (store.Object, error) {
	g.mu.Lock()
	l := g.next
	g.next = nil
	g.mu.Unlock()
	if l == nil {
		return g.rows.Get(ctx, kind, id)
	}
	close(l.loaded)
	<-l.read
	o, err := g.rows.Get(ctx, kind, id)
	close(l.hasRead)
	<-l.give
	return o, err
}

// TestNoTokenOutrunsADenial steps through an apply that disables a client, with
// requests between any two steps, and with a slow request whose four steps
// (take the snapshot, ask for the client, read the file, go on) fall between
// them in every possible way. A request that has the client as active must have
// a snapshot from before the commit; and who comes after all of it sees the
// client disabled, whoever loaded what meanwhile.
func TestNoTokenOutrunsADenial(t *testing.T) {
	eachStore(t, func(w *world) {
		g := &gated{}
		r := w.node(w.config(), func(r *Replica) { g.rows, r.rows = r.rows, g })
		run := 0
		for look := range applySteps {
			for ask := look; ask < len(applySteps); ask++ {
				for read := ask; read < len(applySteps); read++ {
					for give := read; give < len(applySteps); give++ {
						run++
						at := []int{look, ask, read, give}
						if !w.postgres() || look == ask { // the cache is the same
							interleave(w, r, g, fmt.Sprint("c", run), at, ask)
						}
						if !w.postgres() {
							interleave(w, r, g, fmt.Sprint("d", run), at, 0)
						}
					}
				}
			}
		}
		if run != 126 {
			t.Errorf("%d interleavings, want 126", run)
		}
	})
}

// interleave disables the client id while a slow load takes its steps at the
// given points of the apply. Others ask at each point, the first time at the
// given one: before the slow one asks nobody else has loaded the client, or
// somebody has.
func interleave(w *world, r *Replica, g *gated, id string, at []int, others int) {
	w.Helper()
	w.write(client(id, registry.StateActive))
	w.must(r.CatchUp(context.Background()))
	name := func() string {
		var s []string
		for _, i := range at {
			s = append(s, applySteps[i])
		}
		return strings.Join(s, ", ")
	}
	seq := r.Snapshot().Seq + 1
	l := newSlowLoad()
	var joined []*slowLoad
	reached := func(step string) {
		for i, now := range []func(){
			func() { l.snapshot = r.Snapshot(); close(l.looked) },
			func() { l.ask(r, g, id) },
			func() { l.readNow() },
			func() { close(l.give); <-l.done },
		} {
			if applySteps[at[i]] == step {
				now()
			}
		}
		if slices.Index(applySteps, step) < others {
			return
		}
		// Someone else asks too; where the slow one is under way it may join it,
		// so nobody waits for it here.
		other := &slowLoad{done: make(chan struct{}), snapshot: r.Snapshot()}
		joined = append(joined, other)
		asked := make(chan struct{})
		go func() {
			defer close(other.done)
			close(asked)
			other.entry, _ = r.Client(context.Background(), id)
		}()
		<-asked
	}
	reached(applySteps[0])
	if got := w.write(client(id, registry.StateDisabled)); got != seq {
		w.Fatalf("commit %d, want %d", got, seq)
	}
	r.step = reached
	w.must(r.CatchUp(context.Background()))
	r.step = nil
	select {
	case <-l.hasRead:
	default:
		if others > 0 || at[1] == 0 {
			w.Fatalf("%s: the slow request never read", name())
		}
	}
	for _, reader := range append(joined, l) {
		<-reader.done
		if reader.entry == nil {
			w.Fatalf("%s: no client", name())
		}
		if state(reader.entry) == registry.StateActive && reader.snapshot.Seq >= seq {
			w.Errorf("%s: active under position %d, and commit %d disabled it", name(), reader.snapshot.Seq, seq)
		}
	}
	if s, e := w.get(r, id); s.Seq != seq || state(e) != registry.StateDisabled {
		w.Errorf("%s: in the end %s at %d, want disabled at %d", name(), state(e), s.Seq, seq)
	}
	if loads := len(r.cache.loads); loads != 0 {
		w.Errorf("%s: %d loads are left over", name(), loads)
	}
}

// newSlowLoad makes a request that waits to be led.
func newSlowLoad() *slowLoad {
	return &slowLoad{
		looked: make(chan struct{}), loaded: make(chan struct{}), done: make(chan struct{}),
		read: make(chan struct{}), give: make(chan struct{}), hasRead: make(chan struct{}),
	}
}

// ask begins the slow load. Where the client is cached already, or another load
// is under way, there is nothing to read: the request has its answer by itself.
func (l *slowLoad) ask(r *Replica, g *gated, id string) {
	g.mu.Lock()
	g.next = l
	g.mu.Unlock()
	go func() {
		defer close(l.done)
		<-l.looked
		l.entry, _ = r.Client(context.Background(), id)
	}()
	select {
	case <-l.loaded:
	case <-l.done:
		g.mu.Lock()
		g.next = nil
		g.mu.Unlock()
	}
}

func (l *slowLoad) readNow() {
	close(l.read)
	select {
	case <-l.hasRead:
	case <-l.done:
	}
}
