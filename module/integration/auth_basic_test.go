package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

var authModules = []string{"authn_core", "auth_basic", "authn_file", "authz_user", "authz_host"}

// credentials is the header with which a user says who he is.
func credentials(user, password string) apachetest.Header {
	return hd("Authorization", basic(user+":"+password))
}

func TestBasicProviderDecidesByWhatCheckPasswordReturns(t *testing.T) {
	as := func(user string) apachetest.Request { return get("/guarded", credentials(user, "secret")) }
	group{
		name: "basic",
		config: apachetest.Config{Modules: authModules, Conf: `
WSGIScriptAlias /guarded {{.Apps}}/hello.wsgi
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
			{name: "True", request: as("true"), wants: is(status(200))},
			{name: "True, another password", request: get("/guarded", credentials("true", "wrong")), wants: is(status(401))},
			{name: "False", request: as("false"), wants: is(status(401))},
			{name: "None", request: as("none"), wants: is(status(401))},
			{name: "1", request: as("one"), wants: is(status(500))},
			{name: "0", request: as("zero"), wants: is(status(500))},
			{name: "an object that is true", request: as("truthy"), wants: is(status(500))},
			{name: "a list", request: as("list"), wants: is(status(500))},
			{name: "bytes", request: as("bytes"), wants: is(status(500))},
			{name: "an empty str", request: as("empty"), wants: is(status(500))},
			{name: "an exception", request: as("raise"), wants: is(status(500))},
			{name: "SystemExit", request: as("exit"), wants: is(status(500))},
		},
	}.run(t)
}
