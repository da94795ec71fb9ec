package directives

import (
	"strings"
	"testing"
)

// A form is one way to write a directive's arguments, and a part of what Check says of it at a severity; "" means nothing.
type form struct {
	args    string
	errors  string
	warning string
}

var (
	flagForms = []form{{args: "On"}, {args: "off"}, {args: `"oN"`}, {args: "yes", errors: `"yes" is not accepted; write On or Off`},
		{args: "", errors: "takes one argument, On or Off"}, {args: "On Off", errors: "takes one argument"}, {args: `""`, errors: "takes one argument"}}
	scriptForms = []form{{args: "/a.py"}, {args: "/a.py application-group=x"}, {args: `"/a b.py" application-group="%{SERVER}"`},
		{args: "a.py", warning: "no absolute path"}, {args: "/a.py application-group=%{RESOURCE}", warning: "taken literally"},
		{args: "", errors: "takes at least one argument"}, {args: "/a.py application-group=", errors: "has no value"},
		{args: "/a.py x", errors: `"x" is no option`}, {args: "/a.py process-group=x", errors: "unknown option 'process-group'"}}
	aliasForms = []form{{args: "/a /b"}, {args: `/a "/b c"`}, {args: "/ /b process-group=%{GLOBAL} application-group=x callable-object=y pass-authorization=on"},
		{args: "/a /b application-group= x"}, {args: "/a", errors: "at least two arguments"}, {args: `"" /b`, errors: "at least two"}, {args: `/a ""`, errors: "at least two"},
		{args: "/a b.wsgi", warning: "no absolute path"},
		{args: "/a /b process-group=", errors: "option 'process-group' has no value"}, {args: "/a /b pass-authorization=maybe", errors: `option 'pass-authorization': "maybe"`},
		{args: "/a /b application_group=x", errors: "unknown option 'application_group'; did you mean 'application-group'?"},
		{args: `/a /b "application-group=x"`, errors: `they belong around the value only`},
		{args: "/a /b application-group =x", errors: "blank before '='"}, {args: "/a /b =x", errors: "has no name"},
		{args: "/a /b APPLICATION-GROUP=x", errors: "unknown option"}, {args: "/a /b callable-object=a.b", warning: "dotted paths"},
		{args: "/a /b application-group=%{global}", warning: "did you mean '%{GLOBAL}'?"},
		{args: "/a /b application-group=x application-group=y", warning: "more than once"}}
	nameForms = []form{{args: "x"}, {args: "%{GLOBAL}"}, {args: "%{RESOURCE}"}, {args: "%{SERVER}"}, {args: "%{HOST}"}, {args: "%{ENV:x}"}, {args: `"a b"`},
		{args: "a-%{SERVER}", warning: "taken literally"}, {args: "", errors: "takes one argument"}, {args: "a b", errors: "takes one argument"}}
	retiredWords = []form{{args: "x", warning: " "}, {args: "", errors: "takes one argument"}}
)

