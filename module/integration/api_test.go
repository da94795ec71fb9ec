package integration

import (
	"slices"
	"testing"

	"modwsgi/module/apachetest"
)

// What the modules mod_wsgi and apache give an application: reference runtime.md, section 4.

// apiCases ask testdata/apps/api.wsgi, one after the other: it keeps what it was told.
type apiCases []testCase

// run has them answered by one process each time, and compares with the classic module unless oursOnly.
func (cases apiCases) run(t *testing.T, name string, config apachetest.Config, options string, oursOnly bool) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		if in.options != "" {
			in.options += " " + options
		}
		config := in.of(config)
		config.OneChild = true
		var pair *apachetest.Pair
		var ours *apachetest.Server
		if oursOnly {
			ours = apachetest.Start(t, config)
		} else {
			pair = apachetest.StartPair(t, config, listed)
			ours = pair.Ours
		}
		for _, c := range cases {
			c.wants = slices.Concat(c.wants, map[bool][]want{false: c.embedded, true: c.daemon}[in.options != ""])
			t.Run(c.name, func(t *testing.T) { c.run(t, name, pair, ours) })
		}
	})
}

func TestTheAPIHasWhatTheClassicModuleHas(t *testing.T) {
	apiCases{
		{name: "attributes", request: get("/attributes")},
		{name: "apache", request: get("/apache")},
		{name: "names", request: get("/names?common")},
		{name: "request_data", request: get("/request_data"), wants: is(body(`[{"key": "value"}, true, ["RuntimeError"]]`))},
		{name: "active_requests", request: get("/active_requests"), wants: is(body(`[true, [{"mine": true}]]`))},
		{name: "file_wrapper", request: get("/file_wrapper"), wants: is(body("[true]"))},
		{name: "recording", request: get("/start"), wants: is(body("null"))},
		{name: "request_metrics", request: get("/request_metrics?common"), wants: is(status(200))},
		{name: "process_metrics", request: get("/process_metrics?common"), wants: is(status(200))},
		{name: "server_metrics", request: get("/server_metrics"), wants: is(status(200))},
		{name: "subscribe", request: get("/subscribe?common"), wants: is(body("[1, 1]"))},
		{name: "work", request: post("/do_work", "body"), wants: is(body("abcd"))},
		{name: "events of work", request: get("/told?common"), wants: is(status(200))},
		{name: "more work", request: post("/do_work", "body"), wants: is(body("abcd"))},
		{name: "totals of work", request: get("/totals"), wants: is(status(200))},
		{name: "failure", request: get("/do_fail"), wants: is(status(500))},
		{name: "events of a failure", request: get("/told?common"), wants: is(status(200))},
		{name: "replacement", request: get("/do_replace"), wants: is(body("subscribed"))},
		{name: "replaced", request: get("/do_work?replaced"), wants: is(body("replaced: abcd"))},
	}.run(t, "api", apachetest.Config{Conf: "WSGIServerMetrics On\nWSGIScriptAlias / {{.Apps}}/api.wsgi application-group=%{GLOBAL}\n"}, "server-metrics=On", false)
}

func TestTheAPIHasWhatIsNewInItsRelease(t *testing.T) {
	apiCases{
		{name: "names", request: get("/names"), wants: is(body(`["FileWrapper", "LogHandler", "RequestTimeout", "active_requests", "application_group", "event_callbacks", "maximum_processes", ` +
			`"process_group", "process_metrics", "request_data", "request_metrics", "server_metrics", "shutdown_callbacks", "signal_callbacks", "start_recording_metrics", ` +
			`"subscribe_events", "subscribe_shutdown", "subscribe_signals", "threads_per_process", "version"]`))},
		{name: "metrics before they are recorded", request: get("/metrics_before"), wants: is(body("[null, null]"))},
		{name: "server_metrics where they are off", request: get("/server_metrics"), wants: is(body("null"))},
		{name: "subscribe", request: get("/subscribe"), wants: is(body("[1, 1, true, true]"))},
		{name: "work", request: post("/do_work", "body"), wants: is(body("abcd"))},
		{name: "events of work", request: get("/told"), wants: is(body(`[["response_started", ["exception_info", "request_data", "request_id", "response_headers", "response_status"]], ` +
			finishedEvent + `, ` + startedEvent + `, ["response_started", ["exception_info", "request_data", "request_id", "response_headers", "response_status"]], ` + finishedEvent + `]`))},
		{name: "more work", request: post("/do_work", "body")},
		{name: "totals of work", request: get("/totals"), embedded: is(body(`[0, 0, false, 4, 4, 2, true, true, "POST", true]`)),
			daemon: is(body(`[0, 1, true, 4, 4, 2, true, true, "POST", true]`))},
	}.run(t, "api of 6.0", apachetest.Config{Conf: "WSGIScriptAlias / {{.Apps}}/api.wsgi application-group=sub\n"}, "", true)
}

const (
	startedEvent = `["request_started", ["application_object", "application_start", "callable_object", "daemon_connects", "daemon_restarts", "daemon_start", "queue_start", "request_data", ` +
		`"request_environ", "request_id", "request_start", "server_pid", "thread_id"]]`
	finishedEvent = `["request_finished", ["application_finish", "application_time", "daemon_start", "gil_wait_count", "gil_wait_time", "input_length", "input_reads", "input_time", ` +
		`"output_length", "output_time", "output_writes", "queue_start", "request_data", "request_id", "request_start", "server_pid", "status", "thread_id"]]`
)
