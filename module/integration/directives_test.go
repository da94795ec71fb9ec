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
			// These two are 500 as soon as process groups have an effect.
			{name: "process group unknown", request: get("/process-unknown")},
			{name: "embedded mode not allowed", request: get("/restricted")},
			{name: "embedded mode allowed", request: get("/allowed"), wants: is(status(200))},
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
			{name: "missing", request: get("/missing"), wants: is(status(404))},
			{name: "dotted", request: get("/dotted"), wants: is(status(404))},
			{name: "not callable", request: get("/uncallable"), wants: is(status(500))},
			{name: "option", request: get("/option"), wants: is(str("app.callable", "other"))},
			{name: "option is literal", request: get("/option-token"), wants: is(status(404))},
			{name: "class", request: get("/class"), wants: is(body("class"))},
			{name: "syntax error", request: get("/broken"), wants: is(status(500))},
			{name: "exception while loading", request: get("/raising"), wants: is(status(500))},
			{name: "SystemExit while loading", request: get("/exiting"), wants: is(status(500))},
			{name: "tried again", request: get("/raising"), wants: is(status(500))},
			{name: "None", request: get("/null"), wants: is(status(500))},
			{name: "not the main program", request: get("/main"), wants: is(body("main"))},
			{name: "module of a script", request: get("/modules"), wants: is(bodyHas("named True"), bodyHas("file True"), bodyHas("argv ['mod_wsgi']"), bodyHas("path False"), bodyHas("groups '' ''"), bodyHas("version True"))},
			{name: "source encoding", request: get("/encoded"), wants: is(body("encoded"))},
		},
	}.run(t)
}

func TestHandlerScriptAnswersForOtherFiles(t *testing.T) {
	handler := `import json

def handle_request(environ, start_response):
    dump = {k: [type(v).__name__, v if isinstance(v, (str, int, float, bool, tuple)) else None] for k, v in environ.items()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(dump, sort_keys=True).encode("ascii")]
`
	group{
		name: "handlerscript",
		config: apachetest.Config{
			Modules: []string{"mime", "dir", "actions"},
			Conf: `
WSGIHandlerScript my-handler {{.Root}}/handlers/handler.wsgi
WSGIHandlerScript grouped {{.Root}}/handlers/handler.wsgi application-group=of-the-option pass-authorization=On
WSGIHandlerScript broken {{.Root}}/handlers/missing.wsgi
WSGIHandlerScript wrong-name {{.Apps}}/hello.wsgi

Alias /files/ {{.Root}}/files/
<Directory {{.Root}}/files>
    AddHandler my-handler .ext
    AddHandler grouped .grp
    AddHandler broken .brk
    AddHandler wrong-name .wrn
</Directory>
<Location /virtual>
    SetHandler my-handler
</Location>

WSGIScriptAlias /run-action {{.Apps}}/environ.wsgi
Action by-action /run-action
Action by-type /run-action virtual
<Directory {{.Root}}/actions>
    AddHandler by-action .act
</Directory>
Alias /actions/ {{.Root}}/actions/
<Location /virtual-action>
    SetHandler by-type
</Location>
`,
			Files: map[string]string{
				"handlers/handler.wsgi": handler, "files/a.ext": "a", "files/a.grp": "a", "files/a.brk": "a", "files/a.wrn": "a", "files/plain.txt": "plain",
				"actions/page.act": "content",
			},
		},
		cases: []testCase{
			{name: "AddHandler", request: get("/files/a.ext"), wants: is(status(200), str("SCRIPT_NAME", "/files/a.ext"), str("PATH_INFO", ""), str("mod_wsgi.request_handler", "my-handler"), str("mod_wsgi.callable_object", "handle_request"))},
			{name: "path info", request: get("/files/a.ext/extra//p"), wants: is(str("SCRIPT_NAME", "/files/a.ext"), str("PATH_INFO", "/extra/p"))},
			{name: "handler script", request: get("/files/a.ext"), wants: is(env("mod_wsgi.handler_script", "str", nil), env("SCRIPT_FILENAME", "str", nil))},
			{name: "file that is not there", request: get("/files/none.ext"), wants: is(status(200), str("SCRIPT_NAME", "/files/none.ext"))},
			{name: "SetHandler without a file", request: get("/virtual/foo"), wants: is(status(200), str("SCRIPT_NAME", "/virtual"), str("PATH_INFO", "/foo"))},
			{name: "options", request: get("/files/a.grp", hd("Authorization", "Bearer x")), wants: is(str("mod_wsgi.application_group", "of-the-option"), str("HTTP_AUTHORIZATION", "Bearer x"))},
			{name: "no options", request: get("/files/a.ext", hd("Authorization", "Bearer x")), wants: is(str("mod_wsgi.application_group", "localhost|/files/a.ext"), noEnv("HTTP_AUTHORIZATION"))},
			{name: "missing handler script", request: get("/files/a.brk"), wants: is(status(500))},
			{name: "handler script without handle_request", request: get("/files/a.wrn"), wants: is(status(404))},
			{name: "other files", request: get("/files/plain.txt"), wants: is(body("plain"))},
			{name: "POST", request: post("/files/a.ext", "abc"), wants: is(str("REQUEST_METHOD", "POST"), str("CONTENT_LENGTH", "3"))},
			{name: "Action", request: get("/actions/page.act?x=1"), wants: is(status(200), str("SCRIPT_NAME", "/run-action"), str("PATH_INFO", "/actions/page.act"), str("QUERY_STRING", "x=1"), env("REDIRECT_URL", "str", nil))},
			{name: "Action with POST", request: post("/actions/page.act", "abc"), wants: is(status(200), str("CONTENT_LENGTH", "3"))},
			{name: "Action for a missing file", request: get("/actions/none.act"), wants: is(status(404))},
			{name: "virtual Action", request: get("/virtual-action/x"), wants: is(status(200), str("PATH_INFO", "/virtual-action/x"))},
		},
	}.run(t)
}

