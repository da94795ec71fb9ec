package integration

import (
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// The directives about Python's own surroundings: reference directives.md, 4.24 to 4.34, and runtime.md, 3.3.

const surroundingsScript = `import os, sys

def value(expression):
    import signal, warnings
    try:
        return str(eval(expression, globals(), {"signal": signal, "warnings": warnings}))
    except BaseException as problem:
        return "%s: %s" % (type(problem).__name__, problem)

def application(environ, start_response):
    from urllib.parse import unquote
    body = value(unquote(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
`

// ask evaluates an expression in the application; percent signs and spaces are encoded.
func ask(t *testing.T, s *apachetest.Server, place, expression string) string {
	t.Helper()
	r := s.Get(t, place+"?"+strings.NewReplacer("%", "%25", " ", "%20", "\"", "%22", "#", "%23").Replace(expression))
	if r.Status != 200 {
		t.Fatalf("%s: %s", expression, r)
	}
	return string(r.Body)
}

func TestDirectivesAboutPythonTakeEffect(t *testing.T) {
	type answers map[string]string
	for _, c := range []struct {
		name, conf string
		env        []string
		want       answers
		options    string // of a process group, which has no use for the directive
	}{
		{"defaults", "", nil, answers{
			"sys.argv": "['mod_wsgi']", "sys.stdin.read()": "", "sys.stderr is sys.__stderr__": "False", "sys.stdout.name": "<stdout>", "sys.stderr.name": "<stderr>",
			"sys.flags.optimize": "0", "sys.dont_write_bytecode": "False", "sys.warnoptions": "[]", "sys.flags.hash_randomization": "1",
			"sys.flags.isolated": "0", "'' in sys.path": "False", "'PYTHON_EGG_CACHE' in os.environ": "False",
			"signal.signal(signal.SIGUSR2, signal.SIG_IGN)": "1", "signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN": "False",
			"signal.signal(signalnum=12, handler=None)[:9]": "TypeError: ",
		}, ""},
		{"environment", "", []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore::UserWarning", "PYTHONPATH=/from/environment"}, answers{
			"sys.dont_write_bytecode": "True", "sys.warnoptions": "['ignore::UserWarning']", "'/from/environment' in sys.path": "True"}, ""},
		{"directives above the environment", "WSGIPythonWarnings error::UserWarning\nWSGIPythonHashSeed 7\nWSGIPythonOptimize 1\n",
			[]string{"PYTHONWARNINGS=ignore::UserWarning", "PYTHONHASHSEED=1", "PYTHONOPTIMIZE=2"}, answers{
				"warnings.warn('x')": "UserWarning: x", "sys.flags.hash_randomization": "1"}, ""},
		{"optimize 1", "WSGIPythonOptimize 1\n", nil, answers{"sys.flags.optimize": "1", "__debug__": "False"}, ""},
		{"optimize 2", "WSGIPythonOptimize 2\n", nil, answers{"sys.flags.optimize": "2"}, ""},
		{"bytecode", "WSGIDontWriteBytecode On\n", nil, answers{"sys.dont_write_bytecode": "True"}, ""},
		{"bytecode off leaves the environment", "WSGIDontWriteBytecode Off\n", []string{"PYTHONDONTWRITEBYTECODE=1"}, answers{"sys.dont_write_bytecode": "True"}, ""},
		{"no hash seed", "WSGIPythonHashSeed random\n", nil, answers{"sys.flags.hash_randomization": "1"}, ""},
		{"hash seed 0", "WSGIPythonHashSeed 0\n", nil, answers{"sys.flags.hash_randomization": "0"}, ""},
		{"warnings", "WSGIPythonWarnings ignore\nWSGIPythonWarnings error::DeprecationWarning\n", nil, answers{
			"sys.warnoptions": "['ignore', 'error::DeprecationWarning']", "warnings.warn('x', DeprecationWarning)": "DeprecationWarning: x"}, ""},
		{"eggs", "WSGIPythonEggs {{.Root}}/var\n", nil, answers{"os.environ['PYTHON_EGG_CACHE'][-4:]": "/var"}, "python-eggs={{.Root}}/var"},
		{"path", "WSGIPythonPath {{.Root}}/one:{{.Root}}/missing\n", nil, answers{
			"[os.path.basename(p) for p in sys.path[:3]]": "['one', 'by_pth', 'missing']", "__import__('inside').WHERE": "one", "__import__('linked').WHERE": "pth"}, "python-path={{.Root}}/one:{{.Root}}/missing"},
		{"stdin", "WSGIRestrictStdin On\n", nil, answers{
			"sys.stdin.read": "OSError: sys.stdin", "hasattr(sys.stdin, 'x')": "OSError: sys.stdin", "type(sys.stdin).__name__": "Restricted", "type(sys.stdin).__module__": "mod_wsgi",
			"sys.stdout.write('')": "0"}, ""},
		{"stdout", "WSGIRestrictStdout On\n", nil, answers{"print('x')": "OSError: sys.stdout", "sys.stderr.write('')": "0", "sys.stdin.read()": ""}, ""},
		{"signal", "WSGIRestrictSignal Off\n", nil, answers{"signal.signal.__module__": "signal"}, ""},
	} {
		inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
			t.Run(c.name, func(t *testing.T) {
				if in.options != "" {
					in.options += " " + c.options
				}
				s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Env: c.env, Files: map[string]string{
					"surroundings.wsgi": surroundingsScript, "one/inside.py": "WHERE = 'one'\n", "one/more.pth": "../by_pth\n", "by_pth/linked.py": "WHERE = 'pth'\n",
				}, Conf: c.conf + `WSGIScriptAlias /main {{.Root}}/surroundings.wsgi application-group=%{GLOBAL}
WSGIScriptAlias /sub {{.Root}}/surroundings.wsgi application-group=sub
`}))
				for _, place := range []string{"/main", "/sub"} {
					for expression, want := range c.want {
						if got := ask(t, s, place, expression); got != want && !(strings.Contains(want, ": ") && strings.HasPrefix(got, want)) {
							t.Errorf("%s: %s is %q, want %q", place, expression, got, want)
						}
					}
				}
			})
		})
	}
}

