package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

func TestDirectoryGuardedByAnAccessScriptStaysClosed(t *testing.T) {
	group{
		name: "access script",
		config: apachetest.Config{Conf: `
WSGIScriptAlias /guarded {{.Apps}}/hello.wsgi
<Location /guarded>
    WSGIAccessScript {{.Apps}}/hello.wsgi
</Location>
WSGIScriptAlias /open {{.Apps}}/hello.wsgi
Alias /files {{.Root}}/site
<Directory {{.Root}}/site>
    AllowOverride AuthConfig
</Directory>
`,
			Files: map[string]string{
				"site/closed/.htaccess":  "WSGIAccessScript /nowhere/access.wsgi\n",
				"site/closed/secret.txt": "secret",
				"site/open/public.txt":   "public",
			}},
		cases: []testCase{
			{name: "application", request: get("/guarded"), wants: is(status(403)), oursOnly: true},
			{name: "another one", request: get("/open"), wants: is(status(200)), oursOnly: true},
			{name: "file, by .htaccess", request: get("/files/closed/secret.txt"), wants: is(status(403)), oursOnly: true},
			{name: "file without", request: get("/files/open/public.txt"), wants: is(status(200)), oursOnly: true},
		},
	}.run(t)
}
