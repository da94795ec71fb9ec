package integration

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// What applications learn of their process and server: reference runtime.md, 4.4 (process_stopping), 4.7 (server_metrics), 4.1, 4.8, 1.10.

const stoppingScript = `import mod_wsgi, os

@mod_wsgi.subscribe_shutdown
def stopping(name, **payload):
    with open(os.path.join(os.path.dirname(__file__), "var", "stopped"), "a") as f:
        f.write("%s %s\n" % (name, sorted(payload.items())))

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"running"]
`

func TestSubscribersAreToldThatTheirProcessStops(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		for _, exitFunctions := range []string{"On", "Off"} {
			t.Run("exit functions "+exitFunctions, func(t *testing.T) {
				s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"stopping.wsgi": stoppingScript}, Conf: "WSGIDestroyInterpreter " + exitFunctions + `
WSGIScriptAlias /main {{.Root}}/stopping.wsgi application-group=%{GLOBAL}
WSGIScriptAlias /sub {{.Root}}/stopping.wsgi application-group=sub
`}))
				expectBody(t, s, "/main", "running")
				expectBody(t, s, "/sub", "running")
				s.GracefulStop()
				s.WaitStopped(t, 20*time.Second)
				reason := ""
				if in.options != "" {
					reason = "shutdown_signal"
				}
				line := "process_stopping [('shutdown_reason', '" + reason + "')]\n"
				if got, _ := s.ReadFile("var/stopped"); got != line+line {
					t.Errorf("subscribers were told\n%s", got)
				}
			})
		}
	})
}

const scoreScript = `import json, mod_wsgi

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [json.dumps(mod_wsgi.server_metrics()).encode()]
`

// scoreboard is what server_metrics() says, as far as the test looks at it.
type scoreboard struct {
	ServerLimit int     `json:"server_limit"`
	RestartTime float64 `json:"restart_time"`
	CurrentTime float64 `json:"current_time"`
	Processes   []struct {
		PID       int
		Quiescing bool
		Workers   []struct {
			Status, Request, Client, VHost string
		}
	}
}

func TestServerMetricsShowWhoAsks(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		if in.options != "" {
			in.options += " server-metrics=On"
		}
		s := apachetest.Start(t, in.of(apachetest.Config{Files: map[string]string{"score.wsgi": scoreScript},
			Conf: "ExtendedStatus On\nWSGIServerMetrics On\nWSGIScriptAlias / {{.Root}}/score.wsgi\n"}))
		var found scoreboard
		r := s.Get(t, "/who-asks")
		if err := json.Unmarshal(r.Body, &found); err != nil {
			t.Fatal(err, r)
		}
		busy := 0
		for _, p := range found.Processes {
			for _, w := range p.Workers {
				if w.Status == "W" && strings.HasPrefix(w.Request, "GET /who-asks") && w.Client == "127.0.0.1" && p.PID > 0 && !p.Quiescing {
					busy++
				}
			}
		}
		if busy != 1 || len(found.Processes) != found.ServerLimit {
			t.Errorf("%d workers have this request:\n%s", busy, r)
		}
		if now := float64(time.Now().Unix()); found.CurrentTime < now-10 || found.RestartTime > found.CurrentTime || found.RestartTime < now-600 {
			t.Errorf("times %v, %v", found.RestartTime, found.CurrentTime)
		}
	})
}

func TestServerMetricsAreOnlyForThoseWhoMayKnow(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Files: map[string]string{"score.wsgi": scoreScript}, Conf: `
WSGIDaemonProcess may server-metrics=On
WSGIDaemonProcess not
WSGIScriptAlias /may {{.Root}}/score.wsgi process-group=may application-group=%{GLOBAL}
WSGIScriptAlias /not {{.Root}}/score.wsgi process-group=not application-group=%{GLOBAL}
WSGIScriptAlias /embedded {{.Root}}/score.wsgi process-group=%{GLOBAL} application-group=%{GLOBAL}
`})
	expectBody(t, s, "/not", "null")
	expectBody(t, s, "/embedded", "null")
	if r := s.Get(t, "/may"); !strings.HasPrefix(string(r.Body), `{"server_limit"`) {
		t.Error(r)
	}
}

const handlerScript = `import logging, mod_wsgi

logger = logging.getLogger("handler")
logger.setLevel(logging.DEBUG)
logger.addHandler(mod_wsgi.LogHandler())
formatted = []

class Costly:
    def __str__(self):
        formatted.append(1)
        return "app: costly"

def application(environ, start_response):
    logger.info("app: information")
    logger.debug(Costly())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(formatted)).encode()]
`

