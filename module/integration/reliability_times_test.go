package integration

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"modwsgi/daemon/admin"
	"modwsgi/module/apachetest"
)

// How long single events take: a section of docs/reliability.md.

// A reliabilityTime is the longest of a few attempts with each module.
type reliabilityTime struct {
	name     string
	attempts int
	// goal is what ours may take; 0: no limit.
	goal time.Duration
	only subject // "": both modules can do it
	// measure returns false for what had not happened within timeLimit.
	measure func(t *testing.T, who subject) (time.Duration, bool)
	took    map[subject]time.Duration
	endless map[subject]bool
}

const stopGoal = 2 * time.Second

// timeLimit is how long is waited for what may never happen.
const timeLimit = 20 * time.Second

var reliabilityTimes = []reliabilityTime{
	{name: "answer to a request that sleeps, request-timeout=1", attempts: 1, measure: stuckRequest("/sleep?60", "processes=1 threads=1 request-timeout=1")},
	{name: "answer to a request that holds Python's lock, request-timeout=1", attempts: 1,
		measure: stuckRequest("/stuck?60", "processes=1 threads=1 request-timeout=1")},
	{name: "apachectl stop, two sub-interpreters, embedded", attempts: 5, goal: stopGoal, measure: stopWithInterpreters("")},
	{name: "apachectl stop, two sub-interpreters in a process group", attempts: 5, goal: stopGoal, measure: stopWithInterpreters("processes=1 threads=5")},
	{name: "`mod_wsgi-daemon restart` of a group of two processes", attempts: 5, only: benchOurs, measure: restartGroup},
}

// timeServer has answered; its processes may be killed.
func timeServer(t *testing.T, who subject, c apachetest.Config) *apachetest.Server {
	t.Helper()
	c.Tolerate = killed
	s := apachetest.Start(t, compared(who, c))
	apachetest.Eventually(t, 20*time.Second, "the server answers", func() bool { return s.Get(t, "/pid").Status == 200 })
	return s
}

// stuckRequest measures until a request has any answer.
func stuckRequest(path, options string) func(*testing.T, subject) (time.Duration, bool) {
	return func(t *testing.T, who subject) (time.Duration, bool) {
		s := timeServer(t, who, apachetest.Config{Daemon: options, Conf: daemonApp + "WSGIApplicationGroup %{GLOBAL}\n", LogLevel: "warn wsgi:info"})
		client := &http.Client{Timeout: timeLimit, Transport: &http.Transport{DisableKeepAlives: true}}
		began := time.Now()
		answer, err := client.Get(s.URL(path))
		took := time.Since(began)
		if err != nil {
			return took, false
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		t.Logf("%s: status %d after %v", who, answer.StatusCode, ms(took))
		return took, true
	}
}

func stopWithInterpreters(options string) func(*testing.T, subject) (time.Duration, bool) {
	return func(t *testing.T, who subject) (time.Duration, bool) {
		s := timeServer(t, who, apachetest.Config{Daemon: options, OneChild: true,
			Conf: "WSGIApplicationGroup one\nWSGIScriptAlias /two {{.Apps}}/daemon.wsgi application-group=two\n" + daemonApp})
		for _, path := range []string{"/two/pid", "/pid"} {
			if r := s.Get(t, path); r.Status != 200 {
				t.Errorf("%s:\n%s", path, r)
			}
		}
		s.Settle(s.Pid())
		return s.TimeToStop(timeLimit)
	}
}

// restartGroup measures until both processes are replaced.
func restartGroup(t *testing.T, who subject) (time.Duration, bool) {
	s := timeServer(t, who, apachetest.Config{Daemon: "processes=2 threads=5", Conf: daemonApp})
	apachetest.Eventually(t, 20*time.Second, "both processes are ready", func() bool {
		members := look(t, s).Groups[0].Members
		return len(members) == 2 && members[0].State == admin.Ready && members[1].State == admin.Ready
	})
	group := look(t, s).Groups[0].Name
	began := time.Now()
	status, out, errors := administer(t, s, "restart", group)
	took := time.Since(began)
	if status != 0 {
		t.Errorf("status %d: %s%s", status, out, errors)
	}
	return took, true
}

func measureReliabilityTimes(t *testing.T, _ reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	section := reliabilitySection{title: "How long it takes", method: fmt.Sprintf("The longest of a few attempts. The goal of both ways to stop is %v.\n\n", stopGoal),
		columns: "| What | Ours | Classic |\n|---|---:|---:|\n"}
	for _, row := range reliabilityTimes {
		if !only.MatchString(row.name) {
			continue
		}
		row.took, row.endless = map[subject]time.Duration{}, map[subject]bool{}
		for _, who := range bothModules {
			if row.only == "" || row.only == who {
				t.Run(row.name+"/"+string(who), func(t *testing.T) {
					row.attempt(t, who)
					if who == benchOurs && (row.endless[who] || row.goal > 0 && row.took[who] > row.goal) {
						t.Errorf("%s, the goal is %v", row.cell(who), row.goal)
					}
				})
			}
		}
		section.add(row.name, row.cell(benchOurs), row.cell(benchClassic))
	}
	return section
}

func (r *reliabilityTime) cell(who subject) string {
	switch took, measured := r.took[who]; {
	case r.endless[who]:
		return fmt.Sprintf("not within %v", timeLimit)
	case measured:
		return shown(took)
	}
	return "–"
}

func (r *reliabilityTime) attempt(t *testing.T, who subject) {
	for range r.attempts {
		took, done := r.measure(t, who)
		r.took[who] = max(r.took[who], took)
		r.endless[who] = r.endless[who] || !done
	}
	t.Logf("%v, happened: %v", ms(r.took[who]), !r.endless[who])
}

func TestStoppingWithInterpretersTakesNoTime(t *testing.T) {
	for _, row := range reliabilityTimes {
		if row.goal == 0 {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if took, done := row.measure(t, benchOurs); !done || took > 2*row.goal {
				t.Errorf("it took %v", took)
			}
		})
	}
}
