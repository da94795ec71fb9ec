package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// What scripts that decide about a request learn of it. guard.wsgi, in the main interpreter of Apache's child, shows it afterwards.
func TestScriptsThatDecideGetAnEnvironOfTheirOwn(t *testing.T) {
	group{
		name: "deciding environ",
		config: apachetest.Config{Modules: append(authModules, "env", "setenvif"), Conf: `
WSGIScriptAlias /show {{.Apps}}/guard.wsgi
<Location /show>
    WSGIProcessGroup %{GLOBAL}
    WSGIApplicationGroup %{GLOBAL}
    SetEnv SOME thing
    SetEnvIf Host . OTHER=thing
</Location>
<Location /show/access>
    WSGIAccessScript {{.Apps}}/guard.wsgi
</Location>
<Location /show/access/native>
    WSGIPassApacheRequest On
</Location>
<Location /show/access/host>
    HostnameLookups On
</Location>
<Location /show/password>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    Require valid-user
</Location>
<Location /show/groups>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    WSGIAuthGroupScript {{.Apps}}/guard.wsgi
    Require wsgi-group staff
</Location>
`},
		cases: []testCase{
			{name: "access", request: get("/show/access", hd("Authorization", "Basic x"), hd("Proxy-Authorization", "Basic y"), hd("Cookie", "a=b"), hd("X_Y", "1"), hd("X-Y", "2")),
				wants: is(str("guard.function", "allow_access 127.0.0.1"), str("mod_wsgi.process_group", ""), str("mod_wsgi.application_group", ""), str("guard.group", ""),
					str("REQUEST_METHOD", "GET"), str("SCRIPT_NAME", "/show"), str("PATH_INFO", "/access"), str("HTTP_COOKIE", "a=b"), str("HTTP_X_Y", "2"), str("REMOTE_ADDR", "127.0.0.1"),
					env("mod_ssl.is_https", "builtin_function_or_method", nil), env("mod_ssl.var_lookup", "builtin_function_or_method", nil), env("wsgi.errors", "TextIOWrapper", nil),
					env("mod_wsgi.version", "tuple", []int{6, 0, 5}),
					noEnv("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "SOME", "OTHER", "REMOTE_USER", "AUTH_TYPE", "SCRIPT_FILENAME", "REQUEST_SCHEME", "wsgi.input", "wsgi.url_scheme", "REMOTE_HOST", "apache.request_rec"))},
			{name: "path and query", request: get("/show/access//a%20b/c?d=e%20f&g"), wants: is(str("REQUEST_URI", "/show/access//a%20b/c?d=e%20f&g"), str("QUERY_STRING", "d=e%20f&g"))},
			{name: "doubled slashes", request: get("//show//access")},
			{name: "a body", request: post("/show/access", "a=b", hd("Content-Type", "application/x-www-form-urlencoded")), wants: is(str("CONTENT_LENGTH", "3"), str("CONTENT_TYPE", "application/x-www-form-urlencoded"))},
			{name: "another host", request: host("elsewhere.test:8080", "/show/access"), wants: is(str("SERVER_NAME", "elsewhere.test"), str("SERVER_PORT", "8080"))},
			{name: "a host with markup", request: host("a<b", "/show/access"), wants: is(status(400))},
			{name: "not ASCII", request: get("/show/access/\xc3\xa9", hd("X-Y", "\xe9")), wants: is(str("HTTP_X_Y", "\u00e9"), str("PATH_INFO", "/access/\u00c3\u00a9"))},
			{name: "a header called Proxy", request: get("/show/access", hd("Proxy", "http://evil.test/")), wants: is(noEnv("HTTP_PROXY"))},
			{name: "Apache's request", request: get("/show/access/native"), wants: is(env("apache.request_rec", "PyCapsule", nil))},
			{name: "a client with a name", request: get("/show/access/host"), wants: is(str("guard.function", "allow_access localhost"), str("REMOTE_HOST", "localhost"))},
			{name: "password", request: as("true", "/show/password"), wants: is(str("guard.function", "check_password"), noEnv("REMOTE_USER", "AUTH_TYPE", "HTTP_AUTHORIZATION"))},
			{name: "groups", request: member("staff", "/show/groups"), wants: is(str("guard.function", "groups_for_user"), noEnv("REMOTE_USER", "AUTH_TYPE", "HTTP_AUTHORIZATION"))},
		},
	}.run(t)
}

func TestScriptsThatDecideRunInTheApplicationGroupOfTheirOption(t *testing.T) {
	groupIs := func(name string) want {
		return func(e apachetest.Exchange) string {
			if problem := str("mod_wsgi.application_group", name)(e); problem != "" {
				return problem
			}
			return str("guard.group", name)(e)
		}
	}
	group{
		name: "deciding group",
		config: apachetest.Config{Modules: append(authModules, "env"), Conf: `
WSGIScriptAlias /show {{.Apps}}/guard.wsgi
<LocationMatch ^/show>
    WSGIProcessGroup %{GLOBAL}
</LocationMatch>
<Location /show/global>
    WSGIAccessScript {{.Apps}}/guard.wsgi application-group=%{GLOBAL}
    WSGIApplicationGroup %{GLOBAL}
</Location>
<Location /show/literal>
    WSGIAccessScript {{.Apps}}/guard.wsgi application-group=deciding
    WSGIApplicationGroup deciding
</Location>
<Location /show/server>
    WSGIAccessScript {{.Apps}}/guard.wsgi application-group=%{SERVER}
    WSGIApplicationGroup %{SERVER}
</Location>
<Location /show/host>
    WSGIAccessScript {{.Apps}}/guard.wsgi application-group=%{HOST}
    WSGIApplicationGroup %{HOST}
</Location>
<Location /show/resource>
    WSGIAccessScript {{.Apps}}/guard.wsgi application-group=%{RESOURCE}
    SetEnv group %{RESOURCE}
    WSGIApplicationGroup %{NONE}
</Location>
<Location /show/user>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi application-group=users
    WSGIApplicationGroup users
    Require valid-user
</Location>
`},
		cases: []testCase{
			{name: "GLOBAL", request: get("/show/global"), wants: is(groupIs(""))},
			{name: "literal", request: get("/show/literal"), wants: is(groupIs("deciding"))},
			{name: "SERVER", request: get("/show/server"), wants: is(groupIs("localhost"))},
			{name: "HOST", request: host("elsewhere.test:8080", "/show/host"), wants: is(groupIs("elsewhere.test:8080"))},
			{name: "RESOURCE is a literal", request: get("/show/resource"), wants: is(status(200))},
			{name: "users", request: as("true", "/show/user"), wants: is(groupIs("users"))},
		},
	}.run(t)
}
