package directives

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestCompiledProcessSettings(t *testing.T) {
	p := func(c *Config) *ProcessSettings { return &c.Process }
	for _, c := range []struct {
		config string
		get    func(*Config) any
		want   any
	}{
		{"", func(c *Config) any { return p(c).CaseSensitivity }, true},
		{"WSGICaseSensitivity Off", func(c *Config) any { return p(c).CaseSensitivity }, false},
		{"", func(c *Config) any { return p(c).DestroyInterpreter }, true},
		{"WSGIDestroyInterpreter Off", func(c *Config) any { return p(c).DestroyInterpreter }, false},
		{"WSGIDontWriteBytecode On", func(c *Config) any { return p(c).DontWriteBytecode }, true},
		{"WSGIRestrictEmbedded On", func(c *Config) any { return p(c).RestrictEmbedded }, On},
		{"WSGIServerMetrics On", func(c *Config) any { return p(c).ServerMetrics }, true},
		{`WSGIPythonHome "/a b"`, func(c *Config) any { return p(c).PythonHome }, "/a b"},
		{"WSGIPythonEggs /e", func(c *Config) any { return p(c).PythonEggs }, "/e"},
		{"WSGIPythonOptimize 2x", func(c *Config) any { return p(c).PythonOptimize }, 2},
		{"WSGIPythonOptimize -1", func(c *Config) any { return p(c).PythonOptimize }, 0},
		{"WSGIPythonWarnings a\nWSGIPythonWarnings b", func(c *Config) any { return p(c).PythonWarnings }, []string{"a", "b"}},
		{"WSGIPythonHashSeed 7", func(c *Config) any { return p(c).PythonHashSeed }, HashSeed{Fixed: true, Value: 7}},
		{"WSGIPythonHashSeed 7\nWSGIPythonHashSeed random", func(c *Config) any { return p(c).PythonHashSeed }, HashSeed{}},
		{"WSGIPythonPath /a:/b", func(c *Config) any { return p(c).PythonPath }, []string{"/a", "/b"}},
		{"WSGIRestrictStdin On", func(c *Config) any { return p(c).RestrictStdin }, On},
		{"WSGIRestrictStdout On", func(c *Config) any { return p(c).RestrictStdout }, On},
		{"WSGIRestrictSignal Off", func(c *Config) any { return p(c).RestrictSignal }, Off},
		{"WSGIPerInterpreterGIL On", func(c *Config) any { return p(c).PerInterpreterGIL }, On},
		{"WSGIFreeThreading On", func(c *Config) any { return p(c).FreeThreading }, On},
		{"WSGISwitchInterval 0.25", func(c *Config) any { return p(c).SwitchInterval }, 250 * time.Millisecond},
		{"WSGIAcceptMutex FLOCK", func(c *Config) any { return p(c).AcceptMutex }, "flock"},
		{"WSGISocketPrefix run/x", func(c *Config) any { return p(c).SocketPrefix }, "run/x"},
		{"", func(c *Config) any { return p(c).SocketRotation }, true},
		{"WSGISocketRotation Off", func(c *Config) any { return p(c).SocketRotation }, false},
		{"WSGISlowRequests 1.5", func(c *Config) any { return p(c).SlowRequests }, 1500 * time.Millisecond},
		{"WSGISlowRequests 1e300", func(c *Config) any { return p(c).SlowRequests > 0 }, true},
		{"WSGITelemetryService unix:/s", func(c *Config) any { return p(c).TelemetryTarget }, "/s"},
		{"WSGITelemetryService unix:/s", func(c *Config) any { return p(c).TelemetryInterval }, time.Second},
		{"WSGITelemetryService unix:/s interval=2.5", func(c *Config) any { return p(c).TelemetryInterval }, 2500 * time.Millisecond},
		{"WSGITelemetryOptions +CaptureUserAgent", func(c *Config) any { return p(c).CaptureUserAgent }, true},
		{"WSGITelemetryOptions All\nWSGITelemetryOptions -CaptureUserAgent", func(c *Config) any { return p(c).CaptureUserAgent }, false},
		{"WSGITelemetryOptions All\nWSGITelemetryOptions None", func(c *Config) any { return p(c).CaptureUserAgent }, false},
		{"WSGILazyInitialization Off", func(c *Config) any { return len(c.Servers) }, 1},
	} {
		if got := c.get(compiled(t, c.config)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s gives %v, want %v", c.config, got, c.want)
		}
	}
}

