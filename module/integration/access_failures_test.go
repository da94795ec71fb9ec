package integration

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

var guardModules = append(slices.Clone(authModules), "auth_digest")

const guards = `
WSGIScriptAliasMatch ^/.+$ {{.Apps}}/hello.wsgi
<LocationMatch ^/(basic|groups|not|none|alias)>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
</LocationMatch>
<LocationMatch ^/(groups|not|none|alias)>
    WSGIAuthGroupScript {{.Apps}}/guard.wsgi
</LocationMatch>
<Location /basic>
    Require valid-user
</Location>
<Location /basic/function>
    WSGIAuthUserScript {{.Apps}}/hello.wsgi
</Location>
<LocationMatch ^/(digest|unset-digest)>
    AuthType Digest
    AuthName guarded
    AuthDigestProvider wsgi
    Require valid-user
</LocationMatch>
<Location /digest>
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
</Location>
<Location /digest/function>
    WSGIAuthUserScript {{.Apps}}/hello.wsgi
</Location>
<Location /groups>
    Require wsgi-group staff
</Location>
<Location /groups/function>
    WSGIAuthGroupScript {{.Apps}}/hello.wsgi
</Location>
<Location /not>
    <RequireAll>
        Require valid-user
        Require not wsgi-group staff
    </RequireAll>
</Location>
<Location /none>
    <RequireAll>
        Require valid-user
        <RequireNone>
            Require wsgi-group staff
        </RequireNone>
    </RequireAll>
</Location>
<AuthzProviderAlias wsgi-group aliased staff>
</AuthzProviderAlias>
<Location /alias>
    <RequireAll>
        Require valid-user
        Require not aliased
    </RequireAll>
</Location>
<Location /access>
    WSGIAccessScript {{.Apps}}/guard.wsgi
</Location>
<Location /access/function>
    WSGIAccessScript {{.Apps}}/hello.wsgi
</Location>
<Location /dispatch>
    WSGIDispatchScript {{.Apps}}/dispatch.wsgi
</Location>
<Location /dispatch/file>
    WSGIDispatchScript {{.Root}}/missing.wsgi
</Location>
`

// unknownGroup is a configuration in which the groups are asked for, but no script for them is named.
const unknownGroup = `
<Location /unset-groups>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    Require wsgi-group staff
</Location>
<Location /unset-not>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    <RequireAll>
        Require valid-user
        Require not wsgi-group staff
    </RequireAll>
</Location>
`

// refusal is a request that must be refused, with what the log must say.
type refusal struct {
	name    string
	request apachetest.Request
	status  int
	log     string // regular expression
}

func (c refusal) check(t *testing.T, s *apachetest.Server) {
	t.Helper()
	mark := s.Mark()
	if r := s.Do(t, c.request); r.Status != c.status || strings.Contains(string(r.Body), "hello") {
		t.Errorf("%s: want status %d\n%s", c.name, c.status, r)
	}
	if c.log != "" {
		mark.Wait(t, c.log)
	}
}