func TestLogHandlerKnowsTheLevelOfTheRequestsLog(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"handler.wsgi": handlerScript}, Conf: `
ErrorLogFormat "%l %F %M"
WSGIApplicationGroup sub
WSGIScriptAlias / {{.Root}}/handler.wsgi
<Location /information>
    LogLevel wsgi:info
</Location>
<Location /everything>
    LogLevel wsgi:debug
</Location>
`}))
		mark := s.Mark()
		expectBody(t, s, "/", "0")
		expectBody(t, s, "/information", "0")
		if line := mark.Wait(t, "app: information"); line != "info handler.wsgi(14) app: information" {
			t.Errorf("the line is %q", line)
		}
		if n := strings.Count(mark.Since(), "app: "); n != 1 {
			t.Errorf("%d lines were logged:\n%s", n, mark.Since())
		}
		expectBody(t, s, "/everything", "1")
		mark.Wait(t, "^debug .*app: costly")
	})
}

const encryptionScript = `
def application(environ, start_response):
    connection = start_response.__self__
    values = [connection.ssl_is_https(), connection.ssl_var_lookup("SSL_PROTOCOL"), connection.ssl_var_lookup(b"HTTPS"), connection.ssl_var_lookup("NO_SUCH")]
    try:
        connection.ssl_var_lookup(7)
    except TypeError:
        values.append("TypeError")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(values).encode()]
`

func TestApplicationsCanAskForTheEncryptionOfTheirConnection(t *testing.T) {
	certPEM, keyPEM, pool := certificate(t)
	inSettings(t, both([]apachetest.MPM{apachetest.Event, apachetest.Prefork}, manyThreads), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{
			Modules: []string{"ssl", "socache_shmcb"},
			Files:   map[string]string{"cert.pem": certPEM, "key.pem": keyPEM, "encryption.wsgi": encryptionScript},
			Conf: `
Listen 127.0.0.1:{{port "tls"}} https
WSGIScriptAlias / {{.Root}}/encryption.wsgi
<VirtualHost 127.0.0.1:{{port "tls"}}>
    SSLEngine on
    SSLCertificateFile {{.Root}}/cert.pem
    SSLCertificateKeyFile {{.Root}}/key.pem
</VirtualHost>
`}))
		port, err := s.PortOf("tls")
		if err != nil {
			t.Fatal(err)
		}
		plain, secure := "[0, '', 'off', '', 'TypeError']", "[1, 'TLSv1.3', 'on', '', 'TypeError']"
		if in.options != "" { // the client's connection is not the process's
			plain = "[0, None, None, None, 'TypeError']"
			secure = plain
		}
		expectBody(t, s, "/", plain)
		r := apachetest.DoAddr(t, "127.0.0.1:"+strconv.Itoa(port), &tls.Config{RootCAs: pool, ServerName: "localhost"}, get("/"))
		if string(r.Body) != secure {
			t.Errorf("over TLS:\n%s", r)
		}
	})
}

func TestInstalledPackagesOfTheModulesNames(t *testing.T) {
	const script = `
import apache, importlib, mod_wsgi

def application(environ, start_response):
    try:
        express = importlib.import_module("mod_wsgi.express").WHERE
    except ImportError as problem:
        express = type(problem).__name__
    values = [mod_wsgi.version, express, getattr(apache, "mine", None), apache.mpm_name, hasattr(mod_wsgi, "of_the_package")]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(values).encode()]
`
	works := map[string]string{"mod_wsgi/__init__.py": "of_the_package = 1\n", "mod_wsgi/express.py": "WHERE = 'package'\n", "apache.py": "mine = 1\n"}
	fails := map[string]string{"mod_wsgi/__init__.py": "import nothing_of_that_name\n", "apache.py": "raise ValueError('no apache')\n"}
	for name, c := range map[string]struct {
		files            map[string]string
		embedded, daemon string
		logs             []string
	}{
		"there are some": {works, "[(6, 0, 5), 'package', 1, 'event', False]", "[(6, 0, 5), 'package', None, 'event', False]", nil},
		"they fail": {fails, "[(6, 0, 5), 'ModuleNotFoundError', None, 'event', False]", "[(6, 0, 5), 'ModuleNotFoundError', None, 'event', False]",
			[]string{"WSGI0188: cannot import the installed package mod_wsgi: ModuleNotFoundError was raised, in the main interpreter", "No module named 'nothing_of_that_name'"}},
	} {
		t.Run(name, func(t *testing.T) {
			packages := openFolder(t)
			if err := os.Mkdir(packages+"/mod_wsgi", 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range c.files {
				writeOpenFile(t, packages+"/"+name, text)
			}
			inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
				s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"names.wsgi": script}, Env: []string{"PYTHONPATH=" + packages},
					Conf: "WSGIScriptAlias /main {{.Root}}/names.wsgi application-group=%{GLOBAL}\nWSGIScriptAlias /sub {{.Root}}/names.wsgi application-group=sub\n"}))
				want := c.embedded
				if in.options != "" {
					want = c.daemon
				}
				expectBody(t, s, "/main", want)
				expectBody(t, s, "/sub", want)
				for _, text := range c.logs {
					s.MarkStart("error.log").Wait(t, text)
				}
			})
		})
	}
}