func TestErrorDocumentsAndSubrequestsReachApplications(t *testing.T) {
	group{
		name: "internal",
		config: apachetest.Config{
			Modules: []string{"include", "mime", "dir", "rewrite", "headers", "filter"},
			Conf: `
WSGIScriptAlias /error-page {{.Apps}}/environ.wsgi
ErrorDocument 404 /error-page
WSGIScriptAlias /results {{.Apps}}/results.wsgi
WSGIScriptAlias /app {{.Apps}}/environ.wsgi
<Location /app>
    Header set X-By-Apache yes
    RequestHeader set X-Added by-apache
</Location>
<Directory {{.Htdocs}}>
    Options Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
RewriteEngine On
RewriteRule ^/rewritten/(.*) /app/$1?added=1 [PT,QSA]
WSGIScriptAlias /included {{.Root}}/included.wsgi
`,
			Files: map[string]string{
				"htdocs/page.shtml": `before <!--#include virtual="/included/x?y=1" --> after`,
				"included.wsgi": `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [("%(SCRIPT_NAME)s %(PATH_INFO)s %(QUERY_STRING)s" % environ).encode()]
`,
			},
		},
		cases: []testCase{
			{name: "error document", request: get("/nowhere?a=b"), wants: is(status(200), str("SCRIPT_NAME", "/error-page"), str("REDIRECT_URL", "/nowhere"), str("REDIRECT_STATUS", "404"), str("REQUEST_URI", "/nowhere?a=b"))},
			{name: "an application's own 404 is its own", request: get("/results/status?404+Not+Found"), wants: is(status(404), body("body"))},
			{name: "headers of Apache", request: get("/app"), wants: is(header("X-By-Apache", "yes"), str("HTTP_X_ADDED", "by-apache"))},
			{name: "included", request: get("/page.shtml"), wants: is(status(200), bodyHas("before "), bodyHas("y=1"), bodyHas(" after"))},
			{name: "rewritten", request: get("/rewritten/a?b=c"), wants: is(str("SCRIPT_NAME", "/app"), str("PATH_INFO", "/a"), env("QUERY_STRING", "str", nil), str("REQUEST_URI", "/rewritten/a?b=c"))},
		},
	}.run(t)
}
