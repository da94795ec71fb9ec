package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// Which process group a request goes to, and which it may go to: reference directives.md, sections 3.1, 5.5 and 5.8.

// whoScript says who runs it, and where the process group says it belongs.
const whoScript = `import os
def application(environ, start_response):
    text = "%s uid=%d gid=%d multiprocess=%s" % (environ["mod_wsgi.process_group"] or "embedded", os.getuid(), os.getgid(), environ["wsgi.multiprocess"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]
handle_request = application
`

// runs wants that a process group ("embedded": an Apache child) has run the request.
func runs(name string) want {
	return func(e apachetest.Exchange) string {
		if e.Status != 200 || !strings.HasPrefix(string(e.Body), name+" uid=") {
			return fmt.Sprintf("answered by %.100q with %d, want process group %q", e.Body, e.Status, name)
		}
		return ""
	}
}

// compareRouting sends every case to both modules under two MPMs.
func compareRouting(t *testing.T, name string, config apachetest.Config, cases []testCase) {
	t.Helper()
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			config.MPM = mpm
			if config.Files == nil {
				config.Files = map[string]string{}
			}
			config.Files["who.wsgi"] = whoScript
			pair := apachetest.StartPair(t, config, listed)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, name, pair, pair.Ours) })
			}
		})
	}
}

const namesConf = `
WSGIDaemonProcess alpha threads=2
WSGIDaemonProcess beta threads=2 processes=1
WSGIDaemonProcess localhost threads=1
WSGIDaemonProcess localhost:8080 threads=1
WSGIDaemonProcess other.test threads=1
WSGIDaemonProcess "localhost|/resource" threads=1
WSGIDaemonProcess %{ODD} threads=1
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /embedded {{.Root}}/who.wsgi
WSGIScriptAlias /literal {{.Root}}/who.wsgi
<Location /literal>
    WSGIProcessGroup alpha
</Location>
WSGIScriptAlias /option {{.Root}}/who.wsgi process-group=beta
<Location /option>
    WSGIProcessGroup alpha
</Location>
WSGIScriptAlias /back {{.Root}}/who.wsgi process-group=%{GLOBAL}
<Location /back>
    WSGIProcessGroup alpha
</Location>
WSGIScriptAlias /env {{.Root}}/who.wsgi process-group=%{ENV:which}
<Location /env>
    SetEnvIf X-Group (.+) which=$1
</Location>
WSGIScriptAlias /case {{.Root}}/who.wsgi process-group=ALPHA
WSGIScriptAlias /unknown {{.Root}}/who.wsgi process-group=gamma
WSGIScriptAlias /server {{.Root}}/who.wsgi process-group=%{SERVER}
WSGIScriptAlias /host {{.Root}}/who.wsgi process-group=%{HOST}
WSGIScriptAlias /resource {{.Root}}/who.wsgi process-group=%{RESOURCE}
WSGIScriptAlias /odd {{.Root}}/who.wsgi process-group=%{ODD}
WSGIHandlerScript who-handler {{.Root}}/who.wsgi process-group=beta
WSGIHandlerScript plain-handler {{.Root}}/who.wsgi
<Location /handler>
    SetHandler who-handler
</Location>
<Location /plain>
    SetHandler plain-handler
    WSGIProcessGroup alpha
</Location>
`

