package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// WSGIPythonHome: virtual environments that work, and homes that don't. Reference directives.md, 4.26; runtime.md, 3.1.

const homeScript = `import importlib.util, sys

def application(environ, start_response):
    name = environ["QUERY_STRING"]
    if name == "system":  # a package of Debian's, see .ci/deps
        text = "visible" if importlib.util.find_spec("markupsafe") else "hidden"
    else:
        text = importlib.import_module(name).WHERE if name else "|".join([sys.prefix, sys.base_prefix, sys.executable])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
`

// builtFor is the Python that the module is built for in these tests; PYTHON of the Makefile names another one.
func builtFor(t *testing.T) (program, version string) {
	t.Helper()
	program = os.Getenv("PYTHON")
	if program == "" {
		program = "/usr/bin/python3"
	}
	out, err := exec.Command(program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	return program, strings.TrimSpace(string(out))
}

// newHomeServer prepares a server whose WSGIPythonHome is the folder home below its root.
func newHomeServer(t *testing.T, c apachetest.Config) *apachetest.Server {
	t.Helper()
	c.OneChild = true
	if c.Conf == "" {
		c.Conf = "WSGIPythonHome {{.Root}}/home\n"
	}
	c.Conf += "WSGIScriptAlias / {{.Root}}/home.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"
	if c.Files == nil {
		c.Files = map[string]string{}
	}
	c.Files["home.wsgi"] = homeScript
	return apachetest.New(t, c)
}

// makeVenv makes a virtual environment at home and puts things to import into it.
func makeVenv(t *testing.T, s *apachetest.Server, options ...string) (packages string) {
	t.Helper()
	python, version := builtFor(t)
	home := s.Root + "/home"
	command := exec.Command(python, append([]string{"-m", "venv"}, append(options, home)...)...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	packages = "home/lib/python" + version + "/site-packages"
	for name, text := range map[string]string{
		packages + "/installed.py":    "WHERE = 'site-packages'\n",
		packages + "/more.pth":        s.Root + "/elsewhere\nimport sys; sys.pth_was_run = True\n",
		"elsewhere/named_by_pth.py":   "import sys\nWHERE = 'elsewhere %s' % sys.pth_was_run\n",
		packages + "/pkg/__init__.py": "from pkg.inner import WHERE\n",
		packages + "/pkg/inner.py":    "WHERE = 'inner'\n",
	} {
		if err := s.WriteFile(name, text); err != nil {
			t.Fatal(err)
		}
	}
	return packages
}

func TestPackagesOfAVirtualEnvironmentAreFound(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []string
		conf    string
		user    bool
	}{
		{"without pip", []string{"--without-pip"}, "", false},
		{"copied program", []string{"--without-pip", "--copies"}, "", false},
		{"with system packages", []string{"--without-pip", "--system-site-packages"}, "", false},
		{"final slash", []string{"--without-pip"}, "WSGIPythonHome {{.Root}}/home/\n", false},
		{"ordinary user", []string{"--without-pip"}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newHomeServer(t, apachetest.Config{Conf: c.conf, OrdinaryUser: c.user})
			makeVenv(t, s, c.options...)
			s.Start(t)
			home := s.Root + "/home"
			expectBody(t, s, "/", home+"|/usr|"+home+"/bin/python")
			expectBody(t, s, "/?installed", "site-packages")
			expectBody(t, s, "/?named_by_pth", "elsewhere True")
			expectBody(t, s, "/?pkg", "inner")
			wants := "hidden"
			if slices.Contains(c.options, "--system-site-packages") {
				wants = "visible"
			}
			expectBody(t, s, "/?system", wants)
			if strings.Contains(s.Log(), "WSGI00") || strings.Contains(s.Log(), "WSGI010") {
				t.Errorf("a home that is right is complained about:\n%s", s.Log())
			}
		})
	}
}

// homeCase is a home that is not right: how it is made, and what the one line about it must contain.
type homeCase struct {
	name   string
	make   func(t *testing.T, s *apachetest.Server, version string)
	conf   string
	env    string   // a variable for httpd; OUTSIDE is a folder beside the server's root
	module string   // in OUTSIDE: a file below it, which raises an exception when it is imported
	says   []string // in the line; ROOT is the server's root, NEEDED the version
	status int
	user   string // "root": only as root, whose children are www-data
}

