package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

func says(answer, target string) apachetest.Request { return get(target, hd("X-Answer", answer)) }

func TestAccessScriptDecidesByHost(t *testing.T) {
	group{
		name: "access",
		config: apachetest.Config{Modules: append(authModules, "access_compat"), Conf: `
WSGIScriptAliasMatch ^/(guarded|second|denied|granted|only-true|satisfy-.*|no-.*|open)$ {{.Apps}}/environ.wsgi
<Location /guarded>
    WSGIAccessScript {{.Apps}}/guard.wsgi
</Location>
<Location /denied>
    WSGIAccessScript {{.Apps}}/guard.wsgi
    Require all denied
</Location>
<LocationMatch ^/satisfy->
    WSGIAccessScript {{.Apps}}/guard.wsgi
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    Require valid-user
</LocationMatch>
<Location /satisfy-any>
    Satisfy Any
</Location>
<Location /satisfy-all>
    Satisfy All
</Location>
<Location /no-function>
    WSGIAccessScript {{.Apps}}/hello.wsgi
</Location>
<Location /no-file>
    WSGIAccessScript {{.Root}}/missing.wsgi
</Location>
<Location /no-syntax>
    WSGIAccessScript {{.Root}}/broken.wsgi
</Location>
<Location /no-load>
    WSGIAccessScript {{.Root}}/raising.wsgi
</Location>
Alias /files {{.Root}}/site
<Directory {{.Root}}/site>
    AllowOverride AuthConfig
    Require all granted
</Directory>
`,
			Files: map[string]string{
				"broken.wsgi":          "def allow_access(:\n",
				"raising.wsgi":         "raise KeyError('loading')\n",
				"site/open/public.txt": "public",
			},
			Templates: map[string]string{
				"site/asked/.htaccess":   "WSGIAccessScript {{.Apps}}/guard.wsgi application-group=hosts\n",
				"site/asked/secret.txt":  "secret",
				"site/closed/.htaccess":  "WSGIAccessScript /nowhere/access.wsgi\n",
				"site/closed/secret.txt": "secret",
			}},
		cases: []testCase{
			{name: "True", request: says("true", "/guarded"), wants: is(status(200)), logs: []string{"app: allow_access 127.0.0.1 true"}},
			{name: "False", request: says("false", "/guarded"), wants: is(status(403))},
			{name: "None", request: says("none", "/guarded"), wants: is(status(200))},
			{name: "1", request: says("one", "/guarded"), wants: is(status(403))},
			{name: "0", request: says("zero", "/guarded"), wants: is(status(403))},
			{name: "an object that is true", request: says("truthy", "/guarded"), wants: is(status(403))},
			{name: "a str", request: says("name", "/guarded"), wants: is(status(403))},
			{name: "an exception", request: says("raise", "/guarded"), wants: is(status(403))},
			{name: "SystemExit", request: says("exit", "/guarded"), wants: is(status(403))},
			{name: "HEAD", request: apachetest.Request{Method: "HEAD", Target: "/guarded", Headers: []apachetest.Header{hd("X-Answer", "false")}}, wants: is(status(403))},
			{name: "not in the section", request: says("false", "/open"), wants: is(status(200))},
			{name: "True, but denied to all", request: says("true", "/denied"), wants: is(status(403))},
			{name: "Satisfy Any, True", request: says("true", "/satisfy-any"), wants: is(status(200))},
			{name: "Satisfy Any, False, no user", request: says("false", "/satisfy-any"), wants: is(status(401))},
			{name: "Satisfy Any, False, a user", request: get("/satisfy-any", hd("X-Answer", "false"), credentials("true", "secret")), wants: is(status(200))},
			{name: "Satisfy Any, an exception, a user", request: get("/satisfy-any", hd("X-Answer", "raise"), credentials("true", "secret")), wants: is(status(200))},
			{name: "Satisfy Any, False, a wrong user", request: get("/satisfy-any", hd("X-Answer", "false"), credentials("true", "wrong")), wants: is(status(401))},
			{name: "Satisfy All, True, no user", request: says("true", "/satisfy-all"), wants: is(status(401))},
			{name: "Satisfy All, True, a user", request: get("/satisfy-all", hd("X-Answer", "true"), credentials("true", "secret")), wants: is(status(200))},
			{name: "Satisfy All, False, a user", request: get("/satisfy-all", hd("X-Answer", "false"), credentials("true", "secret")), wants: is(status(403))},
			{name: "no function", request: get("/no-function"), wants: is(status(403))},
			{name: "no file", request: get("/no-file"), wants: is(status(403))},
			{name: "a syntax error", request: get("/no-syntax"), wants: is(status(403))},
			{name: "a script that raises", request: get("/no-load"), wants: is(status(403))},
			{name: "file, by .htaccess, True", request: says("true", "/files/asked/secret.txt"), wants: is(status(200))},
			{name: "file, by .htaccess, False", request: says("false", "/files/asked/secret.txt"), wants: is(status(403))},
			{name: "file, by .htaccess, no script", request: get("/files/closed/secret.txt"), wants: is(status(403))},
			{name: "file without", request: get("/files/open/public.txt"), wants: is(status(200))},
		},
	}.run(t)
}
