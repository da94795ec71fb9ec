package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// `apachectl configtest`: every mistake in one run, warnings for what is surely not meant.

func TestConfigtestReportsEveryMistakeInOneRun(t *testing.T) {
	lines := []struct{ directive, reason string }{ // reason: regular expression, on the line that names the place
		{"WSGIScriptAlias /a", "WSGIScriptAlias"},
		{"WSGIChunkedRequest Maybe", "On.*Off|Off.*On"},
		{"WSGIDaemonProcess one thread=5", `'?"?thread'?"?.*did you mean.*threads`},
		{"WSGIDaemonProcess two processes=0", "processes"},
		{"WSGIDaemonProcess two threads=5", "two"},
		{"WSGIScriptAliasMatch ^/([ {{.Apps}}/$1.wsgi", "WSGIScriptAliasMatch"},
		{"WSGIScriptAlias /b {{.Apps}}/hello.wsgi application-grop=x", `did you mean.*application-group`},
		{"WSGIPythonHashSeed maybe", "WSGIPythonHashSeed"},
		{"WSGITrustedProxies 10.0.0.0/99", "WSGITrustedProxies"},
		{"WSGIMapHEADToGET Sometimes", "Auto"},
		{"WSGIImportScript {{.Apps}}/hello.wsgi", "WSGIImportScript"},
	}
	var conf strings.Builder
	for n, line := range lines {
		if n == 5 {
			fmt.Fprintf(&conf, "<VirtualHost *:{{.Port}}>\n%s\n</VirtualHost>\n", line.directive)
		} else {
			conf.WriteString(line.directive + "\n")
		}
	}
	conf.WriteString("<VirtualHost *:{{.Port}}>\nWSGIPythonHome /x\n</VirtualHost>\n")
	s := apachetest.New(t, apachetest.Config{Conf: conf.String()})
	code, output := s.Configtest(t)
	if code == 0 {
		t.Errorf("it exits with 0")
	}
	text, err := readConf(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		rendered := strings.ReplaceAll(line.directive, "{{.Apps}}", s.Root+"/apps")
		number := lineNumber(text, rendered)
		place := regexp.MustCompile(fmt.Sprintf(`(?m)^.*(line %d of %s/httpd.conf|%s/httpd.conf:%d\b).*$`, number, s.Root, s.Root, number))
		// Apache prints the place and the reason on one line or on two.
		found := place.FindStringIndex(output)
		if found == nil {
			t.Errorf("no complaint about line %d: %s", number, rendered)
			continue
		}
		near := output[max(0, found[0]-300):min(len(output), found[1]+300)]
		if !regexp.MustCompile(line.reason).MatchString(near) {
			t.Errorf("line %d, %s: nothing like %q near its place", number, rendered, line.reason)
		}
	}
	if !strings.Contains(output, "WSGIPythonHome") {
		t.Errorf("no complaint about a directive of the whole server in a virtual host")
	}
	if t.Failed() {
		t.Logf("the output:\n%s", output)
	}
}

func readConf(s *apachetest.Server) (string, error) {
	return s.ReadFile("httpd.conf")
}

// lineNumber is where a text stands in a file, counted from 1.
func lineNumber(text, line string) int {
	before, _, _ := strings.Cut(text, line+"\n")
	return strings.Count(before, "\n") + 1
}

func TestConfigtestReportsDirectivesInTheWrongPlaceTogether(t *testing.T) {
	code, output := apachetest.Configtest(t, apachetest.Config{Conf: `
<Directory {{.Apps}}>
    WSGIScriptAlias /x {{.Apps}}/hello.wsgi
    WSGIDaemonProcess inside
</Directory>
<VirtualHost *:{{.Port}}>
    WSGIPythonHome /x
</VirtualHost>
WSGIChunkedRequest Maybe
`})
	if code == 0 {
		t.Error("it exits with 0")
	}
	for _, name := range []string{"WSGIScriptAlias", "WSGIDaemonProcess", "WSGIPythonHome", "WSGIChunkedRequest"} {
		if !strings.Contains(output, name) {
			t.Errorf("no complaint about %s", name)
		}
	}
	if t.Failed() {
		t.Logf("the output:\n%s", output)
	}
}

func TestConfigtestAcceptsWhatIsRight(t *testing.T) {
	code, output := apachetest.Configtest(t, apachetest.Config{Conf: `
WSGIScriptAlias / {{.Apps}}/hello.wsgi
WSGIApplicationGroup %{GLOBAL}
WSGIPassAuthorization On
`})
	if code != 0 || !strings.Contains(output, "Syntax OK") || strings.Contains(output, "WSGI") {
		t.Errorf("exit code %d:\n%s", code, output)
	}
}

