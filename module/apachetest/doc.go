// Package apachetest starts real Apaches on loopback, in temporary folders, and speaks raw HTTP to them.
// It is what every black-box test of the module is written with; it is plain Go, without cgo.
//
// A server is described, started and forgotten; it is stopped, and its log examined, when the test ends:
//
//	func TestHelloIsServed(t *testing.T) {
//		s := apachetest.Start(t, apachetest.Config{
//			MPM:  apachetest.Event,
//			Conf: `WSGIScriptAlias / {{.Root}}/hello.wsgi`,
//			Files: map[string]string{"hello.wsgi": hello},
//		})
//		answer := s.Get(t, "/")
//		if answer.Status != 200 || string(answer.Body) != "hello" {
//			t.Errorf("unexpected answer:\n%s", answer)
//		}
//	}
//
// The configuration is a text/template. Its fields:
//
//	{{.Root}}    the server's own folder (ServerRoot), readable by everybody
//	{{.Apps}}    a copy of testdata/apps inside Root (children may run as www-data, the repository may be private)
//	{{.Htdocs}}  DocumentRoot
//	{{.Var}}     a folder that applications may write to
//	{{.Port}}    the port of 127.0.0.1 that the server listens on
//	{{port "x"}} another free port, named x; Server.PortOf("x") tells it to the test
//	{{.MPM}}, {{.Module}}, {{.Classic}} (true for the oracle), {{.Data}} (whatever the test puts there)
//
// Daemon mode: Config.Daemon has the options of a process group for the whole server. Server.Supervisors, Server.DaemonProcesses and
// Server.Holdings look at its processes; a server that leaves a process or a socket behind when it stops fails its test.
//
// Start modes: Foreground (default), Daemonized (-k start), Single (-X). Signals: Server.Graceful, Restart,
// GracefulStop, Stop; each waits, with a deadline, until it has happened. After a start or a restart the server accepts
// connections. Server.Children, ResidentKB, OpenFiles and Threads look at its processes; Server.Log, WaitLog and
// Mark at its error log.
//
// Ordinary requests: Server.Get and Server.Do. Exact bytes, pipelining, slow sending and half-closing: Server.Dial.
// A Response keeps its headers in order with duplicates, and says how it ended (Complete, Cut, NoTerminator, …).
//
// Comparing with the classic module: StartPair and Pair.Compare; what may differ is listed in docs/differences.md.
//
// Environment: MODWSGI_SO (the module to test instead of build/mod_wsgi.so), MODWSGI_KEEP=1 (keep the temporary
// folders), MODWSGI_HTTPD_ENV ("NAME=value NAME=value": more environment for the servers with our module; make sanitize).
package apachetest
