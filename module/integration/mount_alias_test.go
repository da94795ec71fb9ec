package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// Mounting with WSGIScriptAlias and WSGIScriptAliasMatch, as the configuration guidelines show it.

func TestScriptAliasMountsFilesDirectoriesAndTheRoot(t *testing.T) {
	group{
		name: "scriptalias",
		config: apachetest.Config{
			Modules: []string{"dir"},
			Conf: `
# "associate a WSGI application against a specific URL prefix"
WSGIScriptAlias /myapp {{.Apps}}/environ.wsgi

# "those which are mounted at what would be a sub URL … should always be listed earlier"
WSGIScriptAlias /wiki/special {{.Apps}}/hello.wsgi
WSGIScriptAlias /wiki {{.Apps}}/environ.wsgi
WSGIScriptAlias /blog {{.Apps}}/environ.wsgi
WSGIScriptAlias /blog/hidden {{.Apps}}/hello.wsgi

# "map to a directory containing any number of WSGI applications"
WSGIScriptAlias /wsgi/ {{.Apps}}/
WSGIScriptAlias /dir {{.Apps}}

# a file and a trailing slash do not go together
WSGIScriptAlias /slash/ {{.Apps}}/environ.wsgi
WSGIScriptAlias /missing {{.Apps}}/missing.wsgi

# "an extension … but don't wish to have that extension appear in the URL"
WSGIScriptAliasMatch ^/match/([^/]+) {{.Apps}}/$1.wsgi
WSGIScriptAliasMatch /anywhere$ {{.Apps}}/environ.wsgi

# options
WSGIScriptAlias /grouped {{.Apps}}/environ.wsgi application-group=%{GLOBAL}
WSGIScriptAlias /named {{.Apps}}/environ.wsgi process-group=%{GLOBAL} application-group=admin-scripts
WSGIScriptAlias /other {{.Apps}}/environ.wsgi callable-object=other
WSGIScriptAlias /pass {{.Apps}}/environ.wsgi pass-authorization=On
WSGIScriptAlias "/with blank" "{{.Root}}/with blank/app.wsgi" application-group="two words"
WSGIScriptAlias //double {{.Apps}}/environ.wsgi

# Alias takes precedence whatever the order
WSGIScriptAlias /static {{.Apps}}/environ.wsgi
Alias /static/file.txt {{.Root}}/static/file.txt

# "to mount a WSGI application at the root of the web site, simply use '/'"
WSGIScriptAlias / {{.Apps}}/environ.wsgi

WSGIApplicationGroup shared
<Location /closed>
    Require all denied
</Location>
`,
			Files: map[string]string{
				"with blank/app.wsgi": greeting("blank"),
				"static/file.txt":     "static",
			},
		},
		cases: []testCase{
			{name: "a file", request: get("/myapp"), wants: is(status(200), str("SCRIPT_NAME", "/myapp"), str("PATH_INFO", ""))},
			{name: "a file with slash", request: get("/myapp/"), wants: is(str("SCRIPT_NAME", "/myapp"), str("PATH_INFO", "/"))},
			{name: "a file with path info", request: get("/myapp/a/b?c=d"), wants: is(str("SCRIPT_NAME", "/myapp"), str("PATH_INFO", "/a/b"), str("QUERY_STRING", "c=d"), str("REQUEST_URI", "/myapp/a/b?c=d"))},
			{name: "not a component", request: get("/myapplication"), wants: is(str("SCRIPT_NAME", ""), str("PATH_INFO", "/myapplication"))},
			{name: "doubled slashes", request: get("/myapp//a///b"), wants: is(str("SCRIPT_NAME", "/myapp"), str("PATH_INFO", "/a/b"))},
			{name: "leading doubled slash", request: get("//myapp/a"), wants: is(str("SCRIPT_NAME", "/myapp"), str("PATH_INFO", "/a"))},
			{name: "doubled slash in the alias", request: get("/double/x"), wants: is(str("SCRIPT_NAME", "/double"), str("PATH_INFO", "/x"))},
			{name: "the earlier sub URL wins", request: get("/wiki/special"), wants: is(body("hello\n"))},
			{name: "beside the sub URL", request: get("/wiki/page"), wants: is(str("SCRIPT_NAME", "/wiki"), str("PATH_INFO", "/page"))},
			{name: "the later sub URL is hidden", request: get("/blog/hidden"), wants: is(str("SCRIPT_NAME", "/blog"), str("PATH_INFO", "/hidden"))},
			{name: "a directory", request: get("/wsgi/environ.wsgi/x"), wants: is(str("SCRIPT_NAME", "/wsgi/environ.wsgi"), str("PATH_INFO", "/x"))},
			{name: "another of the directory", request: get("/wsgi/hello.wsgi"), wants: is(body("hello\n"))},
			{name: "a directory without slashes", request: get("/dir/hello.wsgi"), wants: is(body("hello\n"))},
			{name: "missing in a directory", request: get("/wsgi/nothing.wsgi"), wants: is(status(404))},
			{name: "the directory itself", request: get("/wsgi/"), wants: is(status(403))},
			{name: "the directory without slash", request: get("/dir"), wants: is(status(301))},
			{name: "slash against a file", request: get("/slash/x"), wants: is(status(404))},
			{name: "slash against a file, exactly", request: get("/slash/"), wants: is(status(200), str("SCRIPT_NAME", "/slash/"), str("PATH_INFO", ""))},
			{name: "missing script", request: get("/missing"), wants: is(status(404))},
			{name: "match without extension", request: get("/match/environ/x/y"), wants: is(str("SCRIPT_NAME", "/match/environ"), str("PATH_INFO", "/x/y"))},
			{name: "match another", request: get("/match/hello"), wants: is(body("hello\n"))},
			{name: "match nothing there", request: get("/match/nothing"), wants: is(status(404))},
			{name: "match unanchored", request: get("/a/b/anywhere"), wants: is(str("SCRIPT_NAME", "/a/b/anywhere"), str("PATH_INFO", ""))},
			{name: "application group option", request: get("/grouped"), wants: is(str("mod_wsgi.application_group", ""))},
			{name: "both groups as options", request: get("/named"), wants: is(str("mod_wsgi.application_group", "admin-scripts"), str("mod_wsgi.process_group", ""))},
			{name: "application group by directive", request: get("/myapp"), wants: is(str("mod_wsgi.application_group", "shared"))},
			{name: "callable option", request: get("/other"), wants: is(str("mod_wsgi.callable_object", "other"), str("app.callable", "other"))},
			{name: "authorization option", request: get("/pass", hd("Authorization", "Basic YTpi")), wants: is(str("HTTP_AUTHORIZATION", "Basic YTpi"))},
			{name: "no authorization elsewhere", request: get("/myapp", hd("Authorization", "Basic YTpi")), wants: is(noEnv("HTTP_AUTHORIZATION"))},
			{name: "blanks in names", request: get("/with%20blank/x"), wants: is(status(200), body("blank"))},
			{name: "Alias wins", request: get("/static/file.txt"), wants: is(status(200), body("static"))},
			{name: "beside the Alias", request: get("/static/other"), wants: is(str("SCRIPT_NAME", "/static"), str("PATH_INFO", "/other"))},
			{name: "the root", request: get("/"), wants: is(str("SCRIPT_NAME", ""), str("PATH_INFO", "/"))},
			{name: "below the root", request: get("/a/b"), wants: is(str("SCRIPT_NAME", ""), str("PATH_INFO", "/a/b"))},
			{name: "escaped characters", request: get("/myapp/%C3%A9%20%3F%23"), wants: is(str("PATH_INFO", "/\u00c3\u00a9 ?#"), str("REQUEST_URI", "/myapp/%C3%A9%20%3F%23"))},
			{name: "escaped slash", request: get("/myapp/a%2Fb"), wants: is(status(404))},
			{name: "dots", request: get("/x/../myapp/./a"), wants: is(str("SCRIPT_NAME", "/myapp"), str("PATH_INFO", "/a"))},
			{name: "absolute form", request: apachetest.Request{Target: "http://localhost/myapp/x"}, wants: is(str("PATH_INFO", "/x"), str("REQUEST_URI", "http://localhost/myapp/x"))},
			{name: "access control by location", request: get("/closed"), wants: is(status(403))},
			{name: "other method", request: apachetest.Request{Method: "BREW", Target: "/myapp"}, wants: is(str("REQUEST_METHOD", "BREW"))},
			{name: "OPTIONS", request: apachetest.Request{Method: "OPTIONS", Target: "/myapp"}, wants: is(str("REQUEST_METHOD", "OPTIONS"))},
			{name: "DELETE", request: apachetest.Request{Method: "DELETE", Target: "/myapp"}, wants: is(str("REQUEST_METHOD", "DELETE"))},
			{name: "TRACE stays with Apache", request: apachetest.Request{Method: "TRACE", Target: "/myapp"}, wants: is(status(200), header("Content-Type", "message/http"))},
		},
	}.run(t)
}

