package gatewaytest

import (
	"os"
	"strings"
	"testing"
	"time"
)

// ask asks the script's functions about a request, on the main thread.
func ask(t testing.TB, code string, questions ...Question) *Answer {
	t.Helper()
	r := request(t, code)
	r.Questions = questions
	return run(t, r)
}

// forms are the subjects with the texts that they take.
var forms = map[string]Question{
	"allow_access":      {Access, [2]string{"client"}},
	"check_password":    {Password, [2]string{"us\xe9r", "pass"}},
	"get_realm_hash":    {RealmHash, [2]string{"user", "realm"}},
	"groups_for_user":   {Groups, [2]string{"user"}},
	"process_group":     {ProcessGroup, [2]string{}},
	"application_group": {ApplicationGroup, [2]string{}},
	"callable_object":   {Callable, [2]string{}},
}

func TestFunctionsAnswerWithTheirOwnValuesOnly(t *testing.T) {
	type answers map[string]string // by the expression that is returned: the answer, or "failed" and what the log says
	names := answers{"None": "nothing", "'g'": "text g|", "b'g'": "text g|", "''": "text |", `'\xe9'`: "text \xe9|", `'\u4e2d'`: "failed TypeError",
		"True": "failed TypeError", "['g']": "failed TypeError", `'a\0b'`: "failed ValueError", `b'a\0b'`: "failed ValueError"}
	opinions := answers{"True": "yes", "False": "no", "None": "nothing"}
	for function, table := range map[string][]answers{
		"allow_access": {opinions, {"1": "failed WSGI0055: cannot ask allow_access() of", "''": "failed WSGI0055", "'x'": "failed WSGI0055",
			"type('T', (), {})()": "failed WSGI0055", "NotImplemented": "failed WSGI0055"}},
		"check_password": {opinions, {"'x'": "text x|", `'\xe9'`: "text \xc3\xa9|", "''": "failed WSGI0176", "b'x'": "failed WSGI0177", "1": "failed WSGI0177",
			"[]": "failed WSGI0177", `'\ud800'`: "failed UnicodeEncodeError", `'a\0'`: "failed ValueError"}},
		"get_realm_hash": {{"None": "nothing", "'x'": "text x|", "b'x'": "text x|", "''": "failed WSGI0178", "b''": "failed WSGI0178", "True": "failed WSGI0179",
			"bytearray(b'x')": "failed WSGI0179", `'\u4e2d'`: "failed TypeError", `'\0'`: "failed ValueError"}},
		"groups_for_user": {{"[]": "text", "()": "text", "['a', b'b']": "text a|b|", "{'a': 1}": "text a|", "(x for x in 'ab')": "text a|b|", "['']": "text |",
			"'ab'": "failed WSGI0051: cannot ask groups_for_user() of", "b'ab'": "failed WSGI0051", "None": "failed WSGI0051", "7": "failed WSGI0051",
			"['a', 7]": "failed WSGI0050", "['a', None]": "failed WSGI0050", `['a', '\u4e2d']`: "failed WSGI0049", `['a\0b']`: "failed ValueError",
			"('a' if x else 1 / 0 for x in (1, 0))": "failed ZeroDivisionError", "type('T', (), {'__iter__': lambda self: 1 / 0})()": "failed ZeroDivisionError",
			"type('T', (), {'__iter__': 7})()": "failed WSGI0051"}},
		"process_group": {names}, "application_group": {names}, "callable_object": {names},
	} {
		for _, answers := range append(table, map[string]string{"1 / 0": "failed ZeroDivisionError", "exit(3)": "failed WSGI0175: cannot ask " + function + "() of"}) {
			for expression, want := range answers {
				a := ask(t, "from sys import exit\ndef "+function+"(*arguments):\n\treturn "+expression, forms[function])
				want, log, _ := strings.Cut(want, " ")
				if want == "text" {
					want, log = strings.TrimSpace(want+" "+log), ""
				}
				if strings.TrimSpace(a.Body) != want {
					t.Errorf("%s: %s is %q, want %q\n%s", function, expression, a.Body, want, a)
				}
				expectLog(t, a, log)
				if log == "" && len(a.Log) > 0 {
					t.Errorf("%s: %s is logged:\n%s", function, expression, a)
				}
			}
		}
	}
}

