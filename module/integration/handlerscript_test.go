package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// WSGIHandlerScript, Action, and requests that Apache makes itself.

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
			{name: "handler script without handle_request", request: get("/files/a.wrn"), embedded: is(status(404)), daemon: is(status(500))},
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