func TestDirectoryWithoutAccessIsForbidden(t *testing.T) {
	group{
		name: "access",
		config: apachetest.Config{
			Modules: []string{"authz_host", "access_compat"},
			Conf: `
WSGIScriptAlias /open {{.Root}}/scripts/open/environ.wsgi
WSGIScriptAlias /closed {{.Root}}/scripts/closed/environ.wsgi
WSGIScriptAlias /elsewhere {{.Root}}/scripts/elsewhere/environ.wsgi
WSGIScriptAlias /old {{.Root}}/scripts/old/environ.wsgi
<Directory "{{.Root}}/scripts">
    Require all denied
</Directory>
<Directory "{{.Root}}/scripts/open">
<IfVersion < 2.4>
    Order allow,deny
    Allow from all
</IfVersion>
<IfVersion >= 2.4>
    Require all granted
</IfVersion>
</Directory>
<Directory "{{.Root}}/scripts/closed">
<IfVersion < 2.4>
    Require all granted
</IfVersion>
</Directory>
<Directory "{{.Root}}/scripts/elsewhere">
    Require ip 192.0.2.1
</Directory>
<Directory "{{.Root}}/scripts/old">
    Require all granted
    Order deny,allow
    Deny from 127.0.0.1
</Directory>
`,
			Files: map[string]string{
				"scripts/open/environ.wsgi": greeting("open"), "scripts/closed/environ.wsgi": greeting("closed"),
				"scripts/elsewhere/environ.wsgi": greeting("elsewhere"), "scripts/old/environ.wsgi": greeting("old"),
			},
		},
		cases: []testCase{
			{name: "granted by version", request: get("/open"), wants: is(status(200), body("open"))},
			{name: "not granted", request: get("/closed"), wants: is(status(403))},
			{name: "granted to others", request: get("/elsewhere"), wants: is(status(403))},
			{name: "denied in the old way", request: get("/old"), wants: is(status(403))},
		},
	}.run(t)
}

// greeting is an application that answers with one text.
func greeting(text string) string {
	return `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"` + text + `"]
`
}