func TestCompiledDaemonGroups(t *testing.T) {
	defaults := compiled(t, "WSGIDaemonProcess a").Process.Groups[0]
	want := DaemonGroup{Name: "a", Processes: 1, Threads: 15, Umask: -1, ListenBacklog: 100, ShutdownTimeout: 5 * time.Second, DeadlockTimeout: 300 * time.Second,
		GracefulTimeout: 15 * time.Second, ConnectTimeout: 15 * time.Second, ResponseFlushDelay: 5 * time.Millisecond, IdleTimeout: 300 * time.Second, KeepOldCode: true,
		BufferSize: 256 << 20, BufferMemory: 256 << 10, BufferDirectory: "/var/tmp", RequestBuffer: 16 << 20, place: defaults.place}
	if !reflect.DeepEqual(*defaults, want) {
		t.Errorf("defaults are %+v, want %+v", *defaults, want)
	}
	for _, c := range []struct {
		option string
		field  string
		want   any
	}{
		{"user=#5", "User", Account("#5")}, {"group=x", "Group", Account("x")}, {"socket-user=x", "SocketUser", Account("x")}, {"script-user=x", "ScriptUser", Account("x")},
		{"script-group=x", "ScriptGroup", Account("x")}, {"supplementary-groups=a,#5", "SupplementaryGroups", []Account{"a", "#5"}}, {"supplementary-groups=", "SupplementaryGroups", []Account{}},
		{"processes=3", "Processes", 3}, {"processes=1", "ProcessesGiven", true}, {"threads=0", "Threads", 0}, {"threads=1 threads=2", "Threads", 2}, {"umask=027", "Umask", 0o27}, {"umask=0", "Umask", 0},
		{"chroot=/c", "Chroot", "/c"}, {"home=/h", "Home", "/h"}, {"lang=x", "Lang", "x"}, {"locale=x", "Locale", "x"}, {"display-name=%{GROUP}", "DisplayName", "(wsgi:a)"}, {"display-name=x", "DisplayName", "x"},
		{"python-home=/p", "PythonHome", "/p"}, {"python-eggs=/e", "PythonEggs", "/e"}, {`python-path="/a b:/c"`, "PythonPath", []string{"/a b", "/c"}},
		{"switch-interval=0.5", "SwitchInterval", 500 * time.Millisecond}, {"stack-size=1", "StackSize", 1}, {"maximum-requests=9", "MaximumRequests", 9}, {"listen-backlog=0", "ListenBacklog", 0},
		{"startup-timeout=9", "StartupTimeout", 9 * time.Second}, {"shutdown-timeout=0", "ShutdownTimeout", time.Duration(0)}, {"deadlock-timeout=9", "DeadlockTimeout", 9 * time.Second},
		{"inactivity-timeout=9", "InactivityTimeout", 9 * time.Second}, {"request-timeout=9", "RequestTimeout", 9 * time.Second}, {"interrupt-timeout=9", "InterruptTimeout", 9 * time.Second},
		{"graceful-timeout=9", "GracefulTimeout", 9 * time.Second}, {"eviction-timeout=9", "EvictionTimeout", 9 * time.Second}, {"restart-interval=9", "RestartInterval", 9 * time.Second},
		{"connect-timeout=9", "ConnectTimeout", 9 * time.Second}, {"socket-timeout=9", "SocketTimeout", 9 * time.Second}, {"queue-timeout=45s", "QueueTimeout", 45 * time.Second},
		{"response-socket-timeout=9", "ResponseSocketTimeout", 9 * time.Second}, {"response-flush-delay=9", "ResponseFlushDelay", 9 * time.Millisecond}, {"cpu-time-limit=9", "CPUTimeLimit", 9 * time.Second},
		{"send-buffer-size=512", "SendBufferSize", 512}, {"receive-buffer-size=512", "ReceiveBufferSize", 512}, {"header-buffer-size=8192", "HeaderBufferSize", 8192}, {"response-buffer-size=65536", "ResponseBufferSize", 65536},
		{"cpu-priority=-5", "CPUPriority", -5}, {"memory-limit=8589934592", "MemoryLimit", int64(8589934592)}, {"virtual-memory-limit=5", "VirtualMemoryLimit", int64(5)}, {"server-metrics=on", "ServerMetrics", true},
		{"memory-recycle=1048576", "MemoryRecycle", int64(1 << 20)}, {"maximum-processes=4 idle-timeout=9", "IdleTimeout", 9 * time.Second},
		{"keep-old-code=off", "KeepOldCode", false},
		{"buffer-size=0", "BufferSize", int64(0)}, {"buffer-size=65536", "BufferSize", int64(65536)}, {"buffer-memory=5", "BufferMemory", int64(5)},
		{"buffer-directory=/b", "BufferDirectory", "/b"}, {"request-buffer=5", "RequestBuffer", int64(5)},
	} {
		g := compiled(t, "WSGIDaemonProcess a "+c.option).Process.Groups[0]
		if got := reflect.ValueOf(*g).FieldByName(c.field).Interface(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s gives %s %v, want %v", c.option, c.field, got, c.want)
		}
	}
}

