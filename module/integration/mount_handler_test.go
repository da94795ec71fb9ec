package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// Mounting with Alias and a handler, as the configuration guidelines show it.

// loadCGI loads the CGI module that suits the MPM.
const loadCGI = `LoadModule {{if eq .MPM "prefork"}}cgi_module /usr/lib/apache2/modules/mod_cgi.so{{else}}cgid_module /usr/lib/apache2/modules/mod_cgid.so{{end}}
`

const cgiScript = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\ncgi %s' \"$SCRIPT_NAME\"\n"

// unbuffered is what of an answer by CGI depends on how fast the script ended.
var unbuffered = []string{"framing", "header:content-length", "header:transfer-encoding"}

const dumpScript = `import json

def application(environ, start_response):
    dump = {k: [type(v).__name__, v if isinstance(v, (str, int, float, bool, tuple)) else None] for k, v in environ.items()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(dump, sort_keys=True).encode("ascii")]
`

func TestAliasWithAHandlerMountsScripts(t *testing.T) {
	group{
		name: "handler",
		config: apachetest.Config{
			Modules: []string{"mime", "dir", "autoindex", "negotiation", "actions"},
			Conf: loadCGI + `
Alias /set/ {{.Root}}/set/
<Directory "{{.Root}}/set">
    Options ExecCGI
    SetHandler wsgi-script
</Directory>

Alias /add/ {{.Root}}/mixed/
<Directory "{{.Root}}/mixed">
    Options ExecCGI
    AddHandler cgi-script .cgi
    AddHandler wsgi-script .wsgi
</Directory>

Alias /multi/ {{.Root}}/multi/
<Directory "{{.Root}}/multi">
    Options ExecCGI MultiViews
    MultiviewsMatch Handlers
    AddHandler cgi-script .cgi
    AddHandler wsgi-script .wsgi
</Directory>

Alias /browse/ {{.Root}}/browse/
<Directory "{{.Root}}/browse">
    Options ExecCGI Indexes
    AddHandler cgi-script .cgi
    AddHandler wsgi-script .wsgi
</Directory>

Alias /index/ {{.Root}}/index/
<Directory "{{.Root}}/index">
    Options ExecCGI Indexes
    DirectoryIndex index.html index.wsgi index.cgi
    AddHandler cgi-script .cgi
    AddHandler wsgi-script .wsgi
</Directory>

Alias /site/ {{.Root}}/site/
<Directory "{{.Root}}/site">
    AllowOverride FileInfo Indexes
    Options ExecCGI MultiViews Indexes
    MultiviewsMatch Handlers
</Directory>

Alias /noexec/ {{.Root}}/mixed/
<Location /noexec/>
    Options None
</Location>

Alias /typed/ {{.Root}}/typed/
<Directory "{{.Root}}/typed">
    Options ExecCGI
    AddType application/x-httpd-wsgi .app
</Directory>

Alias /nopath/ {{.Root}}/mixed/
<Location /nopath/>
    AcceptPathInfo Off
</Location>
`,
			Files: map[string]string{
				"set/app": dumpScript, "set/other.txt": greeting("set other"), "set/sub/deep.wsgi": greeting("deep"),
				"mixed/app.wsgi": dumpScript, "mixed/script.cgi": cgiScript, "mixed/page.html": "<p>static</p>",
				"multi/one.wsgi": dumpScript, "multi/two.cgi": cgiScript, "multi/three.html": "three",
				"browse/app.wsgi": greeting("app"), "browse/script.cgi": cgiScript, "browse/file.txt": "file",
				"index/page/index.html": "static index", "index/page/index.wsgi": greeting("wrong"),
				"index/app/index.wsgi": dumpScript, "index/app/index.cgi": cgiScript, "index/cgi/index.cgi": cgiScript,
				"index/none/readme.txt": "readme",
				"site/.htaccess":        "DirectoryIndex index.html index.wsgi index.cgi\nAddHandler cgi-script .cgi\nAddHandler wsgi-script .wsgi\n",
				"site/index.wsgi":       dumpScript, "site/app.wsgi": dumpScript, "site/run.cgi": cgiScript, "site/text.html": "text",
				"typed/a.app": dumpScript,
			},
		},
		cases: []testCase{
			{name: "SetHandler", request: get("/set/app/x"), wants: is(str("SCRIPT_NAME", "/set/app"), str("PATH_INFO", "/x"), str("mod_wsgi.request_handler", "wsgi-script"))},
			{name: "SetHandler takes any extension", request: get("/set/other.txt"), wants: is(body("set other"))},
			{name: "SetHandler reaches below", request: get("/set/sub/deep.wsgi"), wants: is(body("deep"))},
			{name: "SetHandler and a missing file", request: get("/set/none"), wants: is(status(404))},
			{name: "SetHandler and a directory", request: get("/set/sub/"), wants: is(status(403))},
			{name: "AddHandler", request: get("/add/app.wsgi/env//x"), wants: is(str("SCRIPT_NAME", "/add/app.wsgi"), str("PATH_INFO", "/env/x"))},
			{name: "CGI beside it", request: get("/add/script.cgi"), wants: is(body("cgi /add/script.cgi")), ignore: unbuffered},
			{name: "static beside it", request: get("/add/page.html"), wants: is(body("<p>static</p>"))},
			{name: "AddHandler and a missing file", request: get("/add/none.wsgi"), wants: is(status(404))},
			{name: "MultiViews chooses WSGI", request: get("/multi/one"), wants: is(status(200), str("SCRIPT_NAME", "/multi/one.wsgi"), str("PATH_INFO", ""))},
			{name: "MultiViews with path info", request: get("/multi/one/x"), wants: is(status(200), str("PATH_INFO", "/x"))},
			{name: "MultiViews chooses CGI", request: get("/multi/two"), wants: is(status(200), bodyHas("cgi ")), ignore: unbuffered},
			{name: "MultiViews chooses static", request: get("/multi/three"), wants: is(body("three"))},
			{name: "Indexes", request: get("/browse/"), wants: is(status(200), bodyHas("app.wsgi"), bodyHas("script.cgi"), bodyHas("file.txt"))},
			{name: "an application of the listing", request: get("/browse/app.wsgi"), wants: is(body("app"))},
			{name: "DirectoryIndex static", request: get("/index/page/"), wants: is(body("static index"))},
			{name: "DirectoryIndex WSGI", request: get("/index/app/"), wants: is(str("SCRIPT_NAME", "/index/app/index.wsgi"), str("PATH_INFO", ""))},
			{name: "DirectoryIndex WSGI with query", request: get("/index/app/?a=b"), wants: is(str("QUERY_STRING", "a=b"))},
			{name: "DirectoryIndex CGI", request: get("/index/cgi/"), wants: is(bodyHas("cgi ")), ignore: unbuffered},
			{name: "DirectoryIndex none, listing", request: get("/index/none/"), wants: is(bodyHas("readme.txt"))},
			{name: "DirectoryIndex is not for paths", request: get("/index/app/extra"), wants: is(status(404))},
			{name: "POST to a DirectoryIndex", request: post("/index/app/", "abc"), wants: is(str("REQUEST_METHOD", "POST"), str("CONTENT_LENGTH", "3"))},
			{name: "htaccess index", request: get("/site/"), wants: is(str("SCRIPT_NAME", "/site/index.wsgi"))},
			{name: "htaccess WSGI", request: get("/site/app.wsgi/x"), wants: is(str("SCRIPT_NAME", "/site/app.wsgi"), str("PATH_INFO", "/x"))},
			{name: "htaccess MultiViews", request: get("/site/app"), wants: is(str("SCRIPT_NAME", "/site/app.wsgi"))},
			{name: "htaccess CGI", request: get("/site/run.cgi"), wants: is(bodyHas("cgi ")), ignore: unbuffered},
			{name: "htaccess static", request: get("/site/text.html"), wants: is(body("text"))},
			{name: "no ExecCGI", request: get("/noexec/app.wsgi"), wants: is(status(403))},
			{name: "no ExecCGI, static", request: get("/noexec/page.html"), wants: is(status(200))},
			{name: "handler by type", request: get("/typed/a.app"), wants: is(status(200), str("mod_wsgi.request_handler", "application/x-httpd-wsgi"))},
			{name: "AcceptPathInfo Off", request: get("/nopath/app.wsgi/x"), wants: is(status(404))},
			{name: "AcceptPathInfo Off without path", request: get("/nopath/app.wsgi"), wants: is(status(200), str("PATH_INFO", ""))},
		},
	}.run(t)
}

