package integration

import (
	"regexp"
	"testing"

	"modwsgi/module/apachetest"
)

// Directives that concern interpreters and processes, in embedded mode and in process groups.

const importedScript = `import sys
sys.imported = getattr(sys, "imported", []) + [__name__.startswith("_mod_wsgi_")]
print("app: imported")
`

func TestImportScriptsRunBeforeTheFirstRequestInTheirInterpreter(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		t.Parallel()
		group := "%{GLOBAL}"
		if in.options != "" {
			group = apachetest.ProcessGroup
		}
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"imported.py": importedScript}, Conf: `
WSGIImportScript {{.Root}}/imported.py process-group=` + group + ` application-group=%{GLOBAL}
WSGIImportScript {{.Root}}/imported.py process-group=` + group + ` application-group=sub
WSGIScriptAlias /main {{.Apps}}/evaluate.wsgi application-group=%{GLOBAL}
WSGIScriptAlias /sub {{.Apps}}/evaluate.wsgi application-group=sub
WSGIScriptAlias /other {{.Apps}}/evaluate.wsgi application-group=other
`}))
		s.WaitLog(t, "app: imported") // without any request
		for path, want := range map[string]string{"/main": "[True]\n", "/sub": "[True]\n", "/other": "None\n"} {
			expectBody(t, s, path+"?getattr(sys,'imported',None)", want)
		}
	})
}

func TestOptionsOfSectionsAndSwitchIntervalsActWhereTheySay(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{OneChild: true, LogLevel: "warn", Conf: `
WSGIDaemonProcess plain processes=1 threads=2
WSGIDaemonProcess paced processes=1 threads=2 switch-interval=0.02 python-path={{.Root}}/group
WSGIDaemonProcess chosen processes=1 threads=2 switch-interval=0.02
WSGISwitchInterval 0.011
WSGIPythonPath {{.Root}}/embedded
<WSGIInterpreterOptions process-group=chosen>
    WSGISwitchInterval 0.033
    WSGIPythonPath {{.Root}}/chosen
    WSGIRestrictStdout On
</WSGIInterpreterOptions>
<WSGIInterpreterOptions process-group=chosen application-group=sub>
    WSGIPythonPath {{.Root}}/sub
    WSGIRestrictStdout Off
    WSGIRestrictStdin On
</WSGIInterpreterOptions>
<WSGIInterpreterOptions process-group=%{GLOBAL}>
    WSGIRestrictStdin On
</WSGIInterpreterOptions>
WSGIScriptAlias /embedded {{.Apps}}/evaluate.wsgi process-group=%{GLOBAL} application-group=%{GLOBAL}
WSGIScriptAlias /plain {{.Apps}}/evaluate.wsgi process-group=plain application-group=%{GLOBAL}
WSGIScriptAlias /paced {{.Apps}}/evaluate.wsgi process-group=paced application-group=%{GLOBAL}
WSGIScriptAlias /paced-sub {{.Apps}}/evaluate.wsgi process-group=paced application-group=sub
WSGIScriptAlias /chosen {{.Apps}}/evaluate.wsgi process-group=chosen application-group=%{GLOBAL}
WSGIScriptAlias /chosen-sub {{.Apps}}/evaluate.wsgi process-group=chosen application-group=sub
`})
	ask := func(path, expression, want string) {
		t.Helper()
		expectBody(t, s, path+"?"+expression, want+"\n")
	}
	for path, interval := range map[string]string{"/embedded": "0.011", "/plain": "0.005", "/paced": "0.02", "/paced-sub": "0.02", "/chosen": "0.033", "/chosen-sub": "0.033"} {
		ask(path, "sys.getswitchinterval()", interval)
	}
	for path, streams := range map[string]string{"/embedded": "Restricted TextIOWrapper", "/plain": "TextIOWrapper TextIOWrapper",
		"/chosen": "TextIOWrapper Restricted", "/chosen-sub": "Restricted TextIOWrapper"} {
		ask(path, "type(sys.stdin).__name__+'%20'+type(sys.stdout).__name__", "'"+streams+"'")
	}
	for path, folders := range map[string]string{"/embedded": "embedded", "/plain": "", "/paced": "group", "/chosen": "chosen", "/chosen-sub": "sub chosen"} {
		ask(path, "'%20'.join(os.path.basename(d)for%20d%20in%20sys.path%20if%20d.startswith(os.path.dirname(os.path.dirname(__file__))))", "'"+folders+"'")
	}
}

// WSGIErrorOverride is of daemon mode: an embedded application's page is its own.
func TestErrorPagesOfEmbeddedApplicationsAreTheirOwn(t *testing.T) {
	config := answersConfig(`
ErrorDocument 404 "our own 404"
<Location /app>
    WSGIErrorOverride On
</Location>
`)
	config.Daemon = ""
	pair := apachetest.StartPair(t, config, listed)
	testCase{name: "404", request: get("/app/status?404+Not+Found"), wants: is(status(404), body("the application's own page"), header("X-Own", "1"))}.
		run(t, "override embedded", pair, pair.Ours)
}

func TestWhatThisPythonCannotDoIsNamedAtStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ conf, want string }{
		{"WSGIFreeThreading On", `WSGI0200: WSGIFreeThreading: it does nothing: Python 3\.\d+ runs with its GIL.* \(line \d+ of \S+/httpd\.conf\)`},
		{"<WSGIInterpreterOptions process-group=%{GLOBAL}>\nWSGIFreeThreading On\n</WSGIInterpreterOptions>", `WSGI0200: WSGIFreeThreading: .* \(line \d+ of \S+/httpd\.conf\)`},
		{"<WSGIInterpreterOptions application-group=x>\nWSGIFreeThreading On\n</WSGIInterpreterOptions>", `WSGI0201: WSGIFreeThreading: it concerns whole processes.* \(line \d+ of \S+/httpd\.conf\)`},
	} {
		s := apachetest.Start(t, apachetest.Config{Conf: c.conf + "\nWSGIScriptAlias / {{.Apps}}/hello.wsgi\n"})
		line := s.WaitLog(t, c.want)
		if !regexp.MustCompile(`\[wsgi:warn\]`).MatchString(line) {
			t.Error(line)
		}
		if r := s.Get(t, "/"); r.Status != 200 {
			t.Error(r)
		}
	}
}
