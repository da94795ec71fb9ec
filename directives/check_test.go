package directives

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each case is a configuration and what Check says of it, in order; a part of each line is enough. Lines are numbered from
// 1, and the first is the one after the opening quotation mark.
func TestWholeConfigurations(t *testing.T) {
	for _, c := range []struct {
		name, config string
		facts        map[string]string
		want         []string
	}{
		{name: "all mistakes are reported in one run, in order", config: `WSGIPythonOptimize
WSGIScriptAlias /a
WSGIScriptReloading maybe
WSGIDaemonProcess x treads=1 processes=0`,
			want: []string{"error 1: WSGIPythonOptimize: takes one", "error 2: WSGIScriptAlias: takes at least two", "error 3: WSGIScriptReloading:",
				"error 4: WSGIDaemonProcess: unknown option 'treads'; did you mean 'threads'?", "error 4: WSGIDaemonProcess: option 'processes': \"0\" is out of range", "warning 4: WSGIDaemonProcess: nothing uses"}},
		{name: "what daemon processes do not need may stay", config: `WSGISocketRotation On
WSGIAcceptMutex flock
WSGISocketRotation Off`,
			want: []string{"notice 2: WSGIAcceptMutex: it does nothing and may be removed", "notice 3: WSGISocketRotation: it does nothing and may be removed: every start takes new"}},
		{name: "the embedded group needs no warning", config: "WSGIProcessGroup %{GLOBAL}"},
		{name: "directives of the main server elsewhere", config: `<VirtualHost v>
WSGIPythonHome /usr
</VirtualHost>
<Limit GET>
WSGIPythonHome /usr
WSGIScriptReloading On
</Limit>
<Directory /d>
WSGIPythonHome /usr
WSGIScriptAlias / /x
</Directory>
WSGIAccessScript /x`,
			want: []string{"error 2: WSGIPythonHome: not allowed in <VirtualHost>", "error 5: WSGIPythonHome: not allowed in <Limit>", "warning 6: WSGIScriptReloading: <Limit> does not limit it",
				"error 9: WSGIPythonHome: not allowed in a section", "error 10: WSGIScriptAlias: not allowed in a section", "error 12: WSGIAccessScript: not allowed outside a section"}},
		{name: "group names are unique", config: `WSGIDaemonProcess a
WSGIProcessGroup a
<VirtualHost v>
WSGIDaemonProcess a
</VirtualHost>`,
			want: []string{`error 4: WSGIDaemonProcess: the group "a" is already declared on line 1 of httpd.conf`}},
		{name: "unused and undeclared groups", config: `WSGIDaemonProcess first
WSGIDaemonProcess second
WSGIProcessGroup frist`,
			want: []string{"warning 1: WSGIDaemonProcess: nothing uses the process group \"first\"", "warning 2: WSGIDaemonProcess: nothing uses", `warning 3: WSGI0151 WSGIProcessGroup: the process group "frist" is not declared by any WSGIDaemonProcess; did you mean 'first'?`}},
		{name: "no groups at all", config: "WSGIProcessGroup x", want: []string{"warning 1: WSGI0150 WSGIProcessGroup"}},
		{name: "an environment variable may name any group", config: `WSGIDaemonProcess a
WSGIProcessGroup %{ENV:GROUP}
WSGIScriptAlias / /x`},
		{name: "a dispatch script may choose any group", config: `WSGIDaemonProcess a
WSGIDispatchScript /d.py
WSGIScriptAlias / /x`},
		{name: "embedded although groups exist", config: `WSGIDaemonProcess a
WSGIScriptAlias /x /x process-group=a
WSGIScriptAlias /y /y
WSGIScriptAlias /z /z process-group=%{GLOBAL}`,
			want: []string{"warning 3: WSGIScriptAlias: the application runs embedded although"}},
		{name: "embedded although forbidden", config: `WSGIRestrictEmbedded On
WSGIScriptAlias /y /y`,
			want: []string{"warning 2: WSGI0143 WSGIScriptAlias: the application runs embedded, which WSGIRestrictEmbedded forbids"}},
		{name: "a section may route to a group", config: `WSGIDaemonProcess a
WSGIScriptAlias /y /y
<Location /y>
WSGIProcessGroup a
</Location>`},
		{name: "a preloading alias needs its group before it", config: `WSGIScriptAlias /x /x process-group=a application-group=%{GLOBAL}
WSGIDaemonProcess a
WSGIScriptAlias /y /y process-group=b application-group=%{GLOBAL}
WSGIScriptAlias /z /z process-group=b
WSGIScriptAliasMatch /w/(.*) /w/$1 process-group=c application-group=%{GLOBAL}`,
			want: []string{`error 1: WSGIScriptAlias: the process group "a" is declared only on line 2 of httpd.conf`, `error 3: WSGI0151 WSGIScriptAlias: the process group "b" is not declared`, `warning 4: WSGI0151 WSGIScriptAlias: the process group "b" is not declared`, `warning 5: WSGI0151 WSGIScriptAliasMatch: the process group "c" is not declared`}},
		{name: "a group belongs to its virtual host", config: `<VirtualHost a>
ServerName a
WSGIDaemonProcess g
WSGIScriptAlias /x /x process-group=g application-group=%{GLOBAL}
</VirtualHost>
<VirtualHost a>
ServerName a
WSGIScriptAlias /x /x process-group=g application-group=%{GLOBAL}
</VirtualHost>
<VirtualHost b>
ServerName b
WSGIProcessGroup g
WSGIScriptAlias /x /x process-group=g application-group=%{GLOBAL}
WSGIImportScript /i.py process-group=g application-group=x
</VirtualHost>`,
			want: []string{`warning 12: WSGI0152 WSGIProcessGroup: the process group "g" belongs to another virtual host, a (line 1`, "error 13: WSGI0152 WSGIScriptAlias", "error 14: WSGI0152 WSGIImportScript"}},
		{name: "shadowed aliases", config: `WSGIScriptAlias /a/b /1
WSGIScriptAlias /a /2
WSGIScriptAlias /a/c /3
WSGIScriptAlias //a /4
WSGIScriptAlias /ab /5
WSGIScriptAlias /a/ /6/
WSGIScriptAliasMatch ^/x /7
WSGIScriptAliasMatch ^/x /8
WSGIScriptAlias /d/ /9/
WSGIScriptAlias /d /10
WSGIScriptAlias / /11
WSGIScriptAlias /e /12`,
			want: []string{`warning 3: WSGIScriptAlias: "/a/c" never gets a request: "/a" on line 2`, `warning 4: WSGIScriptAlias: "//a" never`, `warning 6: WSGIScriptAlias: "/a/" never`,
				`warning 8: WSGIScriptAliasMatch: "^/x" never`, `warning 12: WSGIScriptAlias: "/e" never gets a request: "/" on line 11`}},
		{name: "an alias with a slash at its end covers what is below", config: "WSGIScriptAlias /a/ /1/\nWSGIScriptAlias /a/b /2\nWSGIScriptAlias /a /3",
			want: []string{`warning 2: WSGIScriptAlias: "/a/b" never gets a request: "/a/" on line 1`}},
		{name: "the main server may name the group of a virtual host, which inherits that", config: "WSGIProcessGroup g\n<VirtualHost a>\nServerName a\nWSGIDaemonProcess g\n</VirtualHost>"},
		{name: "aliases hidden by virtual hosts", config: `WSGIScriptAlias /status /1
WSGIScriptAlias /app /2
<VirtualHost a>
WSGIScriptAlias / /3
WSGIScriptAlias /app /4
</VirtualHost>
<VirtualHost b>
WSGIScriptAlias /app /5
</VirtualHost>`,
			want: []string{`warning 1: WSGIScriptAlias: "/status" never gets a request in 1 of the virtual hosts: "/" of the virtual host comes first, as on line 4`,
				`warning 2: WSGIScriptAlias: "/app" never gets a request in 2`, `warning 5: WSGIScriptAlias: "/app" never gets a request: "/" on line 4`}},
		{name: "overriding the same path is only noticed", config: `WSGIScriptAlias /app /1
<VirtualHost a>
WSGIScriptAlias /app /2
</VirtualHost>`,
			want: []string{`notice 1: WSGIScriptAlias: "/app" never gets a request in 1`}},
		{name: "proxy headers from anybody", config: `<VirtualHost a>
WSGITrustedProxyHeaders X-Forwarded-For
WSGITrustedProxies 10.1
</VirtualHost>
<VirtualHost b>
WSGITrustedProxyHeaders X-Forwarded-For
</VirtualHost>`,
			want: []string{"warning 6: WSGITrustedProxyHeaders: the headers count whoever sends them"}},
		{name: "the main server's proxies hold everywhere", config: `WSGITrustedProxies 10.1
<VirtualHost b>
WSGITrustedProxyHeaders X-Forwarded-For
</VirtualHost>`},
		{name: "interpreter options", config: `<WSGIInterpreterOptions process-group=nobody>
WSGIPythonPath /a
WSGIScriptAlias / /x
<WSGIInterpreterOptions >
</WSGIInterpreterOptions>`,
			want: []string{"warning 1: WSGI0150 <WSGIInterpreterOptions>", "warning 3: WSGIScriptAlias: inside <WSGIInterpreterOptions> it takes effect", "error 4: <WSGIInterpreterOptions>: the section may not stand inside"}},
		{name: "an open section", config: "<WSGIInterpreterOptions >", want: []string{"error 1: <WSGIInterpreterOptions>: the section is not closed"}},
		{name: "own GILs before Python 3.12", facts: map[string]string{"python_version": "3.11"}, config: "WSGIPerInterpreterGIL On\nWSGIFreeThreading On",
			want: []string{"warning 1: WSGI0198", "warning 2: WSGI0200 WSGIFreeThreading: it does nothing: Python 3.11 runs with its GIL"}},
		{name: "own GILs with Python 3.12", facts: map[string]string{"python_version": "3.12.1"}, config: "WSGIPerInterpreterGIL On"},
		{name: "free threading", facts: map[string]string{"python_version": "3.13.1"}, config: "WSGIFreeThreading On\n<WSGIInterpreterOptions application-group=x>\nWSGIFreeThreading On\n</WSGIInterpreterOptions>",
			want: []string{"warning 1: WSGI0200 WSGIFreeThreading: it does nothing: Python 3.13", "warning 3: WSGI0201"}},
		{name: "chroot needs root", facts: map[string]string{"euid": "1000"}, config: "WSGIDaemonProcess a chroot=/srv user=daemon\nWSGIProcessGroup a",
			want: []string{"error 1: WSGIDaemonProcess: option 'chroot': it needs an Apache that is started as root", "warning 1: WSGIDaemonProcess: the options 'user'"}},
		{name: "chroot as root", facts: map[string]string{"euid": "0"}, config: "WSGIDaemonProcess a chroot=/srv user=daemon\nWSGIProcessGroup a"},
		{name: "socket prefix", facts: map[string]string{"server_root": "/no/such/root"}, config: "WSGISocketPrefix run/" + strings.Repeat("x", 90) + "\nWSGIDaemonProcess a\nWSGIProcessGroup a",
			want: []string{`warning 1: WSGISocketPrefix: the directory "/no/such/root/run" does not exist`, "warning 1: WSGI0064"}},
		{name: "deprecated", config: "WSGIVerboseDebugging On\n<Location />\nWSGIGroupAuthoritative On\n</Location>",
			want: []string{"notice 1: WSGIVerboseDebugging: it does nothing", "notice 3: WSGIGroupAuthoritative: it does nothing"}},
		{name: "restricted to unknown groups", config: "WSGIDaemonProcess aaa\nWSGIProcessGroup aaa\nWSGIRestrictProcess AAA other %{GLOBAL}",
			want: []string{`warning 3: WSGI0151 WSGIRestrictProcess: the process group "other"`}},
	} {
		r := record(t, c.config)
		r.Facts = c.facts
		got := checked(r)
		if !slices.EqualFunc(got, c.want, strings.Contains) {
			t.Errorf("%s\n%s\nsays\n  %s\nwant\n  %s", c.name, c.config, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}

func TestPatternsAreLeftToApache(t *testing.T) {
	patterns := Check(record(t, "WSGIScriptAlias /a /b\nWSGIScriptAliasMatch \"^/(a b)\" /c")).Patterns
	want := []Pattern{{Regex: "^/(a b)", Directive: "WSGIScriptAliasMatch", File: "httpd.conf", Line: 2}}
	if !slices.Equal(patterns, want) {
		t.Errorf("patterns %v, want %v", patterns, want)
	}
}

func TestSuggestions(t *testing.T) {
	candidates := []string{"threads", "processes", "process-group"}
	for word, want := range map[string]string{"thread": "threads", "htreads": "threads", "Processes": "processes", "proces-group": "process-group", "xyz": "", "": "", strings.Repeat("t", 1000): ""} {
		if want != "" {
			want = "; did you mean '" + want + "'?"
		}
		if got := suggestion(word, candidates); got != want {
			t.Errorf("%q suggests %q, want %q", word, got, want)
		}
	}
}

func TestTwoThousandVirtualHostsAreCheckedInNoTime(t *testing.T) {
	var config strings.Builder
	config.WriteString("WSGIDaemonProcess shared\nWSGIScriptAlias /status /srv/status.wsgi\n")
	for i := range 2000 {
		fmt.Fprintf(&config, "<VirtualHost *>\nServerName host%d.example\nWSGIDaemonProcess group%d threads=5\nWSGIProcessGroup group%d\nWSGIScriptAlias /app%d /srv/%d/app.wsgi application-group=%%{GLOBAL} process-group=group%d\n"+
			"WSGIScriptReloading Off\nWSGIPassAuthorization On\n</VirtualHost>\n", i, i, i, i, i, i)
	}
	encoded := record(t, config.String()).Encode()
	const limit = 500 * time.Millisecond
	total := time.Hour
	for attempt := 0; attempt < 5 && total > limit; attempt++ { // the machine may be busy with something else
		start := time.Now()
		r, err := Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		found := Check(r)
		answer := EncodeAnswer(found)
		checkedIn := time.Since(start)
		c, err := Compile(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Servers) != 2001 || len(c.Process.Groups) != 2001 || len(c.Servers[2000].Aliases) != 2 {
			t.Errorf("%d servers, %d groups, %d aliases", len(c.Servers), len(c.Process.Groups), len(c.Servers[2000].Aliases))
		}
		total = time.Since(start)
		t.Logf("%d records in %d bytes: checked in %v, compiled in %v more; %d problems in %d bytes", len(r.Records), len(encoded), checkedIn, total-checkedIn, len(found.Problems), len(answer))
	}
	if total > limit {
		t.Errorf("checking and compiling took %v", total)
	}
}
