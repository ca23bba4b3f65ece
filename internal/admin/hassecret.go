package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/symbolon/symbolon/internal/registry"
)

// HasSecret reports whether the value is a live generated secret of the client:
// a program that sends back what it was given wants no change. Imported secrets
// are not compared, which would take one of the workers for slow hashes.
func (a *Admin) HasSecret(ctx context.Context, actor Actor, id string, value Secret) (bool, error) {
	if err := actor.May(ClientsRead); err != nil {
		return false, err
	}
	client, _, err := read[registry.Client](ctx, a, actor, registry.KindClient, id)
	if err != nil {
		return false, err
	}
	sum, now := sha256.Sum256([]byte(value.value)), a.now()
	for i := range client.Secrets {
		s := &client.Secrets[i]
		if digest, ok := registry.ParseSHA256(s.Hash); ok && s.Live(now) && subtle.ConstantTimeCompare(digest[:], sum[:]) == 1 {
			return true, nil
		}
	}
	return false, nil
}
