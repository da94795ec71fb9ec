package gatewaytest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// version is an application that answers with a text.
func version(text string) string {
	return fmt.Sprintf("def application(environ, start_response):\n\tstart_response('200 OK', [])\n\treturn [b%q]", text)
}

func touch(t testing.TB, path string, when time.Time) {
	t.Helper()
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

func TestChangedScriptIsReloadedBeforeTheNextRequest(t *testing.T) {
	r := request(t, version("one"))
	r.Flags = Reloading
	now := time.Now()
	touch(t, r.Script, now)
	a := run(t, r)
	expect(t, a, "one")
	if want := []string{fmt.Sprintf("loading script %s into application group 'tests'", r.Script)}; !slices.Equal(a.Loads, want) {
		t.Errorf("announced %q, want %q", a.Loads, want)
	}
	for i, shift := range []time.Duration{time.Hour, time.Microsecond, -time.Hour, -10 * 365 * 24 * time.Hour} {
		text := fmt.Sprint("version ", i)
		replace(t, r.Script, version(text))
		touch(t, r.Script, now.Add(shift))
		a := run(t, r)
		expect(t, a, text)
		if len(a.Loads) != 1 || !strings.HasPrefix(a.Loads[0], "reloading script") {
			t.Errorf("announced %q", a.Loads)
		}
		if a := run(t, r); a.Body != text || a.Loads != nil {
			t.Error("reloaded once more:", a)
		}
	}
}

func TestUnchangedModificationTimeMeansUnchangedScript(t *testing.T) {
	r := request(t, version("one"))
	r.Flags = Reloading
	now := time.Now()
	touch(t, r.Script, now)
	expect(t, run(t, r), "one")
	replace(t, r.Script, version("two"))
	touch(t, r.Script, now)
	expect(t, run(t, r), "one")
}

func TestReloadingOffKeepsTheScript(t *testing.T) {
	r := request(t, version("one"))
	expect(t, run(t, r), "one")
	replace(t, r.Script, version("two"))
	touch(t, r.Script, time.Now().Add(time.Hour))
	expect(t, run(t, r), "one")
	if err := os.Remove(r.Script); err != nil {
		t.Fatal(err)
	}
	expect(t, run(t, r), "one")
}

func TestTheTransportMayKnowTheModificationTime(t *testing.T) {
	r := request(t, version("one"))
	r.Flags = Reloading
	now := time.UnixMicro(1_700_000_000_123_456)
	touch(t, r.Script, now)
	r.ScriptMtime = now.UnixMicro()
	expect(t, run(t, r), "one")
	replace(t, r.Script, version("two"))
	touch(t, r.Script, now.Add(time.Second))
	expect(t, run(t, r), "one") // the transport says that it is the same
	r.ScriptMtime = now.Add(time.Second).UnixMicro()
	expect(t, run(t, r), "two")
	if a := run(t, r); a.Loads != nil {
		t.Error(a)
	}
}

func TestScriptModule(t *testing.T) {
	r := request(t, `
		import sys
		name, module = __name__, sys.modules[__name__]
		assert "__mtime__" not in globals()
		def application(environ, start_response):
			assert name.startswith("_mod_wsgi_") and len(name) == 42 and sys.modules[name] is module
			assert __file__ == environ["script"] and __cached__ is None and __spec__.name == name
			assert sys.argv == ["mod_wsgi"] and type(__mtime__) is int
			start_response("200 OK", [])
			return [str(__mtime__).encode()]
	`)
	when := time.UnixMicro(1_700_000_000_123_456)
	touch(t, r.Script, when)
	r.Environ = []string{"script=" + r.Script}
	expect(t, run(t, r), "1700000000123456")
}

func TestScriptSaysItselfThatItWantsToBeReloaded(t *testing.T) {
	r := request(t, `
		loads = __import__("sys").__dict__.setdefault("loads_of_" + __name__, [])
		loads.append(1)
		def reload_required(resource):
			assert type(resource) is str
			if resource.endswith("fails"):
				raise KeyError(resource)
			if resource.endswith("exits"):
				raise SystemExit(resource)
			return {"/yes": True, "/truthy": [1], "/no": False, "/none": None}[resource]
		def application(environ, start_response):
			start_response("200 OK", [])
			return [str(len(loads)).encode()]
	`)
	r.Flags = Reloading
	for _, c := range []struct{ resource, loads, log string }{
		{"/yes", "1", ""}, {"/no", "1", ""}, {"/yes", "2", ""}, {"/truthy", "3", ""}, {"/none", "3", ""},
		{"/fails", "3", "KeyError: '/fails'"}, {"/exits", "3", "WSGI0175"}, {"/no", "3", ""},
	} {
		r.Resource = c.resource
		a := run(t, r)
		expect(t, a, c.loads)
		expectLog(t, a, c.log)
	}
	r.Flags, r.Resource = 0, "/yes"
	expect(t, run(t, r), "3")
}

func TestModuleWithoutItsModificationTimeIsReloaded(t *testing.T) {
	for _, spoil := range []string{"globals().pop('__mtime__')", "globals().update(__mtime__=None)", "globals().update(__mtime__=1.5)",
		"__import__('sys').modules.pop(__name__)"} {
		r := request(t, `
			loads = __import__("sys").__dict__.setdefault("loads_of_" + __name__, [])
			loads.append(1)
			def application(environ, start_response):
				start_response("200 OK", [])
				`+spoil+`
				return [str(len(loads)).encode()]
		`)
		r.Flags = Reloading
		expect(t, run(t, r), "1")
		expect(t, run(t, r), "2")
		expect(t, run(t, r), "3")
	}
}

func TestHugeModificationTimeIsAnotherOne(t *testing.T) {
	r := request(t, version("one")+"\nglobals().__setitem__('unused', 0)")
	r.Flags = Reloading
	expect(t, run(t, r), "one")
	spoil := request(t, `
		import sys
		def application(environ, start_response):
			start_response("200 OK", [])
			for name, module in list(sys.modules.items()):
				if getattr(module, "__file__", None) == environ["script"]:
					module.__mtime__ = 1 << 100
			return []
	`)
	spoil.Environ = []string{"script=" + r.Script}
	expect(t, run(t, spoil), "")
	a := run(t, r)
	expect(t, a, "one")
	if len(a.Loads) != 1 {
		t.Error(a)
	}
}

func TestDeletedScriptFailsUntilItIsBack(t *testing.T) {
	r := request(t, version("one"))
	r.Flags = Reloading
	expect(t, run(t, r), "one")
	if err := os.Remove(r.Script); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a := run(t, r)
		if a.Result != 500 || a.Trace != "" {
			t.Error(a)
		}
		expectLog(t, a, "WSGI0105", "the file does not exist")
	}
	replace(t, r.Script, version("two"))
	expect(t, run(t, r), "two")
}

