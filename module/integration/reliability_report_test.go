package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// docs/reliability.md: a section for everything in which our module and the classic one can be compared.

// A reliabilitySection is one of the page's.
type reliabilitySection struct {
	title, method string // the method may be empty
	columns       string // the head of its table
	rows          []string
}

// add appends a row to the table.
func (s *reliabilitySection) add(cells ...string) {
	s.rows = append(s.rows, "| "+strings.Join(cells, " | ")+" |\n")
}

// reliabilitySections measure, each with both modules, and fail when a goal is missed. only are the rows of interest; no page has a section without rows.
var reliabilitySections = []func(t *testing.T, p reliabilityPlan, only *regexp.Regexp) reliabilitySection{
	measureReliabilityRows, measureReliabilityAtARate, measureReliabilityTimes, measureOverloads, measureSlowLoads, measureReliabilityCauses, measureIdleGroups,
}

// TestSoakReliability is a part of `make soak`: the long versions of TestNoRequestIsLost, TestOverloadLeavesTheCapacity, TestSlowClientsHoldNoPythonThread,
// TestSlowUploadsHoldNoPythonThread, TestEveryFailureNamesItsCause and TestIdleApplicationsNeedLessMemoryThanTwoBusyOnes, with both modules. It writes
// docs/reliability.md and fails when a goal is missed. MODWSGI_SOAK_ROW, a regular expression, chooses rows by name; there is a report of them only if
// MODWSGI_SOAK_REPORT names a file.
func TestSoakReliability(t *testing.T) {
	if os.Getenv("MODWSGI_SOAK") == "" {
		t.Log("measuring is for `make soak`: it wants the machine for itself")
		return
	}
	began := time.Now()
	length := time.Duration(benchNumber(t, "MODWSGI_SOAK_SECONDS", 60)) * time.Second
	plan := reliabilityPlan{quiet: 5 * time.Second, changing: length, others: 4, perSecond: benchNumber(t, "MODWSGI_SOAK_RATE", 1000), clients: 50}
	only := regexp.MustCompile(os.Getenv("MODWSGI_SOAK_ROW"))
	var sections []reliabilitySection
	for _, measure := range reliabilitySections {
		sections = append(sections, measure(t, plan, only))
	}
	t.Logf("measured in %v", time.Since(began).Round(time.Second))
	if os.Getenv("MODWSGI_SOAK_ROW") == "" || os.Getenv("MODWSGI_SOAK_REPORT") != "" {
		writeReliabilityReport(t, sections)
	}
}

// writeReliabilityReport writes docs/reliability.md, or the file that MODWSGI_SOAK_REPORT names.
func writeReliabilityReport(t *testing.T, sections []reliabilitySection) {
	t.Helper()
	path := os.Getenv("MODWSGI_SOAK_REPORT")
	if path == "" {
		path = filepath.Join(apachetest.RepositoryRoot(), "docs", "reliability.md")
	}
	var page strings.Builder
	fmt.Fprintf(&page, reliabilityIntroduction, benchMachine("wrk"))
	for _, s := range sections {
		if len(s.rows) > 0 {
			fmt.Fprintf(&page, "\n## %s\n\n%s%s%s", s.title, s.method, s.columns, strings.Join(s.rows, ""))
		}
	}
	if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("written: %s", path)
}

const reliabilityIntroduction = "# Reliability\n\n" +
	"Written by `make soak`; do not edit. What clients notice of changes to processes and configurations, of too much work, of each other and of failures, with our\n" +
	"module and with the classic one, on the same machine, one after the other. `make soak` fails when our module misses one of its goals; the classic one has none.\n\n" +
	"## Machine\n\n%s"

// subjectNames are as the page has them.
var subjectNames = map[subject]string{benchOurs: "ours", benchClassic: "classic", benchLimit: "Apache"}

// bothModules are compared.
var bothModules = []subject{benchOurs, benchClassic}

// compared is a server's configuration with one of the modules.
func compared(who subject, c apachetest.Config) apachetest.Config {
	if who == benchClassic {
		c.Module, c.Tolerate = apachetest.Classic(), []string{""} // what it writes when it crashes is not for us to judge
	}
	return c
}

func shown(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
}
