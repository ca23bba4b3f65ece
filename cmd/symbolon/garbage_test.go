package main

import (
	"context"
	"runtime/debug"
	"testing"
)

func TestGarbagePercent(t *testing.T) {
	for _, c := range []struct {
		inUse uint64
		want  int
	}{
		{0, 200}, {3 << 20, 200}, {24 << 20, 200}, {32 << 20, 150}, {48 << 20, 100}, {1 << 40, 100},
	} {
		if got := garbagePercent(c.inUse); got != c.want {
			t.Errorf("beside %d octets: %d %%, want %d", c.inUse, got, c.want)
		}
	}
}

// TestPaceGarbageLeavesTheOperatorsRule: who set GOGC or GOMEMLIMIT gets what Go
// makes of it, and a server that ended leaves nothing behind.
func TestPaceGarbageLeavesTheOperatorsRule(t *testing.T) {
	const own = 77
	defer debug.SetGCPercent(debug.SetGCPercent(own))
	percent := func() int {
		now := debug.SetGCPercent(own)
		debug.SetGCPercent(now)
		return now
	}
	for name, want := range map[string]int{"GOGC": own, "GOMEMLIMIT": own, "OTHER": mostGarbage} {
		a := &app{env: func(n string) (string, bool) {
			if n != name {
				return "", false
			}
			return "50", true
		}}
		ctx, cancel := context.WithCancel(t.Context())
		stop := a.paceGarbage(ctx)
		if got := percent(); got != want {
			t.Errorf("with %s: %d %%, want %d", name, got, want)
		}
		cancel()
		stop()
		if got := percent(); got != own {
			t.Errorf("with %s: %d %% afterwards, want %d", name, got, own)
		}
	}
}