func TestFunctionsGetTheEnvironAndTheirTexts(t *testing.T) {
	for function, want := range map[string]string{
		"allow_access": `('client',)`, "check_password": `('us\xe9r', 'pass')`, "get_realm_hash": `('user', 'realm')`, "groups_for_user": `('user',)`,
		"process_group": `()`, "application_group": `()`, "callable_object": `()`,
	} {
		a := ask(t, "def "+function+"(environ, *texts):\n\tprint('texts:', ascii(texts), type(environ), file=environ['wsgi.errors'])\n\treturn None", forms[function])
		expectLog(t, a, "texts: "+want+" <class 'dict'>")
	}
}

func TestMissingFunctionFailsButOfDispatch(t *testing.T) {
	for function, log := range map[string]string{"allow_access": "WSGI0056", "check_password": "WSGI0043", "get_realm_hash": "WSGI0046", "groups_for_user": "WSGI0052"} {
		a := ask(t, "pass", forms[function])
		if a.Result != Failed {
			t.Errorf("%s\n%s", function, a)
		}
		expectLog(t, a, log)
	}
	for _, function := range []string{"process_group", "application_group", "callable_object"} {
		if a := ask(t, "pass", forms[function]); a.Result != Nothing || len(a.Log) > 0 {
			t.Errorf("%s\n%s", function, a)
		}
	}
	for function := range forms {
		if a := ask(t, function+" = None", forms[function]); a.Result != Failed || !strings.Contains(strings.Join(a.Log, "\n"), "TypeError") {
			t.Errorf("%s = None\n%s", function, a)
		}
	}
}

func TestQuestionsAreAskedInOrderUntilOneFails(t *testing.T) {
	all := []Question{forms["process_group"], forms["application_group"], forms["callable_object"]}
	const code = `
		def process_group(environ):
			environ["seen"] = "p"
			return "g"
		def application_group(environ):
			environ["seen"] += "a"
			return SECOND
		def callable_object(environ):
			print("third", file=environ["wsgi.errors"])
			return environ["seen"]
	`
	if a := ask(t, strings.ReplaceAll(code, "SECOND", "None"), all...); a.Body != "text g|nothing text pa|" {
		t.Errorf("%s", a)
	}
	a := ask(t, strings.ReplaceAll(code, "SECOND", "7"), all...)
	if a.Body != "text g|failed failed " || strings.Contains(strings.Join(a.Log, "\n"), "third") {
		t.Errorf("%s", a)
	}
}

func TestScriptThatCannotBeLoadedFails(t *testing.T) {
	for code, log := range map[string]string{"def (": "WSGI0105", "1 / 0": "WSGI0109", "raise SystemExit": "WSGI0107"} {
		for function, question := range forms {
			a := ask(t, code, question)
			if a.Result != Failed {
				t.Errorf("%s: %s\n%s", function, code, a)
			}
			expectLog(t, a, log)
		}
	}
	r := request(t, "")
	r.Questions = []Question{forms["allow_access"]}
	if err := os.Remove(r.Script); err != nil {
		t.Fatal(err)
	}
	a := run(t, r)
	if a.Result != Failed {
		t.Errorf("%s", a)
	}
	expectLog(t, a, "WSGI0105")
}

func TestEnvironOfScriptsThatDecide(t *testing.T) {
	code := `
		kept = None
		def show(environ):
			global kept
			kept = environ
			print(sorted(environ), file=environ["wsgi.errors"])
			print(environ["wsgi.errors"].buffer.name, file=environ["wsgi.errors"])
		def allow_access(environ, host):
			if kept:
				for use in (kept["mod_ssl.is_https"], lambda: kept["mod_ssl.var_lookup"]("X"), lambda: print("late", file=kept["wsgi.errors"])):
					try:
						use()
					except RuntimeError:
						continue
					raise AssertionError("it still works")
			show(environ)
			lookup = environ["mod_ssl.var_lookup"]
			return None if [environ["mod_ssl.is_https"](), lookup("X"), lookup(b"Y"), lookup("NONE")] == [1, "X", "Y", None] else True
		def process_group(environ):
			show(environ)
	`
	r := request(t, code)
	r.Environ, r.Native, r.Flags = []string{"KEY=value"}, true, HTTPS
	for range 2 {
		r.Questions = []Question{forms["allow_access"]}
		a := run(t, r)
		if a.Result != Nothing {
			t.Errorf("%s", a)
		}
		expectLog(t, a, "['KEY', 'apache.request_rec', 'apache.version', 'mod_ssl.is_https', 'mod_ssl.var_lookup', 'mod_wsgi.version', 'wsgi.errors']", "<log>")
	}
	r.Questions = []Question{forms["process_group"]}
	expectLog(t, run(t, r), "['KEY', 'apache.request_rec', 'wsgi.errors']")
}