// forms holds good and bad forms of every directive.
var forms = map[string][]form{
	"WSGIScriptAlias": append(aliasForms,
		form{args: "a /b", warning: "can never match"}, form{args: "/a/ /b", warning: "ends with a slash"}, form{args: "/a/ /b/"},
		form{args: "/a /b.wsgi/", warning: "looks like a script"}, form{args: "/a/ /b.wsgi/", warning: "looks like a script"}),
	"WSGIScriptAliasMatch": append(aliasForms, form{args: `^/(\w+) /srv/$1.wsgi`}, form{args: `^(/srv/.*) $1`}),
	"WSGIHandlerScript": {{args: "h /a.py"}, {args: "h /a.py process-group=%{GLOBAL} application-group=x pass-authorization=off"}, {args: "h", errors: "at least two"},
		{args: "h /a.py callable-object=x", errors: "unknown option"}, {args: "My-Handler /a.py", warning: `write "my-handler"`}, {args: "h a.py", warning: "no absolute path"}},
	"WSGIApplicationGroup": nameForms,
	"WSGIProcessGroup":     nameForms,
	"WSGICallableObject": {{args: "app"}, {args: "%{ENV:x}"}, {args: "äpp"}, {args: "a.b", warning: "dotted"}, {args: "a()", warning: "dotted"}, {args: "1a", warning: "dotted"},
		{args: "%{GLOBAL}", warning: `means "application"`}, {args: "", errors: "takes one"}, {args: "a b", errors: "takes one"}},
	"WSGIRestrictProcess": {{args: "%{GLOBAL}"}, {args: "a b %{GLOBAL}"}, {args: "", warning: "refuses every request"}, {args: "%{SERVER}", warning: "taken literally"},
		{args: `"a`, warning: "quotation mark is not closed"}},
	"WSGIDispatchScript":    scriptForms,
	"WSGIAccessScript":      scriptForms,
	"WSGIAuthUserScript":    scriptForms,
	"WSGIAuthGroupScript":   scriptForms,
	"WSGICaseSensitivity":   flagForms,
	"WSGIScriptReloading":   flagForms,
	"WSGIChunkedRequest":    flagForms,
	"WSGIPassAuthorization": flagForms,
	"WSGIMapHEADToGET":      {{args: "On"}, {args: "off"}, {args: "AUTO"}, {args: "x", errors: "write On, Off or Auto"}, {args: "", errors: "takes one"}, {args: "On x", errors: "takes one"}},
	"WSGIEnableSendfile":    flagForms,
	"WSGIErrorOverride":     flagForms,
	"WSGIIgnoreActivity":    flagForms,
	"WSGIPassApacheRequest": flagForms,
	"WSGITrustedProxies": {{args: "10.1.2.3"}, {args: "10.1"}, {args: "10."}, {args: "10.0.0.0/8 fd00::/8 ::1"}, {args: "10.0.0.0/255.0.0.0"}, {args: "", warning: "every peer is trusted"},
		{args: "localhost", errors: `"localhost": it is no IP address`}, {args: "10.0.0.0/33", errors: "1 to 32"}, {args: "10.0.0.0/0", errors: "1 to 32"},
		{args: "10.0.0.0/255.0.255.0", errors: "no network mask"}, {args: "1.2.3.4.5", errors: "four numbers"}, {args: "256.1", errors: "0 to 255"},
		{args: "10..1", errors: "0 to 255"}, {args: "FD00::1", errors: "no IPv6"}, {args: "::ffff:1.2.3.4", errors: "no IPv6"}, {args: "::ffff:102:304", errors: "write it as IPv4"},
		{args: "fe80::1%eth0", errors: "no IPv6"}, {args: "fd00::/129", errors: "1 to 128"}, {args: "fd00::/255.0.0.0", errors: "no IPv6"}, {args: `""`, errors: "no IP address"}, {args: "10.0.0.0/", errors: "1 to 32"}},
	"WSGITrustedProxyHeaders": {{args: "X-Forwarded-For x-scheme", warning: "whoever sends them"}, {args: "", warning: "does nothing"}, {args: "X_Forwarded_For", errors: "no header name"},
		{args: "X-Forwarded-Fro", warning: "did you mean 'X-Forwarded-For'?"}, {args: `""`, errors: "no header name"}},
	"WSGIPythonHome": {{args: "/usr"}, {args: "usr", warning: "no absolute path"}, {args: "/no/such/dir", warning: "cannot be read"}, {args: "/etc/passwd", warning: "no directory"},
		{args: "", errors: "takes one"}, {args: "/a /b", errors: "takes one"}},
	"WSGIPythonPath":     {{args: "/a"}, {args: "/a:/b"}, {args: "/a::/b", warning: "empty directory"}, {args: "a", warning: "no absolute path"}, {args: "", errors: "takes one"}, {args: "/a /b", errors: "takes one"}},
	"WSGIPythonOptimize": {{args: "0"}, {args: "2"}, {args: "3", warning: "same as 2"}, {args: "-1", warning: "same as 0"}, {args: "x", warning: "read as 0"}, {args: "1x", warning: "read as 1"}, {args: "99999999999", errors: "out of range"}, {args: "", errors: "takes one"}},
	"WSGIPythonWarnings": {{args: "ignore"}, {args: "default::DeprecationWarning"}, {args: "", errors: "takes one"}, {args: "a b", errors: "takes one"}},
	"WSGIPythonHashSeed": {{args: "random"}, {args: "0"}, {args: "4294967295"}, {args: "4294967296", errors: "0 to 4294967295"}, {args: "-1", errors: "not accepted"}, {args: "1x", errors: "not accepted"},
		{args: "Random", errors: "not accepted"}, {args: "", errors: "takes one"}},
	"WSGIDontWriteBytecode":  flagForms,
	"WSGIPythonEggs":         {{args: "/eggs"}, {args: "", errors: "takes one"}, {args: "a b", errors: "takes one"}},
	"WSGIRestrictEmbedded":   flagForms,
	"WSGIRestrictStdin":      flagForms,
	"WSGIRestrictStdout":     flagForms,
	"WSGIRestrictSignal":     flagForms,
	"WSGIDestroyInterpreter": flagForms,
	"WSGIImportScript": {{args: "/a.py process-group=%{GLOBAL} application-group=%{GLOBAL}"}, {args: "/a.py application-group=%{GLOBAL} process-group=%{GLOBAL}"},
		{args: "/a.py process-group=%{GLOBAL}", errors: "option 'application-group' is missing"}, {args: "/a.py application-group=x", errors: "option 'process-group' is missing"},
		{args: "", errors: "takes a path"}, {args: "/a.py process-group=none application-group=x", errors: "not declared"},
		{args: "a.py process-group=%{GLOBAL} application-group=%{SERVER}", warning: "taken literally"}},
	"WSGIPerInterpreterGIL": flagForms,
	"WSGIFreeThreading":     {{args: "Off"}, {args: "On", warning: "does nothing"}, {args: "yes", errors: "write On or Off"}},
	"WSGISwitchInterval": {{args: "0.005"}, {args: "1e-3"}, {args: "0", errors: "above 0"}, {args: "-1", errors: "above 0"}, {args: "1s", errors: "above 0"}, {args: "nan", errors: "above 0"},
		{args: "inf", errors: "above 0"}, {args: "", errors: "takes one"}},
	"WSGIDaemonProcess": {{args: "a"}, {args: `"a b" threads=5`}, {args: "", errors: "at least one argument"}, {args: `""`, errors: "at least one argument"}, {args: "a b", errors: `"b" is no option`},
		{args: "a thread=5", errors: "unknown option 'thread'; did you mean 'threads'?"}, {args: "a Threads=5", errors: "did you mean 'threads'?"}, {args: "a threads =5", errors: "blank before '='"},
		{args: "a threads= 5"}, {args: `a python-path="/a b"`}, {args: `a "python-path=/a b"`, errors: "they belong around the value only"},
		{args: "threads=5", warning: "the name comes first"}, {args: "%{GLOBAL}", warning: "literally called"}, {args: "a threads=5 threads=6", warning: "more than once"},
		{args: "a script-user=root script-group=root", errors: "exclude each other"}, {args: "a interrupt-timeout=5", warning: "nothing without 'request-timeout'"},
		{args: "a threads= processes=2", warning: `option 'threads': "processes=2" is read as 0`}},
	"WSGISocketPrefix":     {{args: "run/wsgi"}, {args: "/run/wsgi"}, {args: "", errors: "takes one"}, {args: "a b", errors: "takes one"}},
	"WSGISocketRotation":   flagForms,
	"WSGIAcceptMutex":      {{args: "default"}, {args: "FLOCK"}, {args: "posixsem"}, {args: "flocks", errors: "did you mean 'flock'?"}, {args: "", errors: "takes one"}},
	"WSGIServerMetrics":    flagForms,
	"WSGITelemetryService": {{args: "unix:/s"}, {args: "unix:/s interval=0.5"}, {args: "/s", errors: "has to be unix:"}, {args: "unix:", errors: "has to be unix:"}, {args: "unix:/s interval=0.4", errors: "from 0.5 on"}, {args: "unix:/s interval=x", errors: "from 0.5 on"}, {args: "unix:/s interval=2s", warning: "read as 2"}, {args: "unix:/s 5", errors: "interval=seconds"}, {args: "unix:/s interval=1 x", errors: "one or two"}, {args: "", errors: "unix:"}},
	"WSGITelemetryOptions": {{args: "+CaptureUserAgent"}, {args: "-captureuseragent"}, {args: "None"}, {args: "ALL"}, {args: "CaptureUserAgent"},
		{args: "", errors: "at least one"}, {args: "+", errors: "names no flag"}, {args: "+None", errors: "stands alone"}, {args: "CaptureUserAgent +CaptureUserAgent", errors: "mixed"}, {args: "CaptureAgent", errors: "did you mean"}, {args: "++CaptureUserAgent", errors: "unknown flag"}},
	"WSGISlowRequests":         {{args: "1.5"}, {args: "0"}, {args: "-1", errors: "not accepted"}, {args: "x", warning: "read as 0"}, {args: "", errors: "takes one"}},
	"WSGIVerboseDebugging":     flagForms,
	"WSGIGroupAuthoritative":   flagForms,
	"WSGILazyInitialization":   {{args: "On"}, {args: "Off", warning: "does nothing"}, {args: "x", errors: "write On or Off"}},
	"WSGIPy3kWarningFlag":      {{args: "Off"}, {args: "On", warning: "Python 2"}, {args: "x", errors: "write On or Off"}},
	"WSGINewRelicConfigFile":   retiredWords,
	"WSGINewRelicEnvironment":  retiredWords,
	"WSGIUserAuthoritative":    {{args: "On"}, {args: "Off", warning: "AuthBasicProvider"}, {args: "x", errors: "write On or Off"}},
	"WSGIApacheExtensions":     {{args: "On", warning: "WSGIPassApacheRequest"}, {args: "x", errors: "write On or Off"}},
	"WSGIReloadMechanism":      retiredWords,
	"WSGIOutputBuffering":      {{args: "Off"}, {args: "On", warning: "never buffered"}, {args: "x", errors: "write On or Off"}},
	"WSGIPythonExecutable":     retiredWords,
	"<WSGIInterpreterOptions>": {{args: ">"}, {args: "process-group=%{GLOBAL}>"}, {args: `"PROCESS-GROUP=%{GLOBAL}" application-group=>`}, {args: "x>", errors: "no selector"}, {args: "proces-group=x>", errors: "did you mean 'process-group'?"}, {args: "process-group=a process-group=b>", errors: "more than once"}, {args: "process-group=%{HOST}>", warning: "taken literally"}},
}

