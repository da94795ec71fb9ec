package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// A page of an application includes others, each guarded by a script: while one application is being sent, scripts are asked about the next
// request on the same thread, in other interpreters.
const includingApp = `
import sys

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    print("app: before", file=environ["wsgi.errors"])
    for target in environ["QUERY_STRING"].split(","):
        yield f'[<!--#include virtual="{target}" -->]'.encode()
        print("app: between", file=sys.stderr)
    yield b"end"
`

func TestScriptsAreAskedAboutRequestsWithinRequests(t *testing.T) {
	group{
		name: "nested",
		config: apachetest.Config{Modules: append(authModules, "include", "filter", "dir", "mime"), Files: map[string]string{
			"page.wsgi":            includingApp,
			"site/open/index.html": "index", "site/closed/index.html": "index",
		},
			Templates: map[string]string{
				"site/open/.htaccess":   "WSGIAccessScript {{.Apps}}/guard.wsgi application-group=files\n",
				"site/closed/.htaccess": "WSGIAccessScript {{.Root}}/page.wsgi application-group=files\n",
			},
			Conf: `
WSGIScriptAliasMatch ^/page$ {{.Root}}/page.wsgi
WSGIScriptAliasMatch ^/(same|other|refused|dispatched|broken)$ {{.Apps}}/hello.wsgi
<Location /page>
    Options +Includes
    SetOutputFilter INCLUDES
    WSGIApplicationGroup page
</Location>
<Location /same>
    WSGIAccessScript {{.Apps}}/guard.wsgi application-group=page
    WSGIApplicationGroup page
</Location>
<Location /other>
    WSGIAccessScript {{.Apps}}/guard.wsgi
    WSGIApplicationGroup other
</Location>
<Location /refused>
    WSGIAccessScript {{.Apps}}/hello.wsgi application-group=page
</Location>
<Location /broken>
    WSGIAccessScript {{.Root}}/missing.wsgi
</Location>
<Location /dispatched>
    WSGIDispatchScript {{.Apps}}/dispatch.wsgi application-group=dispatching
</Location>
Alias /site {{.Root}}/site
<Directory {{.Root}}/site>
    AllowOverride AuthConfig
    DirectoryIndex index.html
    Require all granted
</Directory>
`},
		cases: []testCase{
			// The classic module's child crashes after including its own applications.
			{name: "includes in its own group", request: get("/page?/same"), wants: is(body("[hello\n]end")), oursOnly: true},
			{name: "includes in another", request: get("/page?/other,/same,/other"), wants: is(body("[hello\n][hello\n][hello\n]end")), oursOnly: true},
			{name: "includes that are refused", request: get("/page?/refused,/broken"), wants: is(bodyHas("error occurred"), bodyHas("end")), oursOnly: true},
			{name: "includes that are dispatched", request: get("/page?/dispatched,/same"), wants: is(body("[hello\n][hello\n]end")), oursOnly: true},
			{name: "a directory", request: get("/site/open/"), wants: is(body("index"))},
			{name: "a directory that is closed", request: get("/site/closed/"), wants: is(status(403))},
		},
	}.run(t)
}
