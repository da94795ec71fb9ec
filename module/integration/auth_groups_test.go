package integration

import (
	"testing"

	"modwsgi/module/apachetest"
)

// member is a request of a user of whose groups guard.wsgi says what stands in GROUPS.
func member(of, target string) apachetest.Request { return as("member "+of, target) }

func TestGroupsAreRequiredByName(t *testing.T) {
	const common = `
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    WSGIAuthGroupScript {{.Apps}}/guard.wsgi
`
	group{
		name: "groups",
		config: apachetest.Config{Modules: authModules, Files: map[string]string{
			"everybody.wsgi":      "def groups_for_user(environ, user):\n    return ['everybody']\n",
			"anybody.wsgi":        "def check_password(environ, user, password):\n    return True\n",
			"no/secret.txt":       "no",
			"yes/secret.txt":      "yes",
			"yes/.htaccess":       "WSGIAuthGroupScript ROOT/everybody.wsgi\nRequire wsgi-group everybody\n",
			"unset-user/file.txt": "x",
		}, Conf: `
<AuthzProviderAlias wsgi-group aliased "everybody nobody">
    WSGIAuthGroupScript {{.Root}}/everybody.wsgi
</AuthzProviderAlias>
WSGIScriptAliasMatch ^/.+$ {{.Apps}}/environ.wsgi
<Location /staff>` + common + `Require wsgi-group staff
</Location>
<Location /several>` + common + `Require wsgi-group nobody "the staff" staff
</Location>
<Location /zoe>` + common + "Require wsgi-group Zo\xeb" + `
</Location>
<Location /nameless>` + common + `Require wsgi-group
</Location>
<Location /empty-name>` + common + `Require wsgi-group ""
</Location>
<Location /empty-first>` + common + `Require wsgi-group "" staff
</Location>
<Location /forbidden>` + common + `AuthzSendForbiddenOnFailure On
    Require wsgi-group staff
</Location>
<Location /any>` + common + `<RequireAny>
        Require wsgi-group staff
        Require user "member number"
    </RequireAny>
</Location>
<Location /all>` + common + `<RequireAll>
        Require wsgi-group staff
        Require wsgi-group admin
    </RequireAll>
</Location>
<Location /not>` + common + `<RequireAll>
        Require valid-user
        Require not wsgi-group staff
    </RequireAll>
</Location>
<Location /no-script>` + common + `WSGIAuthGroupScript {{.Root}}/missing.wsgi
    Require wsgi-group staff
</Location>
<Location /no-function>` + common + `WSGIAuthGroupScript {{.Apps}}/hello.wsgi
    Require wsgi-group staff
</Location>
<Location /not-configured>
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi
    Require wsgi-group staff
</Location>
<Location /alias>` + common + `Require aliased
</Location>
`},
		cases: []testCase{
			{name: "nobody", request: get("/staff"), wants: is(status(401))},
			{name: "in the group", request: member("staff", "/staff"), wants: is(status(200), str("REMOTE_USER", "member staff")), logs: []string{"app: groups_for_user staff"}},
			{name: "wrong password", request: get("/staff", credentials("member staff", "wrong")), wants: is(status(401))},
			{name: "in two groups", request: member("two", "/staff"), wants: is(status(200))},
			{name: "in capitals", request: member("capitals", "/staff"), wants: is(status(200))},
			{name: "keys of a dict", request: member("dict", "/staff"), wants: is(status(200))},
			{name: "part of a name", request: member("blanks", "/staff"), wants: is(status(401))},
			{name: "in no group", request: member("empty", "/staff"), wants: is(status(401))},
			{name: "an iterator that is empty", request: member("generator", "/staff"), wants: is(status(401))},
			{name: "None", request: member("none", "/staff"), wants: is(status(401))},
			{name: "a number", request: member("number", "/staff"), wants: is(status(401))},
			{name: "a number among them", request: member("numbers", "/staff"), wants: is(status(401))},
			{name: "a name that is not latin-1", request: member("wide", "/staff"), wants: is(status(401))},
			{name: "a name with NUL", request: member("nul", "/staff"), wants: is(status(401)), oursOnly: true}, // classic: the part before it
			{name: "bytes", request: member("bytes", "/staff"), wants: is(status(401))},
			{name: "__iter__ raises", request: member("stubborn", "/staff"), wants: is(status(401))},
			{name: "raises half-way", request: member("half-way", "/staff"), wants: is(status(401))},
			{name: "an exception", request: member("raise", "/staff"), wants: is(status(401))},
			{name: "SystemExit", request: member("exit", "/staff"), wants: is(status(401))},
			{name: "several, one with a blank", request: member("blanks", "/several"), wants: is(status(200))},
			{name: "several, the last", request: member("staff", "/several"), wants: is(status(200))},
			{name: "several, none", request: member("others", "/several"), wants: is(status(401))},
			{name: "not ASCII", request: member("umlaut", "/zoe"), wants: is(status(200))},
			{name: "no name required", request: member("staff", "/nameless"), wants: is(status(401))},
			{name: "the empty name required", request: member("blank name", "/empty-name"), wants: is(status(401))},
			{name: "a name after an empty one", request: member("staff", "/empty-first"), wants: is(status(401))},
			{name: "the empty name required, others had", request: member("staff", "/empty-name"), wants: is(status(401))},
			{name: "403 instead", request: member("others", "/forbidden"), wants: is(status(403))},
			{name: "403 instead, an exception", request: member("raise", "/forbidden"), wants: is(status(403))},
			{name: "RequireAny, by the group", request: member("staff", "/any"), wants: is(status(200))},
			{name: "RequireAny, by the user", request: member("number", "/any"), wants: is(status(200))},
			{name: "RequireAny, neither", request: member("others", "/any"), wants: is(status(401))},
			{name: "RequireAll, both", request: member("two", "/all"), wants: is(status(200))},
			{name: "RequireAll, one", request: member("staff", "/all"), wants: is(status(401))},
			{name: "not in the group", request: member("others", "/not"), wants: is(status(200))},
			{name: "in a group that is kept out", request: member("staff", "/not"), wants: is(status(401))},
			{name: "no file", request: member("staff", "/no-script"), wants: is(status(401))},
			{name: "no function", request: member("staff", "/no-function"), wants: is(status(401))},
			{name: "not configured", request: member("staff", "/not-configured"), wants: is(status(401))},
			{name: "an alias with a script of its own", request: member("true", "/alias"), wants: is(status(200))},
		},
	}.run(t)
}
