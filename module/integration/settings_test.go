package integration

import (
	"slices"
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
var sizes = []setting{
	{apachetest.Event, "processes=2 threads=15"}, {apachetest.Prefork, "processes=1 threads=1"},
	{apachetest.Event, "processes=1 threads=1"}, {apachetest.Prefork, "processes=2 threads=15"},
}

// Process groups of one process, for applications that keep state.
var (
	manyThreads = []setting{{apachetest.Event, "processes=1 threads=15"}}
	oneThread   = []setting{{apachetest.Prefork, "processes=1 threads=1"}}
	singles     = slices.Concat(manyThreads, oneThread)
)

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
