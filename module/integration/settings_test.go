package integration

import (
	"os"
	"testing"

	"modwsgi/module/apachetest"
)

// setting is where applications run: under which MPM, and embedded or in a process group.
type setting struct {
	mpm     apachetest.MPM
	options string // of the group's WSGIDaemonProcess; "" is embedded
}

func (s setting) String() string {
	if s.options == "" {
		return string(s.mpm)
	}
	return string(s.mpm) + " " + s.options
}

// of puts a server's applications there.
func (s setting) of(c apachetest.Config) apachetest.Config {
	c.MPM, c.Daemon = s.mpm, s.options
	return c
}

// embedded is embedded mode under each of these MPMs.
func embedded(mpms ...apachetest.MPM) []setting {
	var settings []setting
	for _, mpm := range mpms {
		settings = append(settings, setting{mpm: mpm})
	}
	return settings
}

// sizes are process groups, two and two of which have nothing in common.
var sizes = daemonMode(
	setting{apachetest.Event, "processes=2 threads=15"}, setting{apachetest.Prefork, "processes=1 threads=1"},
	setting{apachetest.Event, "processes=1 threads=1"}, setting{apachetest.Prefork, "processes=2 threads=15"},
)

// Process groups of one process, for applications that keep state.
var (
	manyThreads = daemonMode(setting{apachetest.Event, "processes=1 threads=15"})
	oneThread   = daemonMode(setting{apachetest.Prefork, "processes=1 threads=1"})
	singles     = append(manyThreads[:len(manyThreads):len(manyThreads)], oneThread...)
)

// daemonMode is empty as long as there is none.
func daemonMode(settings ...setting) []setting {
	if os.Getenv("MODWSGI_DAEMON_MODE") == "" {
		return nil
	}
	return settings
}

// both are embedded mode under some MPMs, and process groups.
func both(mpms []apachetest.MPM, groups []setting) []setting {
	return append(embedded(mpms...), groups...)
}

// inSettings runs a test in each of the settings.
func inSettings(t *testing.T, settings []setting, test func(t *testing.T, in setting)) {
	t.Helper()
	for _, in := range settings {
		t.Run(in.String(), func(t *testing.T) { test(t, in) })
	}
}
