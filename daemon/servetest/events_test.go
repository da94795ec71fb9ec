package servetest

import (
	"syscall"
	"testing"

	"modwsgi/daemon"
)

// subscriber is an application that logs what it is told of its process.
func subscriber(t *testing.T) string {
	return script(t,
		"import mod_wsgi, sys, threading",
		"def tell(name, **payload):",
		"    if name.startswith('process_'):",
		"        where = 'on the main thread' if threading.current_thread() is threading.main_thread() else 'on another thread'",
		"        print('told of', name, sorted(payload.items()), where, file=sys.stderr)",
		"def application(environ, start_response):",
		"    start_response('200 OK', [])",
		"    return [b'here']",
		"mod_wsgi.subscribe_shutdown(tell)",
		"mod_wsgi.subscribe_signals(tell)",
	)
}

func TestSubscribersAreToldWhyTheProcessStops(t *testing.T) {
	for _, c := range []struct {
		options, reason string
		cause           func(t *testing.T, p *Process, script string)
	}{
		{"threads=2", "shutdown_signal", func(t *testing.T, p *Process, script string) { p.Signal(syscall.SIGTERM) }},
		{"threads=1 maximum-requests=1", "maximum_requests", func(t *testing.T, p *Process, script string) {
			answers(t, p, script, "here")
			must(t, p.Expect(daemon.Due, "maximum_requests"))
			must(t, p.Order(daemon.Retire, "maximum_requests"))
		}},
		{"threads=1 inactivity-timeout=1", "inactivity_timeout", func(t *testing.T, p *Process, script string) { answers(t, p, script, "here") }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			path := subscriber(t)
			p := begin(t, c.options, imports(path))
			must(t, p.Expect(daemon.Ready, ""))
			c.cause(t, p, path)
			must(t, p.ExpectLog("told of process_stopping [('shutdown_reason', '"+c.reason+"')] on the main thread"))
			must(t, p.ExpectEnd(0))
		})
	}
}

func TestSubscribersAreToldOfSignals(t *testing.T) {
	p := begin(t, "threads=1", imports(subscriber(t)))
	must(t, p.Expect(daemon.Ready, ""))
	p.Signal(syscall.SIGHUP)
	must(t, p.ExpectLog("told of process_signal [('signame', 'SIGHUP'), ('signum', 1)] on another thread"))
	p.Signal(syscall.SIGUSR2)
	must(t, p.ExpectLog("told of process_signal [('signame', 'SIGUSR2'), ('signum', 12)] on another thread"))
	p.Signal(syscall.SIGTERM)
	must(t, p.ExpectEnd(0))
}

func TestSubscribersAreToldBeforeRequestsAreWaitedFor(t *testing.T) {
	mark := flag(t)
	path := script(t,
		"import mod_wsgi, threading",
		"stopping = threading.Event()",
		"@mod_wsgi.subscribe_shutdown",
		"def stop(name, **payload):",
		"    stopping.set()",
		"def application(environ, start_response):",
		"    "+create(mark),
		"    stopping.wait()",
		"    start_response('200 OK', [])",
		"    return [b'finished']",
	)
	p := begin(t, "threads=1 shutdown-timeout=60")
	must(t, p.Expect(daemon.Ready, ""))
	call, err := p.Send(path)
	must(t, err)
	begun(t, mark)
	p.Signal(syscall.SIGTERM)
	reply, err := call.Reply()
	must(t, err)
	if reply.Body != "finished" {
		t.Errorf("%+v", reply)
	}
	must(t, p.ExpectEnd(0))
}