func TestConfigtestWarnsOfWhatIsSurelyNotMeant(t *testing.T) {
	for name, c := range map[string]struct{ conf, warning string }{
		"a group that is never used": {"WSGIDaemonProcess lonely\nWSGIScriptAlias / {{.Apps}}/hello.wsgi\n", "lonely"},
		"a shadowed alias":           {"WSGIScriptAlias /w {{.Apps}}/hello.wsgi\nWSGIScriptAlias /w/sub {{.Apps}}/hello.wsgi\n", "/w/sub"},
		"a group never defined":      {"WSGIScriptAlias / {{.Apps}}/hello.wsgi\nWSGIProcessGroup nowhere\n", "nowhere"},
		"embedded although there are groups": {"WSGIDaemonProcess used\nWSGIScriptAlias /d {{.Apps}}/hello.wsgi process-group=used\n" +
			"WSGIScriptAlias /e {{.Apps}}/hello.wsgi\n", "embedded"},
	} {
		t.Run(name, func(t *testing.T) {
			code, output := apachetest.Configtest(t, apachetest.Config{Conf: c.conf})
			if code != 0 || !strings.Contains(output, "Syntax OK") {
				t.Errorf("a warning must not stop the server (exit code %d)", code)
			}
			if !regexp.MustCompile(`(?m)^.*` + regexp.QuoteMeta(c.warning) + `.*line \d+ of .*$|^.*httpd.conf:\d+.*` + regexp.QuoteMeta(c.warning)).MatchString(output) {
				t.Errorf("no warning with place and %q:\n%s", c.warning, output)
			}
		})
	}
}

func TestMistakeInHtaccessFailsTheRequestAndIsLoggedWithItsPlace(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{
		Modules: []string{"mime"},
		Conf: `
Alias /site {{.Root}}/site
<Directory {{.Root}}/site>
    AllowOverride FileInfo
    Options ExecCGI
    AddHandler wsgi-script .wsgi
</Directory>
`,
		Files: map[string]string{
			"site/good/.htaccess":      "WSGIPassAuthorization On\nWSGICallableObject application\n",
			"site/good/app.wsgi":       dumpScript,
			"site/mistake/.htaccess":   "# a comment\nWSGIPassAuthorization Perhaps\n",
			"site/mistake/app.wsgi":    dumpScript,
			"site/misplaced/.htaccess": "WSGIScriptAlias /x /y\n",
			"site/misplaced/app.wsgi":  dumpScript,
			"site/group/.htaccess":     "WSGIApplicationGroup x\n",
			"site/group/app.wsgi":      dumpScript,
			"site/auth/.htaccess":      "WSGIAuthUserScript /x\n",
			"site/auth/app.wsgi":       dumpScript,
			"site/dispatch/.htaccess":  "WSGIDispatchScript /x\n",
			"site/dispatch/app.wsgi":   dumpScript,
		},
	})
	if problem := str("HTTP_AUTHORIZATION", "Bearer x")(apachetest.Exchange{Response: s.Get(t, "/site/good/app.wsgi", hd("Authorization", "Bearer x"))}); problem != "" {
		t.Error(problem)
	}
	for path, text := range map[string]string{
		"mistake": "mistake/.htaccess", "misplaced": "misplaced/.htaccess", "group": "group/.htaccess", "auth": "auth/.htaccess", "dispatch": "dispatch/.htaccess",
	} {
		mark := s.Mark()
		if r := s.Get(t, "/site/"+path+"/app.wsgi"); r.Status != 500 {
			t.Errorf("%s: status %d", path, r.Status)
		}
		line := mark.Wait(t, regexp.QuoteMeta(text))
		if path == "mistake" && (!strings.Contains(line, "WSGIPassAuthorization") || !regexp.MustCompile(`\b2\b`).MatchString(line)) {
			t.Errorf("directive or line number is missing: %s", line)
		}
	}
	if r := s.Get(t, "/site/good/app.wsgi"); r.Status != 200 {
		t.Errorf("afterwards: %s", r)
	}
}

// TestConfigtestOfTwoThousandVirtualHostsIsFast holds the target of the issue: below 2 s.
func TestConfigtestOfTwoThousandVirtualHostsIsFast(t *testing.T) {
	const hosts, limit = 2000, 2 * time.Second
	var conf strings.Builder
	for n := range hosts {
		fmt.Fprintf(&conf, "<VirtualHost *:{{.Port}}>\nServerName host%d.test\nWSGIScriptAlias /a {{.Apps}}/hello.wsgi\nWSGIScriptAlias / {{.Apps}}/environ.wsgi\nWSGIApplicationGroup g%d\nWSGIPassAuthorization On\nWSGICallableObject application\n</VirtualHost>\n", n, n)
	}
	s := apachetest.New(t, apachetest.Config{Conf: conf.String()})
	best := time.Hour
	for range 3 { // the machine may be busy with something else
		start := time.Now()
		code, output := s.Configtest(t)
		best = min(best, time.Since(start))
		if code != 0 {
			t.Fatalf("exit code %d: %.2000s", code, output)
		}
		if best < limit {
			t.Logf("%d virtual hosts with five directives each: %v", hosts, best)
			return
		}
	}
	t.Errorf("%d virtual hosts with five directives each: %v, more than %v", hosts, best, limit)
}
