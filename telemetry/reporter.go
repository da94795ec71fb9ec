package telemetry

import (
	"time"

	"modwsgi/directives"
	"modwsgi/interp"
)

// Start begins to report what the configuration wants reported of this process, in which Python runs. To be called once, before there are
// requests.
func Start(settings *directives.ProcessSettings) {
	if settings.SlowRequests > 0 {
		startSlowWatch(settings.SlowRequests)
	}
}

func startSlowWatch(limit time.Duration) {
	w := newSlowWatch(limit)
	interp.WatchRequests(limit, w.finished)
	go w.run()
}