func write(name, text string) func(*testing.T, *apachetest.Server, string) {
	return func(t *testing.T, s *apachetest.Server, version string) {
		if err := s.WriteFile(strings.ReplaceAll(name, "NEEDED", version), strings.ReplaceAll(text, "NEEDED", version)); err != nil {
			t.Fatal(err)
		}
	}
}

func folder(names ...string) func(*testing.T, *apachetest.Server, string) {
	return func(t *testing.T, s *apachetest.Server, version string) {
		for _, name := range names {
			if err := os.MkdirAll(filepath.Join(s.Root, strings.ReplaceAll(name, "NEEDED", version)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func sequence(steps ...func(*testing.T, *apachetest.Server, string)) func(*testing.T, *apachetest.Server, string) {
	return func(t *testing.T, s *apachetest.Server, version string) {
		for _, step := range steps {
			step(t, s, version)
		}
	}
}

func mode(name string, mode os.FileMode) func(*testing.T, *apachetest.Server, string) {
	return func(t *testing.T, s *apachetest.Server, _ string) {
		if err := os.Chmod(filepath.Join(s.Root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func link(target, name string) func(*testing.T, *apachetest.Server, string) {
	return func(t *testing.T, s *apachetest.Server, version string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(s.Root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(strings.ReplaceAll(strings.ReplaceAll(target, "ROOT", s.Root), "NEEDED", version), filepath.Join(s.Root, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func venv(t *testing.T, s *apachetest.Server, _ string) { makeVenv(t, s, "--without-pip") }

func remove(name string) func(*testing.T, *apachetest.Server, string) {
	return func(t *testing.T, s *apachetest.Server, _ string) {
		if err := os.RemoveAll(filepath.Join(s.Root, name)); err != nil {
			t.Fatal(err)
		}
	}
}

var foreignVenv = sequence(
	write("home/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.9.2\n"),
	write("home/lib/python3.9/site-packages/installed.py", "WHERE = 'never'\n"), link("/usr/bin/python3.9", "home/bin/python3.9"), link("python3.9", "home/bin/python"))

var homeCases = []homeCase{
	// Python can't start.
	{name: "missing", make: folder(), status: 500, says: []string{"WSGI0100", "WSGIPythonHome ROOT/home", "there is no ROOT/home", "user www-data", "Python NEEDED"}},
	{name: "missing parent", conf: "WSGIPythonHome {{.Root}}/no/such/home\n", make: folder(), status: 500, says: []string{"WSGI0100", "there is no ROOT/no (ROOT exists)"}},
	{name: "broken link", make: link("ROOT/gone", "home"), status: 500, says: []string{"WSGI0100", "the link ROOT/home leads to ROOT/gone", "there is no ROOT/gone"}},
	{name: "file", make: write("home", "x"), status: 500, says: []string{"WSGI0101", "WSGIPythonHome ROOT/home", "not a folder"}},
	{name: "program", conf: "WSGIPythonHome {{.Root}}/home/bin/python\n", make: venv, status: 500, says: []string{"WSGI0101", "not a folder", "perhaps ROOT/home was meant"}},
	{name: "below a file", conf: "WSGIPythonHome {{.Root}}/home/below\n", make: write("home", "x"), status: 500, says: []string{"WSGI0101", "ROOT/home is not a folder"}},
	{name: "empty", make: folder("home"), status: 500, says: []string{"WSGI0099", "the folder is empty", "Python NEEDED"}},
	{name: "no Python", make: write("home/readme", "x"), status: 500, says: []string{"WSGI0099", "no Python is in it"}},
	{name: "project folder", make: sequence(venv, func(t *testing.T, s *apachetest.Server, _ string) {
		folder("project")(t, s, "")
		if err := os.Rename(s.Root+"/home", s.Root+"/project/.venv"); err != nil {
			t.Fatal(err)
		}
	}), conf: "WSGIPythonHome {{.Root}}/project\n", status: 500, says: []string{"WSGI0099", "no Python is in it", "perhaps ROOT/project/.venv was meant"}},
	{name: "foreign version", make: write("home/lib/python3.9/os.py", ""), status: 500, says: []string{"WSGI0099", "holds Python 3.9", "built for Python NEEDED", "no ROOT/home/lib/pythonNEEDED"}},
	{name: "incomplete library", make: write("home/lib/pythonNEEDED/os.py", ""), status: 500, says: []string{"WSGI0099", "incomplete", "no ROOT/home/lib/pythonNEEDED/encodings"}},
	{name: "prefix pair", conf: "WSGIPythonHome {{.Root}}/one:{{.Root}}/two\n", make: folder("one", "two"), status: 500, says: []string{"WSGI0099", "WSGIPythonHome ROOT/one:ROOT/two", "the folder is empty"}},
	{name: "unreadable", make: sequence(venv, mode("home", 0o700)), user: "root", status: 500, says: []string{"WSGI0102", "WSGIPythonHome ROOT/home", "may not be searched by user www-data", "owner root, mode 0700", "chmod o+x ROOT/home"}},
	{name: "unreadable parent", conf: "WSGIPythonHome {{.Root}}/private/home\n", make: sequence(folder("private/home"), mode("private", 0o750)), user: "root", status: 500, says: []string{"WSGI0102", "folder ROOT/private may not be searched by user www-data", "mode 0750"}},
	{name: "unreadable behind a link", make: sequence(folder("private/home"), mode("private", 0o700), link("private/home", "home")), user: "root", status: 500, says: []string{"WSGI0102", "the link ROOT/home leads to ROOT/private/home", "ROOT/private may not be searched by user www-data"}},
	{name: "unreadable pyvenv.cfg", make: sequence(venv, mode("home/pyvenv.cfg", 0o600)), user: "root", status: 500, says: []string{"WSGI0102", "ROOT/home/pyvenv.cfg may not be read by user www-data", "chmod o+r"}},
	{name: "PYTHONHOME missing", conf: "\n", env: "PYTHONHOME=/no/such/home", make: folder(), status: 500, says: []string{"WSGI0100", "the environment's PYTHONHOME /no/such/home", "there is no /no"}},
	{name: "PYTHONPATH of another version", conf: "\n", env: "PYTHONPATH=/tmp:OUTSIDE/python3.9", module: "python3.9/encodings/__init__.py", make: folder(), status: 500, says: []string{"WSGI0099", "PYTHONPATH", "the standard library of Python 3.9", "NEEDED"}},
	{name: "PYTHONPATH with a broken library", conf: "\n", env: "PYTHONPATH=OUTSIDE", module: "encodings/__init__.py", make: folder(), status: 500, says: []string{"WSGI0036", "CPython says:", "PYTHONPATH=OUTSIDE", "may be the cause"}},
	{name: "PYTHONIOENCODING", conf: "\n", env: "PYTHONIOENCODING=nonsense", make: folder(), status: 500, says: []string{"WSGI0036", "CPython says:", "PYTHONIOENCODING=nonsense"}},
	{name: "PYTHONHASHSEED", conf: "\n", env: "PYTHONHASHSEED=nonsense", make: folder(), status: 500, says: []string{"WSGI0036", "PYTHONHASHSEED=nonsense"}},

	// Python starts, but not as somebody expects.
	{name: "venv of another version", make: foreignVenv, status: 200, says: []string{"WSGI0099", "WSGIPythonHome ROOT/home", "made by Python 3.9.2", "built for Python NEEDED", "no ROOT/home/lib/pythonNEEDED/site-packages", "user www-data", "pythonNEEDED -m venv --clear ROOT/home"}},
	{name: "venv of another version with packages for this one", make: sequence(foreignVenv, folder("home/lib/pythonNEEDED/site-packages")), status: 200, says: []string{"WSGI0099", "WSGIPythonHome ROOT/home", "Python 3.9.2 made it", "built for Python NEEDED", "sys.executable is another Python"}},
	{name: "venv of virtualenv's with another version", make: sequence(foreignVenv, write("home/pyvenv.cfg", "home = /usr/bin\nversion_info = 3.9.2.final.0\n")), status: 200, says: []string{"WSGI0099", "made by Python 3.9.2 and", "built for Python NEEDED"}},
	{name: "venv of another version that does not say so", make: sequence(foreignVenv, write("home/pyvenv.cfg", "home = /usr/bin\n")), status: 200, says: []string{"WSGI0099", "for Python NEEDED, which the module was built for", "only of Python 3.9", "user www-data"}},
	{name: "venv whose program is gone", make: sequence(venv, remove("home/bin/python"), link("/no/python", "home/bin/python")), status: 200, says: []string{"WSGI0100", "sys.executable will not run", "there is no /no"}},
	{name: "venv whose base is gone", make: sequence(venv, write("home/pyvenv.cfg", "home = /no/bin\nversion = NEEDED.1\n")), status: 200, says: []string{"WSGI0100", "there is no /no"}},
	{name: "venv without home", make: sequence(venv, write("home/pyvenv.cfg", "version = NEEDED.1\n")), status: 200, says: []string{"WSGI0099", "no line 'home ='"}},
	{name: "venv without packages", make: sequence(venv, remove("home/lib")), status: 200, says: []string{"WSGI0099", "no ROOT/home/lib"}},
	{name: "venv with private packages", make: sequence(venv, mode("home/lib", 0o700)), user: "root", status: 200, says: []string{"WSGI0102", "ROOT/home/lib may not be searched by user www-data"}},
	{name: "PYTHONHOME and a venv", env: "PYTHONHOME=/usr", make: venv, status: 200, says: []string{"WSGI0099", "PYTHONHOME=/usr", "WSGIPythonHome ROOT/home"}},
}

func TestHomeThatIsNotRightIsDiagnosedByName(t *testing.T) {
	_, version := builtFor(t)
	for _, c := range homeCases {
		if c.user == "root" && os.Getuid() != 0 {
			continue // needs children of another user than the owner of the files
		}
		t.Run(c.name, func(t *testing.T) {
			outside := openFolder(t)
			config := apachetest.Config{Conf: c.conf}
			if c.env != "" {
				config.Env = []string{strings.ReplaceAll(c.env, "OUTSIDE", outside)}
			}
			if c.module != "" {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(outside, c.module)), 0o755); err != nil {
					t.Fatal(err)
				}
				writeOpenFile(t, filepath.Join(outside, c.module), "raise ValueError('of another Python')\n")
			}
			s := newHomeServer(t, config)
			fillIn := strings.NewReplacer("ROOT", s.Root, "NEEDED", version, "OUTSIDE", outside)
			c.make(t, s, version)
			s.Start(t)
			expectHomeLine(t, s, c, fillIn)
		})
	}
}

// expectHomeLine looks for the one line that says everything, and for what requests get.
func expectHomeLine(t *testing.T, s *apachetest.Server, c homeCase, fillIn *strings.Replacer) {
	t.Helper()
	pattern := "wsgi:warn.*" + c.says[0] + ": cannot fully use"
	if c.status == 500 {
		pattern = "wsgi:crit.*WSGI0001: .*" + c.says[0] + ": cannot start Python"
	}
	line := s.WaitLog(t, pattern)
	for _, text := range c.says {
		text = fillIn.Replace(text)
		if os.Getuid() != 0 {
			text = strings.ReplaceAll(text, "user www-data", "user ")
		}
		if !strings.Contains(line, text) {
			t.Errorf("the line does not say %q:\n%s", text, line)
		}
	}
	for range 2 {
		if r := s.Get(t, "/"); r.Status != c.status {
			t.Errorf("status %d, want %d:\n%s", r.Status, c.status, s.Log())
		}
	}
	log := s.Log()
	if c.status == 500 {
		s.WaitLog(t, "WSGI0210: cannot run script .*Python did not start")
	}
	if c.says[0] != "WSGI0036" && strings.Contains(log, "No module named 'encodings'") {
		t.Errorf("CPython was left to fail:\n%s", log)
	}
	if n := len(regexp.MustCompile(pattern).FindAllString(log, -1)); n != 1 {
		t.Errorf("%s is logged %d times:\n%s", pattern, n, log)
	}
}

func TestHomeIsDiagnosedForAnOrdinaryUser(t *testing.T) {
	s := newHomeServer(t, apachetest.Config{OrdinaryUser: true})
	folder("home")(t, s, "")
	s.Start(t)
	s.WaitLog(t, "wsgi:crit.*WSGI0001.*the folder is empty")
	if r := s.Get(t, "/"); r.Status != 500 {
		t.Errorf("status %d", r.Status)
	}
}
