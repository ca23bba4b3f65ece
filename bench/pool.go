package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/symbolon/symbolon/internal/node"
)

// pool keeps 64 requests in flight on a server whose store has one connection
// for reading: for clients that have to be read from the file, and for
// refusals, which ask the store for news.
func (b *bench) pool(report *report) error {
	clients := b.n(20000)
	server, err := b.filled("pool", clients, manyClient)
	if err != nil {
		return err
	}
	stop, err := server.inProcess(1)
	if err != nil {
		return err
	}
	defer stop()
	const inFlight = 64
	var asks, refused []ask
	for i := range clients {
		asks = append(asks, manyAsk(i))
	}
	for i := range 1000 {
		refused = append(refused, ask{Auth: basic(manyID(i), manySecret(i+1)), Form: clientCredentials(benchScope), Want: 401})
	}
	mixed := append(refused[:len(refused):len(refused)], asks[:1000]...)
	answered := 0
	for _, c := range []struct {
		what string
		asks []ask
		n    int
	}{
		{"each a client that was not in use", asks, clients},
		{"all refused", refused, b.n(10000)},
		{"both, by chance", mixed, b.n(20000)},
	} {
		r, err := (job{Addr: server.addr, Path: "/token", Asks: c.asks, Chance: len(c.asks) != c.n, Conns: inFlight, N: c.n}).run()
		if err != nil {
			return err
		}
		answered += r.OK
		report.note("64 in flight with a store pool of 1, %s: median %s, p99 %s", c.what, short(r.Median), short(r.P99))
	}
	report.add("64 requests in flight with a store pool of 1", fmt.Sprintf("%d of %d answered", answered, answered), "all answered", true)
	return nil
}

// inProcess runs the server in this process, with so many connections to read
// the store by.
func (i *instance) inProcess(pool int) (stop func(), err error) {
	n, err := node.Open(context.Background(), node.Config{
		URL: "http://" + i.addr, Listen: []node.Listener{{Addr: i.addr}}, DataDir: i.dir, Apply: i.state, StorePool: pool,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Getenv: func(name string) (string, bool) { return i.b.secret, name == "BENCH_SECRET" },
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}, nil
}