func TestRewritingMakesAScriptTheRootOfTheSite(t *testing.T) {
	group{
		name: "rewrite",
		config: apachetest.Config{
			Modules: []string{"mime", "rewrite", "dir"},
			Conf: `
Alias /static-files {{.Root}}/static
<Directory "{{.Htdocs}}">
    Options ExecCGI FollowSymLinks
    AddHandler wsgi-script .wsgi
    RewriteEngine On
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteRule ^(.*)$ /site.wsgi/$1 [QSA,PT,L]
</Directory>
`,
			Files: map[string]string{
				"htdocs/site.wsgi": dumpScript + `
import posixpath

_application = application

def application(environ, start_response):
    # Wrapper to set SCRIPT_NAME to actual mount point.
    environ['SCRIPT_NAME'] = posixpath.dirname(environ['SCRIPT_NAME'])
    if environ['SCRIPT_NAME'] == '/':
        environ['SCRIPT_NAME'] = ''
    return _application(environ, start_response)
`,
				"htdocs/file.txt": "a file", "static/a.txt": "static",
			},
		},
		cases: []testCase{
			{name: "a path", request: get("/a/b?q=1"), wants: is(str("SCRIPT_NAME", ""), str("PATH_INFO", "/a/b"), str("QUERY_STRING", "q=1"), str("mod_wsgi.script_name", "/site.wsgi"))},
			{name: "the root", request: get("/"), wants: is(str("SCRIPT_NAME", ""))},
			{name: "a file", request: get("/file.txt"), wants: is(body("a file"))},
			{name: "an alias", request: get("/static-files/a.txt"), wants: is(body("static"))},
			{name: "the script itself", request: get("/site.wsgi/x"), wants: is(str("PATH_INFO", "/x"))},
			{name: "POST", request: post("/form", "abc"), wants: is(str("REQUEST_METHOD", "POST"), str("PATH_INFO", "/form"))},
		},
	}.run(t)
}

