//go:build race

package store

// SQLite is Go code here too: the race detector makes it ten times slower. It
// looks for races, not for rare sequences, so the repeated tests run less.
const (
	propertyChecks = "6"
	corruptSeeds   = 12
)
