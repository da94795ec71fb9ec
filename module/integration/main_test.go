// Package integration holds the black-box tests: real Apaches with our module and with the classic one.
package integration

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"modwsgi/module/apachetest"
)

// listed is docs/differences.md; every comparison uses it, and TestMain asks which of its rows were never needed.
var listed *apachetest.Differences

// comparisons counts requests that both modules answered.
var comparisons atomic.Int64

// leastComparisons is what a full run must have compared.
const leastComparisons = 3000

// parallelTests is how many tests run at the same time that call t.Parallel: they wait most of the time.
const parallelTests = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if listed, err = apachetest.LoadDifferences(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = flag.Set("test.parallel", parallelTests)
	}
	code := m.Run()
	if !testing.Short() && unset("test.run") && unset("test.skip") && unset("test.list") {
		code = max(code, reviewFullRun())
	}
	os.Exit(code)
}

func unset(name string) bool { return flag.Lookup(name).Value.String() == "" }

// reviewFullRun checks what only a full run can tell: that every listed difference exists, and that enough was compared.
func reviewFullRun() int {
	code := 0
	fmt.Printf("compared %d answers with the classic module\n", comparisons.Load())
	if n := comparisons.Load(); n < leastComparisons {
		fmt.Printf("FAIL: only %d comparisons, at least %d are wanted\n", n, leastComparisons)
		code = 1
	}
	for _, id := range listed.Unused() {
		fmt.Printf("FAIL: docs/differences.md lists a difference that never occurred: %s\n", id)
		code = 1
	}
	return code
}
