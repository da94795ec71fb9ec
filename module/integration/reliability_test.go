package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
	"modwsgi/module/steadyload"
)

// No request is lost, whatever happens to processes and configurations meanwhile.

// A reliabilityPlan says how hard and for how long.
type reliabilityPlan struct {
	quiet, changing time.Duration
	every           time.Duration // a change happens; 0: as the row says
	perSecond       int
	clients         int
	oneShot         int // of the clients
	// answering processes are waited for after the changes, which take their time on a busy machine; 0: nothing is waited for.
	answering int
}

// Answers past this are none.
const reliabilityPatience = 30 * time.Second

func TestNoRequestIsLost(t *testing.T) {
	plan := reliabilityPlan{quiet: 200 * time.Millisecond, changing: 3 * time.Second, every: time.Second, perSecond: 150, clients: 50, oneShot: 25}
	for i := range reliabilityRows {
		row := &reliabilityRows[i]
		t.Run(row.name, func(t *testing.T) {
			t.Parallel() // sleeps, for the most part
			plan := plan
			plan.answering = row.leastProcesses()
			o := plan.run(t, row, benchOurs)
			t.Log(o)
			if len(o.lost) > 0 {
				t.Errorf("lost: %s", describeShots(o.lost))
			}
		})
	}
}

// TestSoakReliability is a part of `make soak`: every row for a minute, over connections that are kept and over those that are not, with both
// modules. It writes docs/reliability.md and fails when a goal is missed.
func TestSoakReliability(t *testing.T) {
	if os.Getenv("MODWSGI_SOAK") == "" {
		t.Log("measuring is for `make soak`: it wants the machine for itself")
		return
	}
	length := time.Duration(benchNumber(t, "MODWSGI_SOAK_SECONDS", 60)) * time.Second
	plan := reliabilityPlan{quiet: max(length/4, 5*time.Second), changing: length, perSecond: benchNumber(t, "MODWSGI_SOAK_RATE", 1000), clients: 50}
	only := regexp.MustCompile(os.Getenv("MODWSGI_SOAK_ROW")) // a few rows of interest, with a report only if MODWSGI_SOAK_REPORT names one
	var measured []reliabilityResult
	for i := range reliabilityRows {
		for _, kind := range []string{"kept", "one-shot"} {
			row := &reliabilityRows[i]
			if !only.MatchString(row.name + ", " + kind) {
				continue
			}
			plan.oneShot = 0
			if kind == "one-shot" {
				plan.oneShot = plan.clients
			}
			result := reliabilityResult{row: row, connections: kind, outcomes: map[subject]*reliabilityOutcome{}}
			for _, who := range row.subjects() {
				t.Run(fmt.Sprintf("%s/%s/%s", row.name, kind, who), func(t *testing.T) {
					result.outcomes[who] = plan.run(t, row, who)
					t.Log(result.outcomes[who])
				})
			}
			measured = append(measured, result)
		}
	}
	times := measureReliabilityTimes(t, only)
	if os.Getenv("MODWSGI_SOAK_ROW") == "" || os.Getenv("MODWSGI_SOAK_REPORT") != "" {
		writeReliabilityReport(t, plan, measured, times)
	}
	checkReliabilityGoals(t, measured, times)
}

// A reliabilityResult is a row with one kind of connections.
type reliabilityResult struct {
	row         *reliabilityRow
	connections string
	outcomes    map[subject]*reliabilityOutcome
}

// A reliabilityOutcome is what the clients of one server noticed.
type reliabilityOutcome struct {
	quiet, changing []steadyload.Shot
	failed, lost    []steadyload.Shot // lost: failed without an excuse
	changes         int
	processes       int // that answered
}

func (o *reliabilityOutcome) String() string {
	reconnected := 0
	for _, s := range o.changing {
		if s.Reconnected {
			reconnected++
		}
	}
	return fmt.Sprintf("%d changes, %d processes: %d requests, %d failed, %d lost; p99 %v, quiet %v; longest %v, quiet %v; %d connections closed between requests",
		o.changes, o.processes, len(o.changing), len(o.failed), len(o.lost), ms(steadyload.Quantile(o.changing, 0.99)), ms(steadyload.Quantile(o.quiet, 0.99)),
		ms(steadyload.Quantile(o.changing, 1)), ms(steadyload.Quantile(o.quiet, 1)), reconnected)
}

