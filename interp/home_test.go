package interp

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// lay makes files ("name") , folders ("name/") and links ("name -> target") below a new folder.
func lay(t *testing.T, names ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte("home = "+root+"/base/bin\nversion = 3.11.2\n"), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func examineIn(root, home string, environment map[string]string) *finding {
	return examine(surroundings{
		setting: "WSGIPythonHome", home: strings.ReplaceAll(home, "ROOT", root), executable: "/built/bin/python3.11", needed: pythonVersion{3, 11},
		getenv: func(name string) string { return strings.ReplaceAll(environment[name], "ROOT", root) },
	})
}

func TestHomeDecidesWhatPythonIsTold(t *testing.T) {
	library := []string{"p/lib/python3.11/os.py", "p/lib/python3.11/encodings/__init__.py", "p/lib/python3.11/lib-dynload/"}
	for name, c := range map[string]struct {
		files           []string
		home            string
		environment     map[string]string
		program, prefix string
		odd             string
	}{
		"nothing set":   {nil, "", nil, "/built/bin/python3.11", "", ""},
		"installation":  {library, "ROOT/p", nil, "/built/bin/python3.11", "ROOT/p", ""},
		"lib64":         {[]string{"p/lib64/python3.11/os.py", "p/lib64/python3.11/encodings/__init__.py"}, "ROOT/p", nil, "/built/bin/python3.11", "ROOT/p", ""},
		"compiled only": {[]string{"p/lib/python3.11/os.pyc", "p/lib/python3.11/encodings/__init__.pyc"}, "ROOT/p", nil, "/built/bin/python3.11", "ROOT/p", ""},
		"zipped":        {[]string{"p/lib/python311.zip"}, "ROOT/p", nil, "/built/bin/python3.11", "ROOT/p", ""},
		"PYTHONPLATLIBDIR": {[]string{"p/other/python3.11/os.py", "p/other/python3.11/encodings/__init__.py"}, "ROOT/p",
			map[string]string{"PYTHONPLATLIBDIR": "other"}, "/built/bin/python3.11", "ROOT/p", ""},
		"two prefixes":        {library, "ROOT/p:ROOT/p", nil, "/built/bin/python3.11", "ROOT/p:ROOT/p", ""},
		"two prefixes, bad":   {library, "ROOT/p:ROOT/q", nil, "/built/bin/python3.11", "ROOT/p:ROOT/q", "lib-dynload in ROOT/q"},
		"virtual environment": {[]string{"v/pyvenv.cfg", "v/bin/python", "v/lib/python3.11/site-packages/", "base/bin/"}, "ROOT/v", nil, "ROOT/v/bin/python", "", ""},
		"its base is gone":    {[]string{"v/pyvenv.cfg", "v/bin/python", "v/lib/python3.11/site-packages/"}, "ROOT/v", nil, "ROOT/v/bin/python", "", "there is no ROOT/base"},
		"only other packages": {[]string{"v/pyvenv.cfg", "v/bin/python", "v/lib/python3.9/site-packages/", "base/bin/"}, "ROOT/v", nil, "ROOT/v/bin/python", "", "only of Python 3.9"},
		"PYTHONHOME":          {library, "", map[string]string{"PYTHONHOME": "ROOT/p"}, "/built/bin/python3.11", "", ""},
		"PYTHONPATH of ours":  {[]string{"python3.11/encodings/"}, "", map[string]string{"PYTHONPATH": "ROOT/python3.11"}, "/built/bin/python3.11", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := lay(t, c.files...)
			f := examineIn(root, c.home, c.environment)
			if f.fatal != nil {
				t.Fatal(f.fatal)
			}
			fill := func(s string) string { return strings.ReplaceAll(s, "ROOT", root) }
			if f.program != fill(c.program) || f.prefix != fill(c.prefix) {
				t.Errorf("program %q, home %q; want %q, %q", f.program, f.prefix, fill(c.program), fill(c.prefix))
			}
			var odd []string
			for _, o := range f.oddities {
				odd = append(odd, o.Error())
			}
			if text := strings.Join(odd, "\n"); (c.odd == "") != (text == "") || !strings.Contains(text, fill(c.odd)) {
				t.Errorf("oddities %q, want %q", text, fill(c.odd))
			}
		})
	}
}

func TestWayToAFileIsExplained(t *testing.T) {
	root := lay(t, "a/file", "link -> a/file", "broken -> nowhere", "loop -> loop", "deep/one -> ../a", "deep/two -> one/gone")
	for path, want := range map[string]struct {
		err  error
		text string
	}{
		"a/file":   {nil, ""},
		"link":     {nil, ""},
		"a/file/x": {syscall.ENOTDIR, "ROOT/a/file is not a folder"},
		"b/c/d":    {fs.ErrNotExist, "there is no ROOT/b (ROOT exists)"},
		"broken":   {fs.ErrNotExist, "the link ROOT/broken leads to ROOT/nowhere, and there is no ROOT/nowhere (ROOT exists)"},
		"deep/two": {fs.ErrNotExist, "the link ROOT/deep/two leads to ROOT/deep/one/gone, and there is no ROOT/deep/one/gone (ROOT/deep/one exists)"},
		"loop":     {syscall.ELOOP, "too many levels of symbolic links"},
	} {
		found := reach(filepath.Join(root, path), mayRead)
		switch {
		case found == nil && want.err == nil:
		case found == nil || !errors.Is(found.err, want.err) || !strings.Contains(found.text, strings.ReplaceAll(want.text, "ROOT", root)):
			t.Errorf("%s: %+v, want %v", path, found, want)
		}
	}
}

func TestFailedStartNamesWhatMayBeTheCause(t *testing.T) {
	text := startFailure("failed to get the Python codec", surroundings{needed: pythonVersion{3, 11}, setting: "WSGIPythonHome", home: "/srv/venv"}, &finding{},
		[]string{"PATH=/bin", "PYTHONPATH=/x", "LANG=de_DE.strange", "PYTHONHOME="}).Error()
	for _, part := range []string{"WSGI0036", "Python 3.11", "failed to get the Python codec", "WSGIPythonHome /srv/venv", "contains LANG=de_DE.strange, PYTHONPATH=/x, any"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in: %s", part, text)
		}
	}
	if strings.Contains(text, "PATH=/bin") {
		t.Errorf("PATH has nothing to do with it: %s", text)
	}
}