func TestHowManyProcessesAnElasticGroupHas(t *testing.T) {
	for _, c := range []struct {
		options            string
		least, start, most int
		elastic, multi     bool
	}{
		{"", 1, 1, 1, false, false},
		{"processes=1", 1, 1, 1, false, true},
		{"processes=3", 3, 3, 3, false, true},
		{"maximum-processes=4", 1, 1, 4, true, true},
		{"maximum-processes=1", 1, 1, 1, true, false},
		{"processes=2 maximum-processes=4", 2, 2, 4, true, true},
		{"minimum-processes=0", 0, 0, 1, true, false},
		{"minimum-processes=3", 3, 3, 3, true, true},
		{"minimum-processes=0 maximum-processes=4", 0, 0, 4, true, true},
		{"minimum-processes=1 processes=4", 1, 4, 4, true, true},
		{"minimum-processes=0 processes=2 maximum-processes=4", 0, 2, 4, true, true},
	} {
		g := compiled(t, "WSGIDaemonProcess a "+c.options).Process.Groups[0]
		if g.LeastProcesses() != c.least || g.Processes != c.start || g.MostProcesses() != c.most || g.Elastic() != c.elastic || g.Multiprocess() != c.multi {
			t.Errorf("%q: %d to %d processes, %d at the start, elastic %v, wsgi.multiprocess %v, want %+v", c.options, g.LeastProcesses(), g.MostProcesses(), g.Processes,
				g.Elastic(), g.Multiprocess(), c)
		}
	}
}

func TestAliasesOfTheVirtualHostComeFirst(t *testing.T) {
	c := compiled(t, `WSGIDaemonProcess g
WSGIScriptAlias /m /main
<VirtualHost a>
WSGIScriptAlias /v "/v b" process-group=g application-group=%{GLOBAL} callable-object=app pass-authorization=On
WSGIScriptAliasMatch ^/r(.*) /r$1 application-group=%{ENV:x}
</VirtualHost>
<VirtualHost b>
</VirtualHost>
WSGIScriptAlias /n /main2`)
	locations := func(server int) string {
		var list []string
		for _, a := range c.Servers[server].Aliases {
			list = append(list, a.Location+" "+a.Target)
		}
		return strings.Join(list, ", ")
	}
	for server, want := range []string{"/m /main, /n /main2", "/v /v b, ^/r(.*) /r$1, /m /main, /n /main2", "/m /main, /n /main2"} {
		if got := locations(server); got != want {
			t.Errorf("server %d has %s, want %s", server, got, want)
		}
	}
	first, second := *c.Servers[1].Aliases[0], *c.Servers[1].Aliases[1]
	first.place, second.place = place{}, place{}
	if want := (Alias{Location: "/v", Target: "/v b", ProcessGroup: Name{NameLiteral, "g"}, ApplicationGroup: Name{Kind: NameGlobal}, CallableObject: "app", PassAuthorization: On}); first != want {
		t.Errorf("alias %+v, want %+v", first, want)
	}
	if want := (Alias{Location: "^/r(.*)", Regex: true, Target: "/r$1", ApplicationGroup: Name{NameEnv, "x"}}); second != want {
		t.Errorf("alias %+v, want %+v", second, want)
	}
}