func TestHashSeedMakesHashesRepeatable(t *testing.T) {
	hash := func(conf string) string {
		s := apachetest.Start(t, apachetest.Config{OneChild: true, Files: map[string]string{"surroundings.wsgi": surroundingsScript}, Conf: conf + "WSGIScriptAlias / {{.Root}}/surroundings.wsgi\n"})
		return ask(t, s, "/", "hash('text')")
	}
	if one, two := hash("WSGIPythonHashSeed 42\n"), hash("WSGIPythonHashSeed 42\n"); one != two {
		t.Errorf("one seed gives %s and %s", one, two)
	}
	if one, two := hash("WSGIPythonHashSeed random\n"), hash("WSGIPythonHashSeed random\n"); one == two {
		t.Errorf("random seeds give the same %s", one)
	}
}

func TestIgnoredSignalHandlerIsLoggedWithItsCaller(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, LogLevel: "info", Files: map[string]string{"surroundings.wsgi": surroundingsScript}, Conf: "WSGIScriptAlias / {{.Root}}/surroundings.wsgi\n"}))
		ask(t, s, "/", "signal.signal(signal.SIGTERM, signal.SIG_DFL)")
		s.WaitLog(t, `wsgi:info.*signal.signal\(15\) was ignored.*WSGIRestrictSignal`)
		s.WaitLog(t, `wsgi:info.*surroundings.wsgi", line`)
	})
}

func TestPthFileThatFailsStopsNothing(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{OneChild: true, Files: map[string]string{"surroundings.wsgi": surroundingsScript, "one/bad.pth": "import no_such_module_here\n"},
		Conf: "WSGIPythonPath {{.Root}}/one\nWSGIScriptAlias / {{.Root}}/surroundings.wsgi\n"})
	if got := ask(t, s, "/", "sys.path[0][-4:]"); got != "/one" {
		t.Errorf("sys.path begins with %s", got)
	}
	s.WaitLog(t, "bad.pth")
	s.WaitLog(t, "No module named 'no_such_module_here'")
}