func TestEveryDirectiveInGoodAndBadForms(t *testing.T) {
	for _, d := range Table {
		list := forms[d.label()]
		good, bad := 0, 0
		for _, f := range list {
			if f.errors != "" {
				bad++
			} else {
				good++
			}
			checkForm(t, &d, f)
		}
		if good == 0 || bad == 0 && d.Name != "WSGIRestrictProcess" { // which accepts anything
			t.Errorf("%s has %d good and %d bad forms here", d.label(), good, bad)
		}
	}
	if len(forms) != len(Table) {
		t.Errorf("forms of %d directives, but there are %d", len(forms), len(Table))
	}
}

func checkForm(t *testing.T, d *Directive, f form) {
	t.Helper()
	line := d.Name + " " + f.args
	if d.IsSection() {
		line += "\n</" + d.Name[1:] + ">"
	}
	if d.Places&AtServer == 0 {
		line = "<Directory /d>\n" + line + "\n</Directory>"
	}
	expect(t, line, f)
}

// Warnings that come with nearly every line of these tests.
var usual = []string{"no effect yet", "is not declared", "does not exist", "nothing uses the process group"}

// expect checks what Check says of a configuration: exactly one error if one is expected, otherwise none, and a warning if
// and only if one is expected.
func expect(t *testing.T, config string, f form) {
	t.Helper()
	problems := Check(record(t, config)).Problems
	var errors, warnings []string
	for _, p := range problems {
		if strings.IndexFunc(config+p.Reason, func(c rune) bool { return c > '~' }) >= len(config) {
			t.Errorf("%q is not ASCII, which Apache's log would not show as it is", p.Reason)
		}
		isUsual := false
		for _, text := range usual {
			isUsual = isUsual || p.Severity == Warning && strings.Contains(p.Reason, text)
		}
		switch {
		case p.Severity == Error:
			errors = append(errors, p.Reason)
		case p.Severity == Warning && !isUsual:
			warnings = append(warnings, p.Reason)
		}
	}
	if len(errors) > 1 || (len(errors) == 1) != (f.errors != "") || len(errors) == 1 && !strings.Contains(errors[0], f.errors) {
		t.Errorf("%s\nerrors %q, want one with %q", config, errors, f.errors)
	}
	if found := strings.Contains(strings.Join(warnings, "\n"), f.warning); f.errors == "" && (!found || (len(warnings) > 0) != (f.warning != "")) {
		t.Errorf("%s\nwarnings %q, want %q", config, warnings, f.warning)
	}
}