func TestScriptsToImportAtStart(t *testing.T) {
	c := compiled(t, `WSGIDaemonProcess g
WSGIScriptAlias /1 /one process-group=g application-group=%{GLOBAL}
WSGIScriptAlias /2 /two process-group=g
WSGIScriptAlias /3 /three process-group=%{SERVER} application-group=x
WSGIScriptAlias /4 /four process-group=%{GLOBAL} application-group=a
WSGIScriptAliasMatch /5/(.*) /five/$1 process-group=g application-group=a
WSGIScriptAliasMatch /6 /six process-group=g application-group=a
WSGIScriptAlias /7 /seven process-group=g application-group=a-%{HOST}
WSGIImportScript /eight process-group=g application-group=%{GLOBAL}`)
	var got []string
	for _, s := range c.Process.ImportScripts {
		got = append(got, s.Path+":"+s.ProcessGroup+":"+s.ApplicationGroup)
	}
	if want := "/one:g: /four::a /six:g:a /eight:g:"; strings.Join(got, " ") != want {
		t.Errorf("imports %s, want %s", got, want)
	}
}

func TestPythonInChildrenIsSkippedOnlyIfNothingNeedsIt(t *testing.T) {
	for config, want := range map[string]bool{
		"":                         true,
		"WSGIRestrictEmbedded Off": true,
		"WSGIRestrictEmbedded On":  false,
		"WSGIRestrictEmbedded On\n<Location />\nWSGIAccessScript /a\n</Location>":                               true,
		"WSGIRestrictEmbedded On\nWSGIDispatchScript /a":                                                        true,
		"WSGIRestrictEmbedded On\nWSGIImportScript /a process-group=%{GLOBAL} application-group=%{GLOBAL}":      true,
		"WSGIRestrictEmbedded On\nWSGIDaemonProcess g\nWSGIImportScript /a process-group=g application-group=x": false,
	} {
		if got := compiled(t, config).Process.PythonNeeded(); got != want {
			t.Errorf("%q: %v, want %v", config, got, want)
		}
	}
}