func TestScriptThatCannotDecideRefusesAndTheLogSaysWhy(t *testing.T) {
	cases := []refusal{
		{"a number for a password", as("one", "/basic"), 500, `WSGI0177: .*check_password\(\) .*guard\.wsgi: .* int;`},
		{"an empty name", as("empty", "/basic"), 500, `WSGI0176: `},
		{"a password script that raises", as("raise", "/basic"), 500, `WSGI0174: .*check_password\(\) .*guard\.wsgi: KeyError was raised`},
		{"its traceback", as("raise", "/basic"), 500, `KeyError: 'raised on purpose'`},
		{"a password script that exits", as("exit", "/basic"), 500, `WSGI0175: .*check_password\(\)`},
		{"a name with NUL", as("nul", "/basic"), 500, `WSGI0174: .*ValueError`},
		{"no check_password", as("true", "/basic/function"), 500, `WSGI0043: .*check_password\(\) .*hello\.wsgi`},
		{"groups that are a str", member("text", "/groups"), 401, `WSGI0051: .*groups_for_user\(\) .* str;`},
		{"a group that is a number", member("numbers", "/groups"), 401, `WSGI0050: .* int `},
		{"a group that is not latin-1", member("wide", "/groups"), 401, `WSGI0049: `},
		{"no groups_for_user", member("staff", "/groups/function"), 401, `WSGI0052: .*groups_for_user\(\) .*hello\.wsgi`},
		{"groups that end in an exception", member("half-way", "/groups"), 401, `WSGI0174: .*groups_for_user\(\)`},
		{"in no group", member("empty", "/groups"), 401, `WSGI0059: .*member empty`},
		{"in another group", member("others", "/groups"), 401, `WSGI0060: .*member others.*staff`},
		{"not in a group, but not known", member("raise", "/not"), 500, `WSGI0174: `},
		{"not in a group, but not a list", member("text", "/not"), 500, `WSGI0051: `},
		{"in no such group, but not known", member("raise", "/none"), 500, `WSGI0174: `},
		{"not in the group of an alias, but not known", member("raise", "/alias"), 500, `WSGI0174: `},
		{"in a group that is kept out", member("staff", "/not"), 401, ``},
		{"in a group of which none is let in", member("staff", "/none"), 401, ``},
		{"in a group that an alias keeps out", member("staff", "/alias"), 401, ``},
		{"access of a number", says("one", "/access"), 403, `WSGI0055: .*allow_access\(\) .* int;`},
		{"access refused", says("false", "/access"), 403, `WSGI0057: .*127\.0\.0\.1`},
		{"no allow_access", get("/access/function"), 403, `WSGI0056: `},
		{"a dispatch script that raises", get("/dispatch", applicationGroup("raise")), 500, `WSGI0174: .*application_group\(\) .*dispatch\.wsgi: KeyError`},
		{"a dispatch script that returns a list", get("/dispatch", callableObject("list")), 500, `TypeError: callable_object\(\) must return str or bytes, not list`},
		{"a dispatch script that is not there", get("/dispatch/file"), 500, `WSGI0105: .*missing\.wsgi`},
		{"no script for passwords", as("true", "/unset-basic"), 500, `WSGI0041: .*WSGIAuthUserScript`},
		{"no script for groups", as("true", "/unset-groups"), 401, `WSGI0058: .*WSGIAuthGroupScript`},
		{"no script for groups that are kept out", as("true", "/unset-not"), 500, `WSGI0058: .*WSGIAuthGroupScript`},
	}
	conf := guards + unknownGroup + `
<Location /unset-basic>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    Require valid-user
</Location>
`
	inSettings(t, both(apachetest.MPMs, sizes[:1]), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{Modules: guardModules, Conf: conf}))
		for _, c := range cases {
			c.check(t, s)
		}
		for _, c := range []struct{ target, want, log string }{
			{"/digest/function", "401 500", `WSGI0046: .*get_realm_hash\(\) .*hello\.wsgi`},
			{"/unset-digest", "401 500", `WSGI0044: .*WSGIAuthUserScript`},
		} {
			mark := s.Mark()
			if got := curl(t, s, "text", "secret", c.target); !strings.HasPrefix(got, c.want) {
				t.Errorf("%s: %.100s", c.target, got)
			}
			mark.Wait(t, c.log)
		}
		for user, want := range map[string]string{"empty": "WSGI0178: ", "number": `WSGI0179: .* int;`, "wide": `WSGI0174: .*TypeError`} {
			mark := s.Mark()
			if got := curl(t, s, user, "secret", "/digest"); !strings.HasPrefix(got, "401 500") {
				t.Errorf("%s: %.100s", user, got)
			}
			mark.Wait(t, want)
		}
	})
}

// withoutPython are requests that need a script's decision, in a child in which Python did not start.
var withoutPython = []refusal{
	{"password", as("true", "/basic"), 500, `WSGI0042: .*Python did not start`},
	{"groups", as("true", "/file-groups"), 401, `WSGI0048: .*Python did not start`},
	{"groups that are kept out", as("true", "/file-not"), 500, `WSGI0048: .*Python did not start`},
	{"access", get("/access"), 403, `WSGI0054: .*Python did not start`},
	{"dispatch", get("/dispatch"), 500, `WSGI0086: .*Python did not start`},
}