func ms(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// tuning is what Debian's package sets; the server would otherwise have no room for children of two generations.
const reliabilityTuning = "StartServers 2\nMinSpareThreads 25\nMaxSpareThreads 75\nThreadLimit 64\nThreadsPerChild 25\nMaxRequestWorkers 150\n"

// run sends steady load to a server, first in quiet, then while the row's changes happen.
func (p reliabilityPlan) run(t *testing.T, row *reliabilityRow, who subject) *reliabilityOutcome {
	t.Helper()
	o := &reliabilityOutcome{}
	run := &reliabilityRun{server: row.start(t, who, row.options)}
	calm := run.server
	if row.quietOptions != "" {
		calm = row.start(t, who, row.quietOptions)
	}
	o.quiet = p.underLoad(calm, 0, func() { time.Sleep(p.quiet) })
	shots := p.underLoad(run.server, int64(len(o.quiet)), func() {
		p.changeUntil(t, row, run, time.Now().Add(p.changing))
		p.waitForProcesses(t, run.server)
	})
	o.changing, o.changes = shots, run.changes
	o.failed = steadyload.Failed(append(slices.Clip(o.changing), o.quiet...))
	for _, failed := range o.failed {
		if row.mayFail == nil || !row.mayFail(t, run, failed) {
			o.lost = append(o.lost, failed)
		}
	}
	answered := map[string]bool{}
	for _, s := range shots {
		if !s.Failed() {
			answered[s.Body] = true
		}
	}
	o.processes = len(answered)
	return o
}

// underLoad sends requests, half of them on connections of their own, while something is done. None may fail. It returns how many were served.
func underLoad(t *testing.T, s *apachetest.Server, path string, do func()) int64 {
	t.Helper()
	load := steadyload.Start(steadyload.Plan{Address: s.Addr(), Path: path, Clients: 4, PerSecond: 200, OneShot: 2, Patience: reliabilityPatience})
	do()
	shots := load.Stop()
	if failed := steadyload.Failed(shots); len(failed) > 0 {
		t.Errorf("requests meanwhile have failed: %s", describeShots(failed))
	}
	return int64(len(shots))
}

// start returns when the script has been loaded.
func (r *reliabilityRow) start(t *testing.T, who subject, options string) *apachetest.Server {
	t.Helper()
	s := apachetest.Start(t, r.config(t, who, options))
	apachetest.Eventually(t, 20*time.Second, "the server answers", func() bool { return s.Get(t, "/").Status == 200 })
	return s
}

// underLoad returns what was sent while something was done. first is the number of the first request.
func (p reliabilityPlan) underLoad(s *apachetest.Server, first int64, do func()) []steadyload.Shot {
	load := steadyload.Start(steadyload.Plan{Address: s.Addr(), Path: "/", Clients: p.clients, PerSecond: p.perSecond, OneShot: p.oneShot,
		Patience: reliabilityPatience, First: first})
	do()
	return load.Stop()
}

// waitForProcesses waits until the changes have had an effect: more processes have answered than the server has at a time.
func (p reliabilityPlan) waitForProcesses(t *testing.T, s *apachetest.Server) {
	t.Helper()
	if p.answering == 0 {
		return
	}
	apachetest.Eventually(t, 30*time.Second, fmt.Sprintf("%d processes have answered", p.answering), func() bool {
		answered := 0
		records, _ := filepath.Glob(filepath.Join(s.Root, "var", "requests-*"))
		for _, record := range records {
			if about, err := os.Stat(record); err == nil && about.Size() > 0 {
				answered++
			}
		}
		return answered >= p.answering
	})
}

func (p reliabilityPlan) changeUntil(t *testing.T, row *reliabilityRow, run *reliabilityRun, end time.Time) {
	t.Helper()
	every := row.every
	if p.every > 0 {
		every = p.every
	}
	for next := time.Now(); time.Now().Before(end); next = next.Add(every) {
		if row.change == nil {
			next = end
		}
		time.Sleep(time.Until(next))
		if row.change != nil && time.Now().Before(end) {
			row.change(t, run)
			run.changes++
		}
	}
}

// leastProcesses is more than the server has at a time.
func (r *reliabilityRow) leastProcesses() int {
	if strings.Contains(r.options, "processes=2") {
		return 3
	}
	return 2
}

func (r *reliabilityRow) subjects() []subject {
	if r.apache {
		return []subject{benchOurs, benchClassic, benchLimit}
	}
	return []subject{benchOurs, benchClassic}
}

func (r *reliabilityRow) config(t *testing.T, who subject, options string) apachetest.Config {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(apachetest.RepositoryRoot(), "testdata", "reliability", "steady.wsgi"))
	if err != nil {
		t.Fatal(err)
	}
	conf := "MaxKeepAliveRequests 0\nKeepAliveTimeout 60\n"
	c := apachetest.Config{Conf: conf + loadedAtStart, Daemon: options, Tuning: reliabilityTuning, LogLevel: "warn wsgi:info",
		Files: map[string]string{"steady.wsgi": string(script), "htdocs/index.html": "a page"}}
	if r.conf != "" {
		c.Conf = conf + r.conf
	}
	switch who {
	case benchOurs:
		c.Tolerate = killed
	case benchClassic:
		c.Module = apachetest.Classic()
		c.Daemon += " display-name=%{GROUP}" // which is how its processes are found
		c.Tolerate = []string{""}            // what it writes when it crashes is not for us to judge
	case benchLimit:
		c.Module, c.Conf, c.Daemon, c.Modules = apachetest.NoModule(), conf+"DirectoryIndex index.html\n", "", []string{"dir"}
		c.LogLevel = "warn"
	}
	return c
}

// describeShots are the first few.
func describeShots(shots []steadyload.Shot) string {
	var lines []string
	for _, s := range shots[:min(len(shots), 5)] {
		lines = append(lines, fmt.Sprintf("request %d, sent at %v: %d %v after %v", s.Number, ms(s.At), s.Status, s.Err, ms(s.Took)))
	}
	return fmt.Sprintf("%d requests\n%s", len(shots), strings.Join(slices.Clip(lines), "\n"))
}
