//go:build !race

package main

// raceDetector says that the tests run under the race detector, and so does
// then the service.
const raceDetector = false
