package dialect

import (
	"context"
	"sync"

	"github.com/symbolon/symbolon/internal/registry"
)

// auth0Marks remembers of lists where pages begin, and how many entries there
// are, as long as nothing has changed in the store. Programs for Auth0 go through a
// list page by page and ask for the total with each: without it, each page would
// cost a look at every entry. What is remembered decides nothing but that.
type auth0Marks struct {
	mu    sync.Mutex
	lists map[string]*auth0Mark // by issuer and list
}

// auth0Mark is what is known of one list. Nil knows nothing, and learns nothing.
type auth0Mark struct {
	mu       sync.Mutex
	position registry.Position // of the snapshot that it is true at
	total    int               // -1: not known
	before   map[int]string    // by the number of an entry: the checkpoint of the one before it

	looking chan struct{} // full while somebody looks through many entries
}

// Bounds of what is remembered: of one list, and how many lists. What is beyond
// costs a look at more entries.
const (
	maxAuth0Marks = auth0Reach
	maxAuth0Lists = 128
)

// of gives what is known of a list at the position.
func (m *auth0Marks) of(list string, at registry.Position) *auth0Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark := m.lists[list]
	if mark == nil || mark.position != at {
		if m.lists == nil || len(m.lists) >= maxAuth0Lists {
			m.lists = make(map[string]*auth0Mark)
		}
		mark = &auth0Mark{position: at, total: -1, before: make(map[int]string), looking: make(chan struct{}, 1)}
		m.lists[list] = mark
	}
	return mark
}

// find tells where to begin for the entry of that number: after which checkpoint,
// at which number that is, and how many entries there are in all, or -1.
func (m *auth0Mark) find(number int) (from string, begins, total int) {
	if m == nil {
		return "", 0, -1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if from, known := m.before[number]; known {
		return from, number, m.total
	}
	return "", 0, m.total
}

// wait returns when nobody looks through the list: what they have learnt is known
// then, and those who ask at the same time for what has to be counted cost no more
// than one. done lets the next one. Who goes away meanwhile is not waited for.
func (m *auth0Mark) wait(ctx context.Context) (done func(), err error) {
	if m == nil {
		return func() {}, nil
	}
	select {
	case m.looking <- struct{}{}:
		return func() { <-m.looking }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begins notes the checkpoint before the entry of that number.
func (m *auth0Mark) begins(number int, from string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.before) < maxAuth0Marks {
		m.before[number] = from
	}
}

// ends notes how many entries there are.
func (m *auth0Mark) ends(total int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total = total
}