func TestStaticFilesAreServedBesideAnApplicationAtTheRoot(t *testing.T) {
	group{
		name: "static",
		config: apachetest.Config{
			Modules: []string{"mime"},
			Conf: `
Alias /robots.txt {{.Root}}/static/robots.txt
Alias /favicon.ico {{.Root}}/static/favicon.ico

AliasMatch /([^/]*\.css) {{.Root}}/static/styles/$1

Alias /media/ {{.Root}}/static/media/

<Directory {{.Root}}/static>
<IfVersion < 2.4>
    Order allow,deny
    Allow from all
</IfVersion>
<IfVersion >= 2.4>
    Require all granted
</IfVersion>
</Directory>

WSGIScriptAlias / {{.Apps}}/environ.wsgi
`,
			Files: map[string]string{
				"static/robots.txt": "robots", "static/favicon.ico": "icon", "static/styles/a.css": "css", "static/media/m.txt": "media",
			},
		},
		cases: []testCase{
			{name: "robots", request: get("/robots.txt"), wants: is(body("robots"))},
			{name: "favicon", request: get("/favicon.ico"), wants: is(body("icon"))},
			{name: "style", request: get("/any/a.css"), wants: is(body("css"), header("Content-Type", "text/css"))},
			{name: "media", request: get("/media/m.txt"), wants: is(body("media"))},
			{name: "media missing", request: get("/media/none"), wants: is(status(404))},
			{name: "application", request: get("/media"), wants: is(str("PATH_INFO", "/media"), str("SCRIPT_NAME", ""))},
			{name: "default application group", request: get("/"), wants: is(str("mod_wsgi.application_group", "localhost|"))},
		},
	}.run(t)
}
