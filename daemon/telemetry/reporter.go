package telemetry

import (
	"fmt"

	"modwsgi/directives"
	"modwsgi/interp"
)

// A Reporter reports what happens in this process. All its methods may be called by any goroutine, and of a nil Reporter, which reports nothing.
type Reporter struct {
	slow    *slowWatch
	service *service
}

// Start begins to report what the configuration wants reported of this process, in which Python runs, with so many request threads at most; group is
// its process group, "" in a child of Apache's. To be called once, before there are requests. warn writes a warning to the error log.
func Start(config *directives.Config, group string, threads int, warn func(string)) *Reporter {
	r, settings := &Reporter{}, &config.Process
	if settings.TelemetryTarget != "" {
		r.service = startService(settings, identify(config.Facts, group), threads, warn)
	}
	if settings.SlowRequests > 0 {
		r.slow = newSlowWatch(settings.SlowRequests)
		interp.WatchRequests(settings.SlowRequests, r.slowFinished)
		go r.slow.run()
	}
	return r
}

func startService(settings *directives.ProcessSettings, process identity, threads int, warn func(string)) *service {
	s, err := newService(settings.TelemetryTarget)
	if err != nil {
		warn(fmt.Sprintf("WSGI0132: this process sends no telemetry: %v (WSGITelemetryService unix:%s)", err, settings.TelemetryTarget))
		return nil
	}
	s.identity, s.warn, s.interval, s.slow, s.agents = process, warn, settings.TelemetryInterval, settings.SlowRequests, settings.CaptureUserAgent
	s.over = newRecent(threads, s.interval, s.slow)
	interp.RecordForTelemetry()
	go s.run()
	return s
}

// slowFinished says what to log of a slow request that is over.
func (r *Reporter) slowFinished(g *interp.Glimpse) string {
	if r.service != nil {
		r.service.over.add(g)
	}
	return r.slow.finished(g)
}

// Stopping says that the process is to end; the first reason counts.
func (r *Reporter) Stopping(reason string) {
	if r != nil && r.service != nil {
		r.service.stop(reason)
	}
}

// Stopped says that the process ends now, once, and whether everything was done that it had to wait for.
func (r *Reporter) Stopped(drained bool) {
	if r != nil && r.service != nil {
		r.service.end(drained)
	}
}
