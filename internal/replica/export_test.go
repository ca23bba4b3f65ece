package replica

import "context"

// OpenStepped is Open for tests of what uses a replica: step is called between the
// steps of every apply.
func OpenStepped(ctx context.Context, cfg Config, step func(string)) (*Replica, error) {
	return open(ctx, cfg, func(r *Replica) { r.step = step })
}
