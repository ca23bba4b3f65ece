package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// manyID and manySecret are those of the client number i of those that the
// bench puts into a database by itself.
func manyID(i int) string { return fmt.Sprintf("client-%07d", i) }

func manySecret(i int) string {
	return registry.FormatSecret(sha256.Sum256([]byte(manyID(i))))
}

// manyAsk is its token request.
func manyAsk(i int) ask {
	return ask{Auth: basic(manyID(i), manySecret(i)), Form: clientCredentials(benchScope), Want: 200}
}

// manyClient is a client as an operator makes it.
func manyClient(i int, now time.Time) *registry.Client {
	return &registry.Client{
		Meta: registry.Meta{V: registry.DocVersion, Min: 1, Created: now, Updated: now},
		ID:   manyID(i), Name: fmt.Sprintf("Nightly job %d", i), Owner: fmt.Sprintf("team-%d", i%500),
		Labels: map[string]string{"team": fmt.Sprint("team-", i%500), "env": "production"}, State: registry.StateActive,
		Secrets: []registry.Secret{{ID: "s1", Hash: registry.HashGenerated(manySecret(i)), Created: now}},
		Access:  map[string][]string{"orders": {benchScope}}, DefaultAPI: registry.OneOrMore{"orders"},
	}
}

// fill puts clients into the database of a server that does not run, the way
// the store takes them, many to a commit.
func (i *instance) fill(n int, client func(i int, now time.Time) *registry.Client) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{DSN: i.store})
	if err != nil {
		return err
	}
	defer s.Close()
	const batch = 5000
	now := time.Now().UTC().Truncate(time.Second)
	for from := 0; from < n; from += batch {
		_, err := s.Update(ctx, func(tx *store.Tx) error {
			for k := from; k < min(n, from+batch); k++ {
				if err := put(tx, client(k, now)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func put(tx *store.Tx, c *registry.Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	doc, err := registry.Encode(c, nil)
	if err != nil {
		return err
	}
	var attrs []store.Attr
	for _, a := range registry.Index(c) {
		attrs = append(attrs, store.Attr(a))
	}
	_, err = tx.Put(store.Put{Kind: registry.KindClient, ID: c.ID, Doc: doc, Attrs: attrs})
	return err
}

// filled configures a server and fills its database.
func (b *bench) filled(name string, n int, client func(i int, now time.Time) *registry.Client) (*instance, error) {
	i, err := b.configure(name, "ES256")
	if err != nil {
		return nil, err
	}
	return i, i.populate(n, client)
}

// populate lets a server make its issuer and its API, and fills its database.
func (i *instance) populate(n int, client func(i int, now time.Time) *registry.Client) error {
	if err := i.serve(func(p *process) error { _, err := i.b.tokenJob(p, 1, 1).run(); return err }); err != nil {
		return err
	}
	return i.fill(n, client)
}