var (
	secondsForms = []form{{args: "0"}, {args: "60"}, {args: "45s", warning: "read as 45"}, {args: "x", warning: "read as 0"}, {args: "-1", errors: "out of range"}, {args: "", errors: "has no value"}}
	bufferForms  = func(least, less string) []form {
		return []form{{args: "0"}, {args: least}, {args: less, errors: "too small"}, {args: "-1", errors: "out of range"}, {args: "", errors: "has no value"}}
	}
	emptyForms   = []form{{args: "x"}, {args: `""`}, {args: ""}}
	accountForms = []form{{args: "daemon"}, {args: "#1"}, {args: "no-such-account", errors: "there is no"}, {args: "#x", errors: "'#' and a number"}, {args: "", errors: "has no value"}}
)

// optionForms holds good and bad forms of every option of WSGIDaemonProcess.
var optionForms = map[string][]form{
	"user":                    append(accountForms, form{args: "root", errors: "is root"}, form{args: "#0", errors: "is root"}, form{args: "#123456", errors: "no user"}),
	"group":                   append(accountForms, form{args: "#123456"}, form{args: "root"}),
	"socket-user":             append(accountForms, form{args: "#123456", errors: "no user"}, form{args: "root"}),
	"script-user":             append(accountForms, form{args: "root"}),
	"script-group":            append(accountForms, form{args: "#123456"}),
	"supplementary-groups":    {{args: "daemon,#7"}, {args: ""}, {args: "daemon,", warning: "empty name"}, {args: "daemon,no-such-account", errors: "no group"}, {args: "#x", errors: "a number"}},
	"processes":               {{args: "1"}, {args: "10"}, {args: "0", errors: "out of range"}, {args: "abc", errors: `"abc" is read as 0, which is out of range`}, {args: "3x", warning: "read as 3"}, {args: "99999999999999999999", errors: "too large"}, {args: "99999999999", errors: "out of range; accepted is a whole number, 1 or more"}, {args: "", errors: "no value"}},
	"threads":                 {{args: "0"}, {args: "65533"}, {args: "65534", errors: "0 to 65533"}, {args: "-1", errors: "out of range"}, {args: "abc", warning: `option 'threads': "abc" is read as 0; write a whole number`}, {args: "", errors: "no value"}},
	"umask":                   {{args: "027"}, {args: "0"}, {args: "08", errors: "octal"}, {args: "27x", errors: "octal"}, {args: "-1", errors: "octal"}, {args: "1777", warning: "last three"}, {args: "", errors: "no value"}},
	"chroot":                  {{args: "/srv"}, {args: "srv", errors: "begin with a slash"}, {args: "", errors: "no value"}},
	"home":                    {{args: "/srv"}, {args: "srv", errors: "begin with a slash"}, {args: "", errors: "no value"}},
	"lang":                    emptyForms,
	"locale":                  emptyForms,
	"python-home":             emptyForms,
	"python-path":             append(emptyForms, form{args: "/a:/b"}),
	"python-eggs":             emptyForms,
	"display-name":            append(emptyForms, form{args: "%{GROUP}"}),
	"switch-interval":         {{args: "0.01"}, {args: "0", errors: "above 0"}, {args: "1x", errors: "above 0"}, {args: "", errors: "no value"}},
	"stack-size":              {{args: "8388608"}, {args: "0", errors: "out of range"}, {args: "", errors: "no value"}},
	"maximum-requests":        secondsForms,
	"startup-timeout":         secondsForms,
	"shutdown-timeout":        secondsForms,
	"deadlock-timeout":        secondsForms,
	"inactivity-timeout":      secondsForms,
	"request-timeout":         secondsForms,
	"interrupt-timeout":       {{args: "0"}, {args: "5", warning: "request-timeout"}, {args: "-1", errors: "out of range"}, {args: "", errors: "no value"}},
	"graceful-timeout":        secondsForms,
	"eviction-timeout":        secondsForms,
	"restart-interval":        secondsForms,
	"connect-timeout":         secondsForms,
	"socket-timeout":          secondsForms,
	"queue-timeout":           secondsForms,
	"listen-backlog":          secondsForms,
	"response-socket-timeout": secondsForms,
	"response-flush-delay":    secondsForms,
	"cpu-time-limit":          secondsForms,
	"send-buffer-size":        bufferForms("512", "511"),
	"receive-buffer-size":     bufferForms("512", "511"),
	"header-buffer-size":      bufferForms("8192", "8191"),
	"response-buffer-size":    bufferForms("65536", "65535"),
	"cpu-priority":            {{args: "-5"}, {args: "+5"}, {args: "x", warning: "read as 0"}, {args: "99999999999", errors: "out of range"}, {args: "", errors: "no value"}},
	"memory-limit":            {{args: "0"}, {args: "8589934592"}, {args: "1G", warning: "read as 1"}, {args: "-1", errors: "out of range"}, {args: "", errors: "no value"}},
	"virtual-memory-limit":    {{args: "0"}, {args: "8589934592"}, {args: "-1", errors: "out of range"}, {args: "", errors: "no value"}},
	"server-metrics":          {{args: "On"}, {args: "off"}, {args: "1", errors: "write On or Off"}, {args: "", errors: "no value"}},
	"minimum-processes":       {{args: "0"}, {args: "3"}, {args: "-1", errors: "out of range"}, {args: "0 maximum-processes=0", errors: "out of range"}, {args: "3 maximum-processes=2", errors: "minimum-processes=3 is more than maximum-processes=2"}, {args: "0 processes=3 maximum-processes=2", errors: "processes=3, the number at the start, is more than"}, {args: "2 processes=1 maximum-processes=2", errors: "processes=1, the number at the start, is less than"}, {args: "0 threads=0", errors: "takes no requests"}, {args: "0 listen-backlog=0", errors: "listen-backlog=0 forbids"}, {args: "", errors: "no value"}},
	"maximum-processes":       {{args: "1"}, {args: "8 processes=3"}, {args: "8 minimum-processes=0 idle-timeout=0"}, {args: "0", errors: "accepted is a whole number, 1 or more"}, {args: "2 processes=3", errors: "processes=3, the number at the start, is more than maximum-processes=2"}, {args: "2 threads=0", errors: "takes no requests"}, {args: "", errors: "no value"}},
	"idle-timeout":            {{args: "60", warning: "does nothing without"}, {args: "60 maximum-processes=2"}, {args: "60 minimum-processes=0"}, {args: "0 maximum-processes=2"}, {args: "-1", errors: "out of range"}, {args: "", errors: "no value"}},
	"memory-recycle":          {{args: "0"}, {args: "536870912"}, {args: "512M", errors: "without a unit"}, {args: "512", errors: "too small"}, {args: "-1", errors: "not accepted"}, {args: "536870912 threads=0", warning: "does nothing with threads=0"}, {args: "", errors: "no value"}},
	"keep-old-code":           {{args: "On"}, {args: "off"}, {args: "1", errors: "write On or Off"}, {args: "", errors: "no value"}},
	"buffer-size":             strictBytes("65536", "65535"),
	"buffer-memory":           strictBytes("1", "-1"),
	"buffer-directory":        {{args: "/srv"}, {args: "srv", errors: "begin with a slash"}, {args: "", errors: "no value"}},
	"request-buffer":          strictBytes("1", "-1"),
	"newrelic-config-file":    {{args: "/x", warning: "New Relic"}},
	"newrelic-environment":    {{args: "x", warning: "New Relic"}},
}

func strictBytes(good, bad string) []form {
	return []form{{args: "0"}, {args: good}, {args: "8589934592"}, {args: bad, errors: "accepted"}, {args: "64M", errors: "without a unit"}, {args: "", errors: "no value"}}
}

func TestEveryDaemonOptionInGoodAndBadForms(t *testing.T) {
	for _, name := range optionNames(daemonOptions) {
		if len(optionForms[name]) == 0 {
			t.Errorf("no forms of %s", name)
		}
		for _, f := range optionForms[name] {
			expect(t, "WSGIDaemonProcess a "+name+"="+f.args, f)
		}
	}
	if len(optionForms) != len(daemonOptions) || len(classicDaemonOptions) != 44+2 {
		t.Errorf("forms of %d options, but there are %d, %d of them classic; 6.0.5 has 44, and there are two older ones", len(optionForms), len(daemonOptions),
			len(classicDaemonOptions))
	}
}
