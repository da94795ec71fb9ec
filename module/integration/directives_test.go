package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// Directives one by one, as far as a request can show them.

func TestApplicationGroupInEveryForm(t *testing.T) {
	groupIs := func(name string) want { return str("mod_wsgi.application_group", name) }
	group{
		name: "appgroup",
		config: apachetest.Config{
			Modules: []string{"env", "setenvif", "rewrite"},
			Env:     []string{"FROM_PROCESS=process-value"},
			Conf: `
WSGIScriptAlias /resource {{.Apps}}/environ.wsgi
<Location /resource>
    WSGIApplicationGroup %{RESOURCE}
</Location>
WSGIScriptAlias /server {{.Apps}}/environ.wsgi
<Location /server>
    WSGIApplicationGroup %{SERVER}
</Location>
WSGIScriptAlias /host {{.Apps}}/environ.wsgi
<Location /host>
    WSGIApplicationGroup %{HOST}
</Location>
WSGIScriptAlias /global {{.Apps}}/environ.wsgi
<Location /global>
    WSGIApplicationGroup %{GLOBAL}
</Location>
WSGIScriptAlias /literal {{.Apps}}/environ.wsgi
<Location /literal>
    WSGIApplicationGroup my-group
</Location>
WSGIScriptAlias /unknown {{.Apps}}/environ.wsgi
<Location /unknown>
    WSGIApplicationGroup %{NONSENSE}
</Location>
WSGIScriptAlias /inside {{.Apps}}/environ.wsgi
<Location /inside>
    WSGIApplicationGroup a-%{SERVER}
</Location>
WSGIScriptAlias /env {{.Apps}}/environ.wsgi
<Location /env>
    SetEnv group from-setenv
    WSGIApplicationGroup %{ENV:group}
</Location>
WSGIScriptAlias /env-case {{.Apps}}/environ.wsgi
<Location /env-case>
    SetEnv GROUP from-setenv
    WSGIApplicationGroup %{ENV:group}
</Location>
WSGIScriptAlias /env-if {{.Apps}}/environ.wsgi
<Location /env-if>
    SetEnvIf X-Group (.+) chosen=$1
    WSGIApplicationGroup %{ENV:chosen}
</Location>
WSGIScriptAlias /env-global {{.Apps}}/environ.wsgi
<Location /env-global>
    SetEnv group %{GLOBAL}
    WSGIApplicationGroup %{ENV:group}
</Location>
WSGIScriptAlias /env-server {{.Apps}}/environ.wsgi
<Location /env-server>
    SetEnv group %{SERVER}
    WSGIApplicationGroup %{ENV:group}
</Location>
WSGIScriptAlias /env-chain {{.Apps}}/environ.wsgi
<Location /env-chain>
    SetEnv group %{ENV:other}
    SetEnv other end
    WSGIApplicationGroup %{ENV:group}
</Location>
WSGIScriptAlias /env-process {{.Apps}}/environ.wsgi
<Location /env-process>
    WSGIApplicationGroup %{ENV:FROM_PROCESS}
</Location>
WSGIScriptAlias /env-missing {{.Apps}}/environ.wsgi
<Location /env-missing>
    WSGIApplicationGroup %{ENV:nowhere}
</Location>
WSGIScriptAlias /option {{.Apps}}/environ.wsgi application-group=%{ENV:group}
<Location /option>
    SetEnv group from-setenv
    WSGIApplicationGroup overridden
</Location>
WSGIScriptAlias /process {{.Apps}}/environ.wsgi
<Location /process>
    WSGIProcessGroup %{GLOBAL}
</Location>
WSGIScriptAlias /process-env {{.Apps}}/environ.wsgi
<Location /process-env>
    SetEnv group %{GLOBAL}
    WSGIProcessGroup %{ENV:group}
</Location>
WSGIScriptAlias /process-unknown {{.Apps}}/environ.wsgi
<Location /process-unknown>
    WSGIProcessGroup nobody-defined-it
</Location>
WSGIScriptAlias /restricted {{.Apps}}/environ.wsgi
<Location /restricted>
    WSGIRestrictProcess other
</Location>
WSGIScriptAlias /allowed {{.Apps}}/environ.wsgi
<Location /allowed>
    WSGIRestrictProcess %{GLOBAL} other
</Location>
<Directory {{.Apps}}>
    WSGIApplicationGroup by-directory
</Directory>
WSGIScriptAlias /directory {{.Apps}}/environ.wsgi
`},
		cases: []testCase{
			{name: "resource", request: get("/resource/x"), wants: is(groupIs("localhost|/resource"))},
			{name: "resource, doubled slashes", request: get("//resource//x"), wants: is(groupIs("localhost|/resource"))},
			{name: "server", request: get("/server"), wants: is(groupIs("localhost"))},
			{name: "server by another name", request: host("elsewhere.test", "/server"), wants: is(groupIs("localhost"))},
			{name: "server with the client's port", request: host("localhost:8080", "/server"), wants: is(groupIs("localhost:8080"))},
			{name: "host", request: host("Elsewhere.TEST:8080", "/host"), wants: is(groupIs("elsewhere.test:8080"))},
			{name: "host on the usual port", request: host("elsewhere.test:443", "/host"), wants: is(groupIs("elsewhere.test"))},
			{name: "host absent", request: apachetest.Request{Proto: "HTTP/1.0", Host: "-", Target: "/host"}, wants: is(status(200))},
			{name: "global", request: get("/global"), wants: is(groupIs(""))},
			{name: "literal", request: get("/literal"), wants: is(groupIs("my-group"))},
			{name: "unknown token", request: get("/unknown"), wants: is(groupIs("%{NONSENSE}"))},
			{name: "token inside a name", request: get("/inside"), wants: is(groupIs("a-%{SERVER}"))},
			{name: "SetEnv", request: get("/env"), wants: is(groupIs("from-setenv"))},
			{name: "SetEnv in other case", request: get("/env-case"), wants: is(groupIs("from-setenv"))},
			{name: "SetEnvIf", request: get("/env-if", hd("X-Group", "blue")), wants: is(groupIs("blue"))},
			{name: "SetEnvIf with another value", request: get("/env-if", hd("X-Group", "green")), wants: is(groupIs("green"))},
			{name: "SetEnvIf without", request: get("/env-if"), wants: is(groupIs("%{ENV:chosen}"))},
			{name: "expanded again, GLOBAL", request: get("/env-global"), wants: is(groupIs(""))},
			{name: "expanded again, SERVER", request: get("/env-server"), wants: is(groupIs("localhost"))},
			{name: "no chains", request: get("/env-chain"), wants: is(groupIs("%{ENV:other}"))},
			{name: "of the process", request: get("/env-process"), wants: is(groupIs("process-value"))},
			{name: "missing variable", request: get("/env-missing"), wants: is(groupIs("%{ENV:nowhere}"))},
			{name: "option of the alias", request: get("/option"), wants: is(groupIs("from-setenv"))},
			{name: "directory", request: get("/directory"), wants: is(groupIs("by-directory"))},
			{name: "process group GLOBAL", request: get("/process"), wants: is(status(200), str("mod_wsgi.process_group", ""))},
			{name: "process group GLOBAL by variable", request: get("/process-env"), wants: is(status(200), str("mod_wsgi.process_group", ""))},
			{name: "process group unknown", request: get("/process-unknown"), wants: is(status(500))},
			{name: "embedded mode not allowed", request: get("/restricted"), wants: is(status(500))},
			{name: "embedded mode allowed", request: get("/allowed"), embedded: is(status(200)), daemon: is(status(500))},
		},
	}.run(t)
}