func TestScriptsThatFailToLoad(t *testing.T) {
	for code, log := range map[string][]string{
		"def application(:":          {"WSGI0105", "SyntaxError"},
		"\x00":                       {"WSGI0105"},
		"# -*- coding: nonsense -*-": {"WSGI0105", "SyntaxError"},
		"x = '\xff'":                 {"WSGI0105", "SyntaxError"},
		"raise KeyError('loading')":  {"WSGI0109", "KeyError: 'loading'", "app.wsgi\", line 1, in <module>"},
		"import missing_module":      {"WSGI0109", "ModuleNotFoundError"},
		"raise SystemExit(3)":        {"WSGI0107"},
		"import mod_wsgi; raise mod_wsgi.RequestTimeout":     {"WSGI0109"},
		"import sys; sys.modules.pop(__name__)":              {"WSGI0109"},
		"def application(environ):\n\tpass\ndel application": {"WSGI0089", "'application'"},
		"": {"WSGI0089"},
	} {
		r := request(t, code)
		status := 500
		if log[0] == "WSGI0089" {
			status = 404
		}
		for range 2 {
			a := run(t, r)
			if a.Result != status || a.Trace != "" {
				t.Errorf("%q: want %d\n%s", code, status, a)
			}
			expectLog(t, a, log...)
		}
		replace(t, r.Script, version("repaired"))
		touch(t, r.Script, time.Now().Add(time.Minute))
		r.Flags = Reloading
		expect(t, run(t, r), "repaired")
	}
	r := &Request{Group: "tests", Script: t.TempDir()}
	a := run(t, r)
	if a.Result != 500 {
		t.Error(a)
	}
	expectLog(t, a, "WSGI0105", "it is not a regular file")
}

