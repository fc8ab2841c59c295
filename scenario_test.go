package imdgo_test

import (
	"testing"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// TestScenarios runs the scripts in testdata/scenarios, which say what DESIGN.md promises. To run one of them:
//
//	go test -run TestScenarios/leader_cut_off .
func TestScenarios(t *testing.T) { imdgotest.RunDir(t, "testdata/scenarios") }
