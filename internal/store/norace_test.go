//go:build !race

package store

const (
	propertyChecks = "25"
	corruptSeeds   = 50
)
