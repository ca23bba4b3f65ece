//go:build !race

package dpop

// raceDetector says whether the tests run under it.
const raceDetector = false