const fileGroups = `
<LocationMatch ^/file-(groups|not)>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider file
    AuthUserFile {{.Root}}/users
    WSGIAuthGroupScript {{.Apps}}/guard.wsgi
</LocationMatch>
<Location /file-groups>
    Require wsgi-group staff
</Location>
<Location /file-not>
    <RequireAll>
        Require valid-user
        Require not wsgi-group staff
    </RequireAll>
</Location>
`

const secretUser = "true:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" // password: secret

func TestScriptIsNotAskedWhenPythonDidNotStartAndThatRefuses(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{
		Modules: guardModules, Conf: "WSGIPythonHome {{.Root}}/nowhere\n" + guards + fileGroups, Files: map[string]string{"users": secretUser},
	})
	for _, c := range withoutPython {
		c.check(t, s)
	}
}

// With WSGIRestrictEmbedded Python starts in children only when the main configuration asks for a script; one that comes with an .htaccess
// file comes too late.
func TestHtaccessCannotBringScriptsToChildrenWithoutPython(t *testing.T) {
	const htaccess = "AuthType Basic\nAuthName guarded\n"
	files := map[string]string{"users": secretUser}
	for name, text := range map[string]string{
		"access": "WSGIAccessScript {{.Apps}}/guard.wsgi\n",
		"basic":  htaccess + "AuthBasicProvider wsgi\nWSGIAuthUserScript {{.Apps}}/guard.wsgi\nRequire valid-user\n",
		"groups": htaccess + "AuthBasicProvider file\nAuthUserFile {{.Root}}/users\nWSGIAuthGroupScript {{.Apps}}/guard.wsgi\nRequire wsgi-group staff\n",
	} {
		files["site/"+name+"/.htaccess"], files["site/"+name+"/hello.txt"] = text, "hello"
	}
	conf := `
%s
Alias /site {{.Root}}/site
<Directory {{.Root}}/site>
    AllowOverride AuthConfig
</Directory>
`
	restricted := func(on string) *apachetest.Server {
		return apachetest.Start(t, apachetest.Config{Modules: authModules, Conf: strings.Replace(conf, "%s", "WSGIRestrictEmbedded "+on, 1), Templates: files})
	}
	s := restricted("On")
	for _, c := range []refusal{
		{"access", get("/site/access/hello.txt"), 403, `WSGI0054: .*Python did not start`},
		{"password", as("true", "/site/basic/hello.txt"), 500, `WSGI0042: .*Python did not start`},
		{"groups", as("true", "/site/groups/hello.txt"), 401, `WSGI0048: .*Python did not start`},
	} {
		c.check(t, s)
	}
	s = restricted("Off")
	for target, user := range map[string]string{"/site/access/hello.txt": "none", "/site/basic/hello.txt": "true"} {
		if r := s.Do(t, as(user, target)); r.Status != 200 {
			t.Errorf("with Python: %s", r)
		}
	}
}

func TestScriptsThatDecideStartPythonInChildrenThatServeNothing(t *testing.T) {
	inSettings(t, singles, func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{Modules: guardModules, Conf: "WSGIRestrictEmbedded On\n" + guards}))
		for _, request := range []apachetest.Request{as("true", "/basic"), member("staff", "/groups"), says("true", "/access"), get("/dispatch")} {
			if r := s.Do(t, request); r.Status != 200 || string(r.Body) != "hello\n" {
				t.Errorf("%s", r)
			}
		}
		refusal{"embedded", get("/dispatch", processGroup("%{GLOBAL}")), 500, "WSGI0143"}.check(t, s)
	})
}

func TestPasswordsAndHashesAreNotLogged(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Modules: guardModules, LogLevel: "trace8", Conf: guards, Files: map[string]string{}})
	for _, user := range []string{"true", "false", "one", "empty", "exit"} {
		s.Do(t, get("/basic", credentials(user, "secret")))
		s.Do(t, get("/basic", credentials(user, "another-word")))
	}
	for _, line := range strings.Split(s.Log(), "\n") {
		if regexp.MustCompile(`\[wsgi:`).MatchString(line) && (strings.Contains(line, "another-word") || strings.Contains(line, "'secret'")) {
			t.Errorf("the log tells a password: %s", line)
		}
	}
}
