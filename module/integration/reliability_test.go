package integration

import (
	"fmt"
	"os"
	"path/filepath"
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
	perSecond       int           // requests, evenly spaced; 0: as many as are answered
	clients         int
	oneShot         int // of the clients
	// others is the part of the time with changes that servers get which are there for comparison only; 0: all of it.
	others int
	// answering processes are waited for after the changes, which take their time on a busy machine; 0: nothing is waited for.
	answering int
}

// of is the plan for one of the servers. Ours has goals to meet, so it takes its time.
func (p reliabilityPlan) of(who subject) reliabilityPlan {
	if who != benchOurs && p.others > 0 {
		p.changing = max(p.changing/time.Duration(p.others), time.Second)
	}
	return p
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
	conf := "MaxKeepAliveRequests 0\nKeepAliveTimeout 60\n"
	c := compared(who, apachetest.Config{Conf: conf + loadedAtStart, Daemon: options, Tuning: reliabilityTuning, LogLevel: "warn wsgi:info", Tolerate: killed,
		Files: map[string]string{"steady.wsgi": steadyScript(t), "htdocs/index.html": "a page"}})
	if r.conf != "" {
		c.Conf = conf + r.conf
	}
	switch who {
	case benchClassic:
		c.Daemon += nameOfClassicProcesses
	case benchLimit:
		c.Module, c.Conf, c.Daemon, c.Modules = apachetest.NoModule(), conf+"DirectoryIndex index.html\n", "", []string{"dir"}
		c.LogLevel = "warn" // it knows no other module
	}
	return c
}

func steadyScript(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(apachetest.RepositoryRoot(), "testdata", "reliability", "steady.wsgi"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// describeShots are the first few.
func describeShots(shots []steadyload.Shot) string {
	var lines []string
	for _, s := range shots[:min(len(shots), 5)] {
		lines = append(lines, fmt.Sprintf("request %d, sent at %v: %d %v after %v", s.Number, ms(s.At), s.Status, s.Err, ms(s.Took)))
	}
	return fmt.Sprintf("%d requests\n%s", len(shots), strings.Join(slices.Clip(lines), "\n"))
}
