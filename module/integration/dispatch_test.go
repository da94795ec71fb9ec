package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

func processGroup(name string) apachetest.Header     { return hd("X-Process-Group", name) }
func applicationGroup(name string) apachetest.Header { return hd("X-Application-Group", name) }
func callableObject(name string) apachetest.Header   { return hd("X-Callable-Object", name) }

func TestDispatchScriptChoosesGroupsAndCallable(t *testing.T) {
	groupsAre := func(process, application string) []want {
		return is(str("mod_wsgi.process_group", process), str("mod_wsgi.application_group", application))
	}
	group{
		name: "dispatch",
		config: apachetest.Config{Modules: []string{"env", "setenvif", "actions"}, Conf: `
WSGIDaemonProcess elsewhere processes=1 threads=2
WSGIScriptAlias /dispatched {{.Apps}}/environ.wsgi
WSGIScriptAlias /options {{.Apps}}/environ.wsgi process-group=elsewhere application-group=options callable-object=other
WSGIScriptAlias /restricted {{.Apps}}/environ.wsgi
WSGIScriptAlias /no-file {{.Apps}}/environ.wsgi
WSGIScriptAlias /no-syntax {{.Apps}}/environ.wsgi
WSGIScriptAlias /no-load {{.Apps}}/environ.wsgi
WSGIScriptAlias /no-function {{.Apps}}/environ.wsgi
WSGIScriptAlias /own-group {{.Apps}}/environ.wsgi
WSGIScriptAlias /plain {{.Apps}}/environ.wsgi
<LocationMatch ^/(dispatched|options|restricted)>
    WSGIDispatchScript {{.Apps}}/dispatch.wsgi
    SetEnv VIA_SETENV from-setenv
    SetEnv TOKEN %{HOST}
    WSGIApplicationGroup usual
</LocationMatch>
<Location /restricted>
    WSGIProcessGroup elsewhere
    WSGIRestrictProcess elsewhere
</Location>
<Location /no-file>
    WSGIDispatchScript {{.Root}}/missing.wsgi
</Location>
<Location /no-syntax>
    WSGIDispatchScript {{.Root}}/broken.wsgi
</Location>
<Location /no-load>
    WSGIDispatchScript {{.Root}}/raising.wsgi
</Location>
<Location /no-function>
    WSGIDispatchScript {{.Apps}}/hello.wsgi
</Location>
<Location /own-group>
    WSGIDispatchScript {{.Root}}/group.wsgi application-group=dispatching
</Location>
WSGIHandlerScript virtual {{.Root}}/handler.wsgi
<Location /handled>
    SetHandler virtual
    WSGIDispatchScript {{.Apps}}/dispatch.wsgi
</Location>
`,
			Files: map[string]string{
				"broken.wsgi":  "def process_group(:\n",
				"raising.wsgi": "raise KeyError('loading')\n",
				"group.wsgi":   "import mod_wsgi\ndef callable_object(environ): return {'dispatching': 'other'}[mod_wsgi.application_group]\n",
			},
			Templates: map[string]string{
				"handler.wsgi": "exec(open('{{.Apps}}/environ.wsgi', encoding='utf-8').read())\nhandle_request = application\n",
			}},
		cases: []testCase{
			{name: "no opinion", request: get("/dispatched"), wants: is(str("mod_wsgi.application_group", "usual"), str("mod_wsgi.callable_object", "application"), noEnv("seen")),
				logs: []string{"app: process_group -", "app: application_group process_group", "app: callable_object application_group"}},
			{name: "process group", request: get("/dispatched", processGroup("elsewhere")), wants: groupsAre("elsewhere", "usual")},
			{name: "process group as bytes", request: get("/dispatched", processGroup("bytes")), wants: is(status(500))},
			{name: "process group GLOBAL", request: get("/dispatched", processGroup("%{GLOBAL}")), wants: groupsAre("", "usual")},
			{name: "process group empty", request: get("/dispatched", processGroup("empty")), wants: groupsAre("", "usual")},
			{name: "process group ENV", request: get("/dispatched", processGroup("%{ENV:VIA_SETENV}")), wants: is(status(500))},
			{name: "process group unknown", request: get("/dispatched", processGroup("nowhere")), wants: is(status(500))},
			{name: "process group in capitals", request: get("/dispatched", processGroup("ELSEWHERE")), wants: is(status(500))},
			{name: "application group", request: get("/dispatched", applicationGroup("mine")), wants: is(str("mod_wsgi.application_group", "mine"))},
			{name: "application group as bytes", request: get("/dispatched", applicationGroup("bytes")), wants: is(str("mod_wsgi.application_group", "from-bytes"))},
			{name: "application group GLOBAL", request: get("/dispatched", applicationGroup("%{GLOBAL}")), wants: is(str("mod_wsgi.application_group", ""))},
			{name: "application group SERVER", request: get("/dispatched", applicationGroup("%{SERVER}")), wants: is(str("mod_wsgi.application_group", "localhost"))},
			{name: "application group RESOURCE", request: get("/dispatched/x", applicationGroup("%{RESOURCE}")), wants: is(str("mod_wsgi.application_group", "localhost|/dispatched"))},
			{name: "application group ENV", request: get("/dispatched", applicationGroup("%{ENV:VIA_SETENV}")), wants: is(str("mod_wsgi.application_group", "from-setenv"))},
			{name: "application group ENV, a token", request: get("/dispatched", applicationGroup("%{ENV:TOKEN}")), wants: is(str("mod_wsgi.application_group", "localhost"))},
			{name: "application group ENV, not there", request: get("/dispatched", applicationGroup("%{ENV:NOWHERE}")), wants: is(str("mod_wsgi.application_group", "%{ENV:NOWHERE}"))},
			{name: "application group unknown token", request: get("/dispatched", applicationGroup("%{NONSENSE}")), wants: is(str("mod_wsgi.application_group", "%{NONSENSE}"))},
			{name: "callable", request: get("/dispatched", callableObject("other")), wants: is(str("app.callable", "other"), str("mod_wsgi.callable_object", "other"))},
			{name: "callable ENV, not there", request: get("/dispatched", callableObject("%{ENV:NOWHERE}")), wants: is(status(200))},
			{name: "callable a token", request: get("/dispatched", callableObject("%{GLOBAL}")), wants: is(str("mod_wsgi.callable_object", "application"))},
			{name: "callable missing", request: get("/dispatched", callableObject("nowhere")), embedded: is(status(404)), daemon: is(status(500))},
			{name: "all three", request: get("/dispatched", processGroup("elsewhere"), applicationGroup("mine"), callableObject("other")),
				wants: append(groupsAre("elsewhere", "mine"), str("app.callable", "other"))},
			{name: "over the options of an alias", request: get("/options", processGroup("%{GLOBAL}"), applicationGroup("mine"), callableObject("application")),
				wants: append(groupsAre("", "mine"), noEnv("app.callable"))},
			{name: "options of an alias kept", request: get("/options"), wants: append(groupsAre("elsewhere", "options"), str("app.callable", "other"))},
			{name: "a number", request: get("/dispatched", processGroup("one")), wants: is(status(500))},
			{name: "a list", request: get("/dispatched", applicationGroup("list")), wants: is(status(500))},
			{name: "not latin-1", request: get("/dispatched", callableObject("wide")), wants: is(status(500))},
			{name: "with NUL", request: get("/dispatched", applicationGroup("nul")), wants: is(status(500)), oursOnly: true}, // classic: the part before it
			{name: "an exception", request: get("/dispatched", processGroup("raise")), wants: is(status(500)), logs: []string{"app: process_group -"}},
			{name: "an exception in the last one", request: get("/dispatched", processGroup("elsewhere"), callableObject("raise")), wants: is(status(500))},
			{name: "SystemExit", request: get("/dispatched", applicationGroup("exit")), wants: is(status(500))},
			{name: "restricted, kept", request: get("/restricted"), wants: groupsAre("elsewhere", "usual")},
			{name: "restricted, another", request: get("/restricted", processGroup("%{GLOBAL}")), wants: is(status(500))},
			{name: "no file", request: get("/no-file"), wants: is(status(500))},
			{name: "a syntax error", request: get("/no-syntax"), wants: is(status(500))},
			{name: "a script that raises", request: get("/no-load"), wants: is(status(500))},
			{name: "no function", request: get("/no-function"), wants: is(status(200))},
			{name: "in its own group", request: get("/own-group"), wants: is(str("app.callable", "other"))},
			{name: "a handler script", request: get("/handled/x", applicationGroup("mine")), wants: is(str("mod_wsgi.application_group", "mine"), str("mod_wsgi.callable_object", "handle_request"))},
			{name: "a handler script, another callable", request: get("/handled/x", callableObject("other")), wants: is(str("app.callable", "other"))},
			{name: "not dispatched", request: get("/plain", processGroup("nowhere")), wants: is(status(200))},
		},
	}.run(t)
}

func TestDispatchScriptSeesTheRequestsEnviron(t *testing.T) {
	group{
		name: "dispatch environ",
		config: apachetest.Config{Modules: []string{"env"}, Conf: `
WSGIScriptAlias /show {{.Apps}}/dispatch.wsgi
<Location /show>
    WSGIDispatchScript {{.Apps}}/dispatch.wsgi
    WSGIProcessGroup %{GLOBAL}
    WSGIApplicationGroup %{GLOBAL}
    SetEnv SOME thing
    WSGIPassApacheRequest On
</Location>
`},
		cases: []testCase{
			{name: "all", request: get("/show/a//b?c=d", hd("X-Environ", "1"), hd("Cookie", "e=f")), wants: is(
				str("mod_wsgi.process_group", ""), str("mod_wsgi.application_group", ""), str("SOME", "thing"), str("PATH_INFO", "/a/b"), str("HTTP_COOKIE", "e=f"),
				env("apache.request_rec", "PyCapsule", nil), env("wsgi.errors", "TextIOWrapper", nil), noEnv("wsgi.input", "mod_wsgi.callable_object", "HTTP_AUTHORIZATION"))},
		},
	}.run(t)
}