func TestBrokenScriptIsTriedAgainUntilItIsRepaired(t *testing.T) {
	r := request(t, version("one"))
	r.Flags = Reloading
	expect(t, run(t, r), "one")
	replace(t, r.Script, "def application(:")
	touch(t, r.Script, time.Now().Add(time.Hour))
	for range 3 {
		a := run(t, r)
		if a.Result != 500 {
			t.Error(a)
		}
		expectLog(t, a, "WSGI0105", "SyntaxError")
	}
	replace(t, r.Script, version("two"))
	touch(t, r.Script, time.Now().Add(2*time.Hour))
	expect(t, run(t, r), "two")
}

func TestScriptsOfOtherCodings(t *testing.T) {
	r := request(t, "# -*- coding: latin-1 -*-\ntext = '\xe4'\n"+version("x")+"\n\tpass\napplication.__globals__['text'] = text.encode()\nassert text == b'\\xc3\\xa4' or text == '\\xe4'")
	expect(t, run(t, r), "x")
	r = request(t, "\xef\xbb\xbf"+version("bom"))
	expect(t, run(t, r), "bom")
	r = request(t, strings.ReplaceAll(version("crlf")+"\n", "\n", "\r\n"))
	expect(t, run(t, r), "crlf")
}

func TestARunningRequestKeepsTheOldModule(t *testing.T) {
	out, in := pipe(t)
	begun, begins := pipe(t)
	r := request(t, `
		import os
		text = b"old"
		def application(environ, start_response):
			os.write(int(environ["begins"]), b"x")
			environ["wsgi.input"].read()
			start_response("200 OK", [])
			return [text]
	`)
	r.Flags, r.Environ, r.Body = Reloading, []string{fmt.Sprint("begins=", begins.Fd())}, []Piece{{Gate, "x", int(out.Fd())}}
	answer := newThread(t).Begin(r)
	if _, err := begun.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	replace(t, r.Script, version("new"))
	touch(t, r.Script, time.Now().Add(time.Hour))
	expect(t, run(t, r), "new")
	if _, err := in.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	expect(t, wait(t, answer), "old")
}

// loads counts its loads in a file, and takes some time to load.
const loads = `
	import os, sys, time
	with open(os.path.join(os.path.dirname(__file__), "loads"), "a") as file:
		file.write(".")
	time.sleep(0.05)
	complete = True
	def application(environ, start_response):
		assert complete
		start_response("200 OK", [])
		return [b"loaded"]
`

func TestConcurrentFirstRequestsLoadAScriptOnce(t *testing.T) {
	var threads []*Thread
	for range 8 {
		threads = append(threads, newThread(t))
	}
	for round, group := range []string{"once-a", "", "once-b", "tests"} { // groups that are new and that are not
		r := request(t, loads)
		r.Group, r.Flags = group, Reloading
		counts := []int{1, 2}
		for i, want := range counts {
			if i == 1 {
				touch(t, r.Script, time.Now().Add(time.Hour))
			}
			var answers []<-chan *Answer
			for _, thread := range threads {
				answers = append(answers, thread.Begin(r))
			}
			announced := 0
			for _, answer := range answers {
				a := wait(t, answer)
				expect(t, a, "loaded")
				announced += len(a.Loads)
			}
			counter, err := os.ReadFile(strings.TrimSuffix(r.Script, "app.wsgi") + "loads")
			if err != nil || len(counter) != want || announced != 1 {
				t.Errorf("round %d: loaded %d times, want %d; announced %d times this time (%v)", round, len(counter), want, announced, err)
			}
		}
	}
	checkContract(t)
}

func TestOneScriptIsAModuleInEachGroup(t *testing.T) {
	r := request(t, `
		import sys, mod_wsgi
		count = 0
		def application(environ, start_response):
			global count
			count += 1
			start_response("200 OK", [])
			return [f"{mod_wsgi.application_group}:{count}".encode()]
	`)
	for count := 1; count <= 2; count++ {
		for _, r.Group = range []string{"", "each-a", "each-b", "h\xe4"} {
			want := fmt.Sprintf("%s:%d", r.Group, count)
			if r.Group == "h\xe4" {
				want = fmt.Sprintf("hä:%d", count)
			}
			expect(t, run(t, r), want)
		}
	}
}
