package integration

import (
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// How long single events take: the other half of docs/reliability.md's rows.

// A reliabilityTime is the longest of a few attempts with each module.
type reliabilityTime struct {
	name     string
	attempts int
	// goal is what ours may take; 0: no limit.
	goal time.Duration
	// measure returns false for what had not happened within timeLimit.
	measure func(t *testing.T, who subject) (time.Duration, bool)
	took    map[subject]time.Duration
	endless map[subject]bool
}

// timeLimit is how long is waited for what may never happen.
const timeLimit = 20 * time.Second

var reliabilityTimes = []reliabilityTime{
	{name: "answer to a request that sleeps, request-timeout=1", attempts: 1, measure: stuckRequest("/sleep?60", "processes=1 threads=1 request-timeout=1")},
	{name: "answer to a request that holds Python's lock, request-timeout=1", attempts: 1,
		measure: stuckRequest("/stuck?60", "processes=1 threads=1 request-timeout=1")},
	{name: "apachectl stop, two sub-interpreters, embedded", attempts: 5, goal: 2 * time.Second, measure: stopWithInterpreters("")},
	{name: "apachectl stop, two sub-interpreters in a process group", attempts: 5, goal: 2 * time.Second, measure: stopWithInterpreters("processes=1 threads=5")},
}

// timeServer is one of a module's; what it says when it crashes or is killed is not for us to judge.
func timeServer(t *testing.T, who subject, c apachetest.Config) *apachetest.Server {
	t.Helper()
	c.Tolerate = killed
	if who == benchClassic {
		c.Module, c.Tolerate = apachetest.Classic(), []string{""}
	}
	s := apachetest.Start(t, c)
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

func measureReliabilityTimes(t *testing.T, only *regexp.Regexp) []reliabilityTime {
	t.Helper()
	var measured []reliabilityTime
	for _, row := range reliabilityTimes {
		if !only.MatchString(row.name) {
			continue
		}
		row.took, row.endless = map[subject]time.Duration{}, map[subject]bool{}
		for _, who := range []subject{benchOurs, benchClassic} {
			t.Run(row.name+"/"+string(who), func(t *testing.T) { row.attempt(t, who) })
		}
		measured = append(measured, row)
	}
	return measured
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