func TestWhatScriptsThatDecidePrintIsTheServers(t *testing.T) {
	ServerLog()
	a := ask(t, "import sys\ndef allow_access(environ, host):\n\tprint('printed')\n\tprint('complained', file=sys.stderr)\n\tprint('logged', file=environ['wsgi.errors'])\n\treturn True", forms["allow_access"])
	if log := strings.Join(ServerLog(), "\n"); !strings.Contains(log, "printed") || !strings.Contains(log, "complained") || strings.Contains(log, "logged") {
		t.Errorf("the server's log: %q", log)
	}
	if log := strings.Join(a.Log, "\n"); !strings.Contains(log, "logged") || strings.Contains(log, "printed") {
		t.Errorf("%s", a)
	}
}

func TestScriptThatDecidesIsReloadedWithoutBeingAsked(t *testing.T) {
	const code = "def reload_required(resource):\n\traise KeyError\ndef allow_access(environ, host):\n\treturn "
	r := request(t, code+"True")
	r.Questions, r.Flags = []Question{forms["allow_access"]}, Reloading
	for i, c := range []struct {
		code   string
		result int
	}{{"True", Yes}, {"False", No}, {"(", Failed}, {"None", Nothing}} {
		replace(t, r.Script, code+c.code)
		changed := time.Unix(1e9, int64(i)*1000) // microseconds count
		if err := os.Chtimes(r.Script, changed, changed); err != nil {
			t.Fatal(err)
		}
		a := run(t, r)
		if a.Result != c.result {
			t.Errorf("%s\n%s", c.code, a)
		}
		if log := strings.Join(a.Log, "\n"); strings.Contains(log, "KeyError") {
			t.Errorf("reload_required() was asked\n%s", a)
		}
	}
}

func TestAskingMakesNoCallIntoGo(t *testing.T) {
	r := request(t, "def check_password(environ, user, password):\n\treturn user == 'user' or None\ndef groups_for_user(environ, user):\n\treturn ['a', 'b']")
	r.Flags = Reloading
	for _, question := range []Question{forms["check_password"], {Password, [2]string{"user", "x"}}, forms["groups_for_user"]} {
		r.Questions = []Question{question}
		result := run(t, r).Result
		before := GoEntries()
		if last, others := mainThread.Repeat(r, 1000, result); others > 0 {
			t.Errorf("%s", last)
		}
		if n := GoEntries() - before; n != 0 {
			t.Errorf("1000 questions entered Go %d times", n)
		}
	}
	checkContract(t)
}

func TestForkedCopyThatReturnsFromAskingEnds(t *testing.T) {
	const code = `
		import os
		def fork():
			pid = os.fork()
			if pid:
				print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
			return pid
		def check_password(environ, user, password):
			if not fork() and user == "raise":
				raise KeyError("child")
			return True
		def groups_for_user(environ, user):
			def groups():
				yield "a"
				if not fork() and user == "raise":
					raise KeyError("child")
				yield "b"
			return groups()
	`
	for _, c := range []struct {
		question   Question
		body, says string
	}{
		{Question{Password, [2]string{"return", ""}}, "yes ", "status 0"},
		{Question{Password, [2]string{"raise", ""}}, "yes ", "status 1"},
		{Question{Groups, [2]string{"return"}}, "text a|b|", "status 0"},
		{Question{Groups, [2]string{"raise"}}, "text a|b|", "status 1"},
	} {
		r := request(t, code)
		r.Group, r.Questions = "", []Question{c.question}
		ServerLog()
		if a := run(t, r); a.Body != c.body {
			t.Errorf("%v\n%s", c.question, a)
		}
		if log := strings.Join(ServerLog(), "\n"); !strings.Contains(log, c.says) {
			t.Errorf("%v: %s", c.question, log)
		}
	}
}
