package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

var authModules = []string{"authn_core", "auth_basic", "authn_file", "authz_user", "authz_host", "authz_groupfile"}

// credentials is the header with which a user says who he is.
func credentials(user, password string) apachetest.Header {
	return hd("Authorization", basic(user+":"+password))
}

// as is a request of a user who knows the password that guard.wsgi wants.
func as(user, target string) apachetest.Request { return get(target, credentials(user, "secret")) }

func TestBasicProviderDecidesByWhatCheckPasswordReturns(t *testing.T) {
	as := func(user string) apachetest.Request { return as(user, "/guarded") }
	group{
		name: "basic",
		config: apachetest.Config{Modules: authModules, Conf: `
WSGIScriptAlias /guarded {{.Apps}}/environ.wsgi
<Location /guarded>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    Require valid-user
</Location>
`},
		cases: []testCase{
			{name: "nobody", request: get("/guarded"), wants: is(status(401), header("WWW-Authenticate", `Basic realm="guarded"`))},
			{name: "True", request: as("true"), wants: is(str("REMOTE_USER", "true"), str("AUTH_TYPE", "Basic"), noEnv("HTTP_AUTHORIZATION")),
				logs: []string{"app: check_password true"}},
			{name: "True, another password", request: get("/guarded", credentials("true", "wrong")), wants: is(status(401))},
			{name: "True, no password", request: get("/guarded", credentials("true", "")), wants: is(status(401))},
			{name: "False", request: as("false"), wants: is(status(401))},
			{name: "None", request: as("none"), wants: is(status(401))},
			{name: "another name", request: as("name"), wants: is(str("REMOTE_USER", "somebody else"))},
			{name: "a name that is not ASCII", request: as("umlaut"), wants: is(str("REMOTE_USER", "Zo\u00c3\u00ab"))},
			{name: "a name that is not latin-1", request: as("wide"), wants: is(str("REMOTE_USER", "\u00e4\u00b8\u00ad"))},
			{name: "a name of two lines", request: as("line"), wants: is(str("REMOTE_USER", "some\nbody"))},
			{name: "a name with NUL", request: as("nul"), wants: is(status(500)), oursOnly: true}, // classic: the part before it
			{name: "a lone surrogate", request: as("surrogate"), wants: is(status(500))},
			{name: "a user that is not ASCII", request: as("\xc3\xa9"), wants: is(status(500))},
			{name: "1", request: as("one"), wants: is(status(500))},
			{name: "0", request: as("zero"), wants: is(status(500))},
			{name: "an object that is true", request: as("truthy"), wants: is(status(500))},
			{name: "a list", request: as("list"), wants: is(status(500))},
			{name: "bytes", request: as("bytes"), wants: is(status(500))},
			{name: "an empty str", request: as("empty"), wants: is(status(500))},
			{name: "an exception", request: as("raise"), wants: is(status(500))},
			{name: "SystemExit", request: as("exit"), wants: is(status(500))},
			{name: "no user name", request: as(""), wants: is(status(500))},
		},
	}.run(t)
}