func TestProcessGroupInEveryForm(t *testing.T) {
	group := func(name string) []apachetest.Header { return []apachetest.Header{hd("X-Group", name)} }
	compareRouting(t, "routing", apachetest.Config{Modules: []string{"setenvif"}, Conf: namesConf}, []testCase{
		{name: "none", request: get("/embedded"), wants: is(runs("embedded"))},
		{name: "directive", request: get("/literal"), wants: is(runs("alpha"))},
		{name: "option over directive", request: get("/option"), wants: is(runs("beta"), bodyHas("multiprocess=True"))},
		{name: "without processes", request: get("/literal"), wants: is(runs("alpha"), bodyHas("multiprocess=False"))},
		{name: "GLOBAL over directive", request: get("/back"), wants: is(runs("embedded"))},
		{name: "variable", request: get("/env", group("beta")...), wants: is(runs("beta"))},
		{name: "variable with GLOBAL", request: get("/env", group("%{GLOBAL}")...), wants: is(runs("embedded"))},
		{name: "variable with SERVER", request: get("/env", group("%{SERVER}")...), wants: is(runs("localhost"))},
		{name: "variable with a variable", request: get("/env", group("%{ENV:which}")...), wants: is(status(500))},
		{name: "variable without a group", request: get("/env", group("gamma")...), wants: is(status(500))},
		{name: "variable missing", request: get("/env"), wants: is(status(500))},
		{name: "other case", request: get("/case"), wants: is(status(500))},
		{name: "unknown", request: get("/unknown"), wants: is(status(500))},
		{name: "SERVER", request: get("/server"), wants: is(runs("localhost"))},
		{name: "SERVER with port", request: host("localhost:8080", "/server"), wants: is(runs("localhost:8080"))},
		{name: "HOST", request: host("other.test", "/host"), wants: is(runs("other.test"))},
		{name: "HOST in capitals", request: host("OTHER.test", "/host"), wants: is(runs("other.test"))},
		{name: "HOST unknown", request: host("third.test", "/host"), wants: is(status(500))},
		{name: "RESOURCE", request: get("/resource/more"), wants: is(runs("localhost|/resource"))},
		{name: "no token", request: get("/odd"), wants: is(runs("%{ODD}"))},
		{name: "handler script", request: get("/handler"), wants: is(runs("beta"))},
		{name: "handler script in a section", request: get("/plain"), wants: is(runs("alpha"))},
	})
}

const restrictConf = `
WSGIDaemonProcess alpha threads=2
WSGIDaemonProcess beta threads=2
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /alpha {{.Root}}/who.wsgi process-group=alpha
WSGIScriptAlias /beta {{.Root}}/who.wsgi process-group=beta
WSGIScriptAlias /embedded {{.Root}}/who.wsgi
WSGIScriptAlias /nothing {{.Root}}/who.wsgi process-group=alpha
WSGIScriptAlias /chosen {{.Root}}/who.wsgi process-group=%{ENV:which}
WSGIRestrictProcess ALPHA
<Location /chosen>
    SetEnvIf X-Group (.+) which=$1
    WSGIRestrictProcess Beta %{GLOBAL}
</Location>
<Location /nothing>
    WSGIRestrictProcess
</Location>
`

func TestProcessGroupsCanBeRestricted(t *testing.T) {
	compareRouting(t, "restrict", apachetest.Config{Modules: []string{"setenvif"}, Conf: restrictConf}, []testCase{
		{name: "listed in another case", request: get("/alpha"), wants: is(runs("alpha"))},
		{name: "not listed", request: get("/beta"), wants: is(status(500))},
		{name: "embedded not listed", request: get("/embedded"), wants: is(status(500))},
		{name: "nothing listed", request: get("/nothing"), wants: is(status(500))},
		{name: "inner list", request: get("/chosen", hd("X-Group", "beta")), wants: is(runs("beta"))},
		{name: "inner list replaces the outer", request: get("/chosen", hd("X-Group", "alpha")), wants: is(status(500))},
		{name: "GLOBAL listed", request: get("/chosen", hd("X-Group", "%{GLOBAL}")), wants: is(runs("embedded"))},
	})
}

const virtualHostConf = `
Listen 127.0.0.1:{{port "second"}}
WSGIApplicationGroup %{GLOBAL}
WSGIDaemonProcess of-main threads=1
SetEnvIf X-Group (.+) which=$1
WSGIProcessGroup %{ENV:which}
WSGIScriptAlias / {{.Root}}/who.wsgi
<VirtualHost *:{{.Port}}>
    ServerName one.test
    ServerAlias also-one.test
    WSGIDaemonProcess of-one threads=1
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName two.test
    WSGIDaemonProcess of-two threads=1
</VirtualHost>
<VirtualHost *:{{port "second"}}>
    ServerName one.test
</VirtualHost>
<VirtualHost *:{{port "second"}}>
    ServerName ONE.test
    ServerAlias capitals.test
</VirtualHost>
`

