package node

import (
	"context"
	"errors"
	"time"
)

const (
	purgeEvery     = time.Hour
	tombstonesStay = 30 * 24 * time.Hour // a copy that was away for longer starts from zero
)

// runPurge removes from the store what is old. Every node does it: there is no
// leader, and what another has removed costs nothing to look for.
func (n *Node) runPurge(ctx context.Context) error {
	return n.every(ctx, purgeEvery, "purge of what is old", n.purge)
}

// purge removes tombstones, and what was kept of requests for audit.keep. Changes'
// records stay, and so do the tombstones that keep an id from coming back.
func (n *Node) purge(ctx context.Context) error {
	now := n.cfg.Now()
	old := now.Add(-n.cfg.Audit.Keep.Std())
	tombstones, err1 := n.store.PurgeTombstones(ctx, now.Add(-tombstonesStay).UnixMicro())
	records, err2 := n.store.PurgeRecords(ctx, old.UnixMicro())
	usage, err3 := n.store.PurgeUsage(ctx, old.Unix()/3600)
	if tombstones+records+usage > 0 {
		n.cfg.Logger.Info("removed what is old from the store", "tombstones", tombstones, "refusals", records, "usage", usage)
	}
	return errors.Join(err1, err2, err3)
}
