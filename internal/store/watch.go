package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// hub tells followers in this process that there is a new commit.
type hub struct {
	listen func(context.Context) error // nil on SQLite: nobody else writes the file

	mu       sync.Mutex
	watchers map[chan struct{}]bool
	stop     context.CancelFunc
	stopped  chan struct{}
	closed   bool
}

// Watch returns a channel that gets a value after commits of any node, until
// ctx ends. Several commits may make one value; a value may come for nothing;
// on PostgreSQL one may be lost, so a follower also polls every second.
func (s *Store) Watch(ctx context.Context) (<-chan struct{}, error) { return s.hub.watch(ctx) }

func (h *hub) watch(ctx context.Context) (<-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errors.New("store: closed")
	}
	if h.watchers == nil {
		h.watchers = map[chan struct{}]bool{}
	}
	if h.listen != nil && h.stop == nil {
		h.start()
	}
	c := make(chan struct{}, 1)
	h.watchers[c] = true
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, c)
	})
	return c, nil
}

// start runs the listener of the other nodes' commits, for all watchers.
func (h *hub) start() {
	ctx, cancel := context.WithCancel(context.Background())
	h.stop, h.stopped = cancel, make(chan struct{})
	go func() {
		defer close(h.stopped)
		_ = h.listen(ctx)
	}()
}

func (h *hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.watchers {
		select {
		case c <- struct{}{}:
		default: // one is waiting already
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	stop, stopped := h.stop, h.stopped
	h.mu.Unlock()
	if stop != nil {
		stop()
		<-stopped
	}
}

// channel is PostgreSQL's name for the notifications of commits.
const channel = "symbolon"

func (u *unit) notify() error {
	return u.query("notify", `SELECT pg_notify($1, '')`, []any{channel}, func(row scanner) error {
		var nothing any
		return row.Scan(&nothing)
	})
}

// Of the listener's connection.
const (
	listenPing  = 5 * time.Second // without a notification the connection is tried
	listenFirst = 100 * time.Millisecond
	listenMost  = 2 * time.Second // between two tries to connect
)

// listen wakes the watchers for every notification, and connects again when
// the connection is lost. It holds a connection of its own.
func (s *Store) listen(ctx context.Context, cfg *pgx.ConnConfig) error {
	pause := listenFirst
	for {
		err := s.listenOnce(ctx, cfg, func() { pause = listenFirst })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.cfg.Logger.Warn("store: notifications of other nodes' commits are interrupted; polling goes on", "error", failure("listen", err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, listenMost)
	}
}

func (s *Store) listenOnce(ctx context.Context, cfg *pgx.ConnConfig, connected func()) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(ctx)
	}()
	limited := func(f func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, statementLimit)
		defer cancel()
		return f(ctx)
	}
	if err := limited(func(ctx context.Context) error { _, err := conn.Exec(ctx, "LISTEN "+channel); return err }); err != nil {
		return err
	}
	connected()
	s.hub.wake() // for what was committed while nobody listened
	for {
		err := notification(ctx, conn)
		if err == nil {
			s.hub.wake()
			continue
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if err := limited(conn.Ping); err != nil {
			return err
		}
	}
}

// notification waits for one, a limited time.
func notification(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, listenPing)
	defer cancel()
	_, err := conn.WaitForNotification(ctx)
	return err
}