func TestGroupsBelongToTheirVirtualHost(t *testing.T) {
	to := func(hostName, group string) apachetest.Request {
		return apachetest.Request{Host: hostName, Headers: []apachetest.Header{hd("X-Group", group)}}
	}
	config := apachetest.Config{Modules: []string{"setenvif"}, Conf: virtualHostConf}
	compareRouting(t, "vhost", config, []testCase{
		{name: "main server's group", request: to("one.test", "of-main"), wants: is(runs("of-main"))},
		{name: "own group", request: to("one.test", "of-one"), wants: is(runs("of-one"))},
		{name: "own group by alias", request: to("also-one.test", "of-one"), wants: is(runs("of-one"))},
		{name: "another's group", request: to("one.test", "of-two"), wants: is(status(500))},
		{name: "the other way", request: to("two.test", "of-one"), wants: is(status(500))},
	})
	// The same ServerName at another port.
	config.Files = map[string]string{"who.wsgi": whoScript}
	s := apachetest.Start(t, config)
	port, err := s.PortOf("second")
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	if answer := apachetest.DoAddr(t, address, nil, to("one.test", "of-one")); answer.Status != 200 {
		t.Errorf("same ServerName: %s", answer)
	}
	if answer := apachetest.DoAddr(t, address, nil, to("capitals.test", "of-one")); answer.Status != 500 {
		t.Errorf("ServerName in capitals: %s", answer)
	}
	s.WaitLog(t, `WSGI0152: .*'of-one' belongs to another virtual host`)
}

func TestRefusedRoutesAreLoggedWithTheirCodes(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{
		Modules: []string{"setenvif"}, Conf: restrictConf + "WSGIScriptAlias /unknown {{.Root}}/who.wsgi process-group=gamma\n<Location /unknown>\nWSGIRestrictProcess gamma\n</Location>\n",
		Files: map[string]string{"who.wsgi": whoScript},
	})
	for target, pattern := range map[string]string{
		"/beta":     `WSGI0149: .*'beta'`,
		"/embedded": `WSGI0149: .*%{GLOBAL}`,
		"/unknown":  `WSGI0151: .*'gamma'`,
	} {
		mark := s.Mark()
		s.Get(t, target)
		mark.Wait(t, pattern)
	}
	without := apachetest.Start(t, apachetest.Config{
		Conf: "WSGIScriptAlias / {{.Root}}/who.wsgi process-group=gamma", Files: map[string]string{"who.wsgi": whoScript},
	})
	without.Get(t, "/")
	without.WaitLog(t, `WSGI0150: .*'gamma'`)
}

// ---- script-user=, script-group= ----

const (
	daemonUser, binUser = 1, 2 // of every Debian: daemon and bin
	mailGroup           = 8
)

func TestOnlyScriptsOfTheirOwnerRun(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	config := apachetest.Config{
		Conf: `
WSGIDaemonProcess of-user threads=1 script-user=daemon
WSGIDaemonProcess of-group threads=1 script-group=mail
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /user {{.Root}}/owned/who.wsgi process-group=of-user
WSGIScriptAlias /group {{.Root}}/owned/who.wsgi process-group=of-group
`,
		Files: map[string]string{"owned/who.wsgi": whoScript},
	}
	pair := apachetest.StartPair(t, config, listed)
	type rights struct {
		uid, gid int
		mode     os.FileMode
	}
	goodFile, goodFolder := rights{daemonUser, mailGroup, 0o644}, rights{daemonUser, mailGroup, 0o755}
	for _, c := range []struct {
		name         string
		file, folder rights
		user, group  int // code of the refusal, 0: it runs
	}{
		{"all right", goodFile, goodFolder, 0, 0},
		{"file of another user", rights{binUser, mailGroup, 0o644}, goodFolder, 164, 0},
		{"file of another group", rights{daemonUser, binUser, 0o644}, goodFolder, 0, 155},
		{"group may write to the file", rights{daemonUser, mailGroup, 0o664}, goodFolder, 166, 0},
		{"everybody may write to the file", rights{daemonUser, mailGroup, 0o646}, goodFolder, 168, 157},
		{"folder of another user", goodFile, rights{binUser, mailGroup, 0o755}, 171, 0},
		{"folder of another group", goodFile, rights{daemonUser, binUser, 0o755}, 0, 160},
		{"group may write to the folder", goodFile, rights{daemonUser, mailGroup, 0o775}, 173, 0},
		{"everybody may write to the folder", goodFile, rights{daemonUser, mailGroup, 0o757}, 172, 161},
	} {
		for _, s := range []*apachetest.Server{pair.Classic, pair.Ours} {
			give(t, filepath.Join(s.Root, "owned/who.wsgi"), c.file.uid, c.file.gid, c.file.mode)
			give(t, filepath.Join(s.Root, "owned"), c.folder.uid, c.folder.gid, c.folder.mode)
		}
		for target, code := range map[string]int{"/user": c.user, "/group": c.group} {
			t.Run(c.name+target, func(t *testing.T) {
				mark := pair.Ours.Mark()
				wanted := is(runs("of" + strings.Replace(target, "/", "-", 1)))
				if code != 0 {
					wanted = is(status(403))
				}
				testCase{name: "case", request: get(target), wants: wanted}.run(t, "owner", pair, pair.Ours)
				if code != 0 {
					mark.Wait(t, fmt.Sprintf("WSGI%04d: .*who.wsgi.* script-(user|group)=", code))
				}
			})
		}
	}
}

