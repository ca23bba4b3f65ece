//go:build race

package audit

// flood is smaller where each step is slower.
const flood = 200_000
