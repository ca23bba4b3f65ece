package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// How much garbage may lie about before it is collected. A collection holds
// requests up for some milliseconds, whoever they belong to. By Go's own rule a
// server whose memory is small collects twice a second under a flood of
// refusals, and one request in fifty meets that; a guard, whose memory is smaller
// yet, more often still.
const (
	garbageRoom = 48 << 20 // octets
	mostGarbage = 200      // of what is in use, in percent
	goGarbage   = 100      // the same by Go's rule, and never less: rare collections pay for themselves

	garbageEvery = time.Second // how often it is looked how much is in use
	garbageStep  = 10          // percent: a smaller change is none
)

// paceGarbage lets garbage be collected by that rule until ctx ends, unless the
// environment has one of Go's. The function that it returns waits for the end.
func (a *app) paceGarbage(ctx context.Context) (end func()) {
	for _, name := range [...]string{"GOGC", "GOMEMLIMIT"} {
		if value, _ := a.env(name); value != "" {
			return func() {}
		}
	}
	before := debug.SetGCPercent(mostGarbage)
	var pacing sync.WaitGroup
	pacing.Go(func() {
		defer debug.SetGCPercent(before)
		keepPace(ctx)
	})
	return pacing.Wait
}

func keepPace(ctx context.Context) {
	percent := mostGarbage
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(garbageEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(inUse)
		// Each setting stops the world for a moment.
		if now := garbagePercent(inUse[0].Value.Uint64()); max(now-percent, percent-now) >= garbageStep {
			percent = now
			debug.SetGCPercent(percent)
		}
	}
}

// garbagePercent is how much garbage may lie beside so many octets in use, in
// percent of them.
func garbagePercent(inUse uint64) int {
	if inUse == 0 { // nothing was collected yet
		return mostGarbage
	}
	return int(min(max(garbageRoom*100/inUse, goGarbage), mostGarbage))
}