func TestCallableObjectIsChosen(t *testing.T) {
	group{
		name: "callable",
		config: apachetest.Config{
			Modules: []string{"env", "setenvif"},
			Conf: `
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /default {{.Apps}}/environ.wsgi
WSGIScriptAlias /named {{.Apps}}/environ.wsgi
<Location /named>
    WSGICallableObject other
</Location>
WSGIScriptAlias /variable {{.Apps}}/environ.wsgi
<Location /variable>
    SetEnvIf X-Callable (.+) callable=$1
    WSGICallableObject %{ENV:callable}
</Location>
WSGIScriptAlias /token {{.Apps}}/environ.wsgi
<Location /token>
    WSGICallableObject %{GLOBAL}
</Location>
WSGIScriptAlias /missing {{.Apps}}/environ.wsgi
<Location /missing>
    WSGICallableObject nothing
</Location>
WSGIScriptAlias /dotted {{.Apps}}/environ.wsgi
<Location /dotted>
    WSGICallableObject json.dumps
</Location>
WSGIScriptAlias /uncallable {{.Apps}}/environ.wsgi
<Location /uncallable>
    WSGICallableObject PLAIN
</Location>
WSGIScriptAlias /option {{.Apps}}/environ.wsgi callable-object=other
WSGIScriptAlias /option-token {{.Apps}}/environ.wsgi callable-object=%{ENV:callable}
WSGIScriptAlias /class {{.Root}}/class.wsgi
WSGIScriptAlias /broken {{.Root}}/broken.wsgi
WSGIScriptAlias /raising {{.Root}}/raising.wsgi
WSGIScriptAlias /exiting {{.Root}}/exiting.wsgi
WSGIScriptAlias /main {{.Root}}/main.wsgi
WSGIScriptAlias /modules {{.Root}}/modules.wsgi
WSGIScriptAlias /encoded {{.Root}}/encoded.wsgi
WSGIScriptAlias /null {{.Root}}/null.wsgi
`,
			Files: map[string]string{
				"class.wsgi": `class application:
    def __init__(self, environ, start_response):
        self.start_response = start_response
    def __iter__(self):
        self.start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"class"
`,
				"broken.wsgi":  "def application(:\n",
				"raising.wsgi": "raise ValueError('at import')\n",
				"exiting.wsgi": "import sys\nsys.exit(1)\n",
				"null.wsgi":    "application = None\n",
				"main.wsgi":    greeting("main") + "if __name__ == '__main__':\n    raise SystemExit\nassert __name__.startswith('_mod_wsgi_')\n",
				"modules.wsgi": `import sys, mod_wsgi, hashlib

def application(environ, start_response):
    me = sys.modules[__name__]
    path = __file__
    lines = [
        "named %s" % (__name__ == "_mod_wsgi_" + hashlib.md5(path.encode()).hexdigest()),
        "file %s" % (path == environ["SCRIPT_FILENAME"]),
        "argv %r" % sys.argv,
        "path %s" % any(p.endswith("/apps") for p in sys.path),
        "groups %r %r" % (mod_wsgi.process_group, mod_wsgi.application_group),
        "wrapper %s" % (environ["wsgi.file_wrapper"].__module__),
        "version %s" % (mod_wsgi.version == environ["mod_wsgi.version"]),
    ]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(lines).encode()]
`,
				"encoded.wsgi": "# -*- coding: latin-1 -*-\ntext = '\xe9'\n" + greeting("encoded"),
			},
		},
		cases: []testCase{
			{name: "default", request: get("/default"), wants: is(str("mod_wsgi.callable_object", "application"), noEnv("app.callable"))},
			{name: "named", request: get("/named"), wants: is(str("mod_wsgi.callable_object", "other"), str("app.callable", "other"))},
			{name: "variable", request: get("/variable", hd("X-Callable", "other")), wants: is(str("app.callable", "other"))},
			{name: "variable missing", request: get("/variable"), wants: is(status(200), str("mod_wsgi.callable_object", "application"))},
			{name: "other token", request: get("/token"), wants: is(str("mod_wsgi.callable_object", "application"))},
			{name: "missing", request: get("/missing"), embedded: is(status(404)), daemon: is(status(500))},
			{name: "dotted", request: get("/dotted"), embedded: is(status(404)), daemon: is(status(500))},
			{name: "not callable", request: get("/uncallable"), wants: is(status(500))},
			{name: "option", request: get("/option"), wants: is(str("app.callable", "other"))},
			{name: "option is literal", request: get("/option-token"), embedded: is(status(404)), daemon: is(status(500))},
			{name: "class", request: get("/class"), wants: is(body("class"))},
			{name: "syntax error", request: get("/broken"), wants: is(status(500))},
			{name: "exception while loading", request: get("/raising"), wants: is(status(500))},
			{name: "SystemExit while loading", request: get("/exiting"), wants: is(status(500))},
			{name: "tried again", request: get("/raising"), wants: is(status(500))},
			{name: "None", request: get("/null"), wants: is(status(500))},
			{name: "not the main program", request: get("/main"), wants: is(body("main"))},
			{name: "module of a script", request: get("/modules"), wants: is(bodyHas("named True"), bodyHas("file True"), bodyHas("argv ['mod_wsgi']"), bodyHas("path False"), bodyHas("version True")),
				embedded: is(bodyHas("groups '' ''")), daemon: is(bodyHas("groups 'test' ''"))},
			{name: "source encoding", request: get("/encoded"), wants: is(body("encoded"))},
		},
	}.run(t)
}