func give(t *testing.T, path string, uid, gid int, mode os.FileMode) {
	t.Helper()
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// ---- Examples of the configuration guidelines ----

func TestTwoVirtualHostsRunAsUsersOfTheirOwn(t *testing.T) {
	root := os.Getuid() == 0
	as := func(group string, uid, gid int) want {
		if !root {
			uid, gid = os.Getuid(), os.Getgid() // user= and group= do not count
		}
		return body(fmt.Sprintf("%s uid=%d gid=%d multiprocess=True", group, uid, gid))
	}
	compareRouting(t, "users", apachetest.Config{
		Conf: `
<VirtualHost *:{{.Port}}>
    ServerName www.site1.test
    ErrorLog {{.Root}}/logs/site1.log
    WSGIDaemonProcess www.site1.test user=daemon group=daemon processes=2 threads=25
    WSGIProcessGroup www.site1.test
    WSGIScriptAlias / {{.Root}}/who.wsgi
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName www.site2.test
    ErrorLog {{.Root}}/logs/site2.log
    WSGIDaemonProcess www.site2.test user=bin group=bin processes=2 threads=25
    WSGIProcessGroup www.site2.test
    WSGIScriptAlias / {{.Root}}/who.wsgi
</VirtualHost>
`,
	}, []testCase{
		{name: "first", request: host("www.site1.test", "/"), wants: is(as("www.site1.test", daemonUser, daemonUser))},
		{name: "second", request: host("www.site2.test", "/"), wants: is(as("www.site2.test", binUser, binUser))},
	})
}

func TestDatabaseChoosesTheProcessGroup(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	source, database := filepath.Join(folder, "map.txt"), filepath.Join(folder, "map.dbm")
	if err := os.WriteFile(source, []byte("/a alpha\n/b beta\n/e %{GLOBAL}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("httxt2dbm", "-f", "SDBM", "-i", source, "-o", database).CombinedOutput(); err != nil {
		t.Fatalf("httxt2dbm: %v\n%s", err, out)
	}
	openUp(t, folder)
	compareRouting(t, "database", apachetest.Config{
		Modules: []string{"rewrite"},
		Data:    database,
		Conf: `
WSGIDaemonProcess alpha threads=2
WSGIDaemonProcess beta threads=2
WSGIScriptAlias / {{.Root}}/who.wsgi
RewriteEngine On
RewriteMap wsgiprocmap dbm=sdbm:{{.Data}}
RewriteRule . - [E=PROCESS_GROUP:${wsgiprocmap:%{REQUEST_URI}}]
WSGIProcessGroup %{ENV:PROCESS_GROUP}
`,
	}, []testCase{
		{name: "one", request: get("/a"), wants: is(runs("alpha"))},
		{name: "another", request: get("/b"), wants: is(runs("beta"))},
		{name: "embedded by name", request: get("/e"), wants: is(runs("embedded"))},
		{name: "not in the database", request: get("/other"), wants: is(runs("embedded"))},
	})
}

// openUp lets children of Apache's read what lies in a folder of the test's, and come there.
func openUp(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if err := os.Chmod(filepath.Join(folder, entry.Name()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for ; folder != os.TempDir() && folder != "/"; folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