func TestInterpreterOptionsKeepTheirValuesApart(t *testing.T) {
	c := compiled(t, `WSGIPythonPath /top
<WSGIInterpreterOptions process-group=%{GLOBAL} "application-group=a b">
WSGIPythonPath /in
WSGIRestrictStdin On
WSGISwitchInterval 1
</WSGIInterpreterOptions>
<WSGIInterpreterOptions application-group=>
WSGIFreeThreading On
</WSGIInterpreterOptions>
WSGIRestrictStdout On`)
	if got := c.Process.InterpreterValues; !reflect.DeepEqual(got, InterpreterValues{PythonPath: []string{"/top"}, RestrictStdout: On}) {
		t.Errorf("top level %+v", got)
	}
	var got []InterpreterOptions
	for _, o := range c.Process.InterpreterOptions {
		o.place = place{}
		got = append(got, *o)
	}
	want := []InterpreterOptions{
		{ProcessGroup: Name{Kind: NameGlobal}, ApplicationGroup: Name{NameLiteral, "a b"}, InterpreterValues: InterpreterValues{PythonPath: []string{"/in"}, RestrictStdin: On, SwitchInterval: time.Second}},
		{ApplicationGroup: Name{Kind: NameGlobal}}, // WSGI0201: FreeThreading is ignored there
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sections %+v, want %+v", got, want)
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]Name{
		"x": {NameLiteral, "x"}, "%{GLOBAL}": {NameGlobal, ""}, "%{RESOURCE}": {NameResource, ""}, "%{SERVER}": {NameServer, ""}, "%{HOST}": {NameHost, ""},
		"%{ENV:a b}": {NameEnv, "a b"}, "%{ENV:}": {NameLiteral, "%{ENV:}"}, "%{ENV:a": {NameLiteral, "%{ENV:a"}, "%{global}": {NameLiteral, "%{global}"},
		"a-%{SERVER}": {NameLiteral, "a-%{SERVER}"}, "%{SERVER}x": {NameLiteral, "%{SERVER}x"}, "%": {NameLiteral, "%"},
	} {
		if got := groupNames.parse(text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
		if got := groupNames.parse(text).String(); got != text {
			t.Errorf("%q is written %q", text, got)
		}
	}
	for text, want := range map[string]NameKind{"%{RESOURCE}": NameLiteral, "%{ENV:x}": NameLiteral, "%{HOST}": NameHost, "%{SERVER}": NameServer, "%{GLOBAL}": NameGlobal} {
		if got := scriptNames.parse(text).Kind; got != want {
			t.Errorf("a script's %q is of kind %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]Name{"app": {NameLiteral, "app"}, "%{ENV:x}": {NameEnv, "x"}, "%{GLOBAL}": {NameLiteral, "application"}, "%x": {NameLiteral, "application"}, "x%": {NameLiteral, "x%"}} {
		settings, err := compiled(t, "WSGICallableObject "+text).Settings(0, nil, nil)
		if got := settings.CallableObject; err != nil || got != want {
			t.Errorf("the callable %q is %v, want %v (%v)", text, got, want, err)
		}
	}
}

func TestTrustedProxies(t *testing.T) {
	for word, want := range map[string]string{"10.1.2.3": "10.1.2.3/32", "10.1": "10.1.0.0/16", "10.": "10.0.0.0/8", "10.1.2.3.": "10.1.2.3/32", "10.1.2.3/8": "10.0.0.0/8", "10.1/24": "10.1.0.0/24",
		"10.1.2.3/255.255.0.0": "10.1.0.0/16", "010.1.1.1": "10.1.1.1/32", "fd00::1": "fd00::1/128", "fd00::1/8": "fd00::/8", "::1": "::1/128"} {
		got, err := parseProxy(word)
		if err != nil || got != netip.MustParsePrefix(want) {
			t.Errorf("%s is %v (%v), want %s", word, got, err, want)
		}
	}
}

func TestTrustedProxyHeadersInOrder(t *testing.T) {
	s, err := compiled(t, "WSGITrustedProxyHeaders x-real-ip X-Nothing\nWSGITrustedProxyHeaders X-Forwarded-HTTPS").Settings(0, nil, nil)
	want := []ProxyHeader{{"HTTP_X_REAL_IP", ProxyClient}, {"HTTP_X_FORWARDED_HTTPS", ProxySecure}}
	if err != nil || !reflect.DeepEqual(s.TrustedProxyHeaders, want) {
		t.Errorf("headers %v, want %v", s.TrustedProxyHeaders, want)
	}
	if ProxyForwardedFor.Group() != ProxyClient || ProxySecure.Group() != ProxyScheme || ProxyHost.Group() != ProxyHost {
		t.Error("categories are grouped wrongly")
	}
	if all := ProxyHeaders(); len(all) != 15 || all[0] != (ProxyHeader{"HTTP_X_FORWARDED_FOR", ProxyForwardedFor}) {
		t.Errorf("all headers are %v", all)
	}
}

func TestCompileRefusesWhatCheckRefuses(t *testing.T) {
	_, err := Compile(record(t, "\nWSGIScriptReloading x"))
	if err == nil || !strings.HasPrefix(err.Error(), "line 2 of httpd.conf: WSGIScriptReloading:") {
		t.Errorf("error %v", err)
	}
}
