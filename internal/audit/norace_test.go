//go:build !race

package audit

// flood is how many addresses attack the limiter.
const flood = 1_000_000
