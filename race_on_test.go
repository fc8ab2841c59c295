//go:build race

package imdgo_test

// raceDetector says that the tests run under the race detector, which takes
// several times the memory.
const raceDetector = true