func TestBasicProviderStandsBesideOthers(t *testing.T) {
	const common = `
    AuthType Basic
    AuthName guarded
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    AuthUserFile {{.Root}}/users
    Require valid-user
`
	group{
		name: "providers",
		config: apachetest.Config{Modules: authModules, Files: map[string]string{
			// All with the password "filed".
			"users":               "carol:{SHA}vvmBDk32ZNVpDrKVB8LK0EVs9Do=\nfalse:{SHA}vvmBDk32ZNVpDrKVB8LK0EVs9Do=\nnone:{SHA}vvmBDk32ZNVpDrKVB8LK0EVs9Do=\nraise:{SHA}vvmBDk32ZNVpDrKVB8LK0EVs9Do=\n",
			"only-passwords.wsgi": "def check_password(environ, user, password):\n    return {'carol': None}.get(user, password == 'filed')\n",
			"other.wsgi":          "def check_password(environ, user, password):\n    return password == 'other'\n",
		}, Conf: `
<AuthnProviderAlias wsgi aliased>
    WSGIAuthUserScript {{.Root}}/other.wsgi
</AuthnProviderAlias>
<AuthnProviderAlias wsgi grouped>
    WSGIAuthUserScript {{.Root}}/only-passwords.wsgi application-group=%{SERVER}
</AuthnProviderAlias>
WSGIScriptAliasMatch ^/.+$ {{.Apps}}/environ.wsgi
<Location /file-first>` + common + `AuthBasicProvider file wsgi
</Location>
<Location /script-first>` + common + `AuthBasicProvider wsgi file
</Location>
<Location /not-authoritative>` + common + `AuthBasicProvider wsgi
    AuthBasicAuthoritative Off
</Location>
<Location /alias>` + common + `AuthBasicProvider aliased
</Location>
<Location /aliases>` + common + `AuthBasicProvider grouped aliased
</Location>
<Location /no-script>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    Require valid-user
</Location>
<Location /no-function>` + common + `AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/hello.wsgi
</Location>
<Location /no-file>` + common + `AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Root}}/missing.wsgi
</Location>
`},
		cases: []testCase{
			{name: "file, then script: in the file", request: get("/file-first", credentials("carol", "filed")), wants: is(status(200))},
			{name: "file, then script: unknown to both", request: get("/file-first", credentials("none", "filed")), wants: is(status(200))},
			{name: "file, then script: wrong in the file", request: as("false", "/file-first"), wants: is(status(401))},
			{name: "file, then script: not in the file", request: as("true", "/file-first"), wants: is(status(200))},
			{name: "script, then file: None", request: as("none", "/script-first"), wants: is(status(401))},
			{name: "script, then file: False", request: get("/script-first", credentials("false", "filed")), wants: is(status(401))},
			{name: "script, then file: an error", request: as("raise", "/script-first"), wants: is(status(500))},
			{name: "not authoritative: None", request: as("none", "/not-authoritative"), wants: is(status(500))},
			{name: "not authoritative: False", request: as("false", "/not-authoritative"), wants: is(status(401))},
			{name: "not authoritative: an error", request: as("raise", "/not-authoritative"), wants: is(status(500))},
			{name: "an alias with a script of its own", request: get("/alias", credentials("dave", "other")), wants: is(status(200))},
			{name: "an alias, wrong password", request: as("dave", "/alias"), wants: is(status(401))},
			{name: "two aliases, the first", request: get("/aliases", credentials("dave", "filed")), wants: is(status(200))},
			{name: "two aliases, the second", request: get("/aliases", credentials("carol", "other")), wants: is(status(200))},
			{name: "two aliases, neither", request: get("/aliases", credentials("carol", "filed")), wants: is(status(401))},
			{name: "no script", request: as("true", "/no-script"), wants: is(status(500))},
			{name: "no function", request: as("true", "/no-function"), wants: is(status(500))},
			{name: "no file", request: as("true", "/no-file"), wants: is(status(500))},
		},
	}.run(t)
}

func TestFormProviderAsksTheScript(t *testing.T) {
	login := func(user, password string) apachetest.Request {
		return post("/login", "httpd_username="+user+"&httpd_password="+password, hd("Content-Type", "application/x-www-form-urlencoded"))
	}
	group{
		name: "form",
		mpms: []apachetest.MPM{apachetest.Event},
		config: apachetest.Config{Modules: append(authModules, "auth_form", "request", "session", "session_cookie"), Conf: `
<Location /login>
    SetHandler form-login-handler
    AuthType form
    AuthName guarded
    AuthFormProvider wsgi
    AuthFormLoginSuccessLocation /inside
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    Session On
    SessionCookieName session path=/
</Location>
`},
		cases: []testCase{
			{name: "True", request: login("true", "secret"), wants: is(status(302), header("Location", "/inside"))},
			{name: "wrong password", request: login("true", "wrong"), wants: is(status(401))},
			{name: "None", request: login("none", "secret"), wants: is(status(401))},
			{name: "an exception", request: login("raise", "secret"), wants: is(status(500))},
		},
	}.run(t)
}
