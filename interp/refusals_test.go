package interp

import (
	"strings"
	"testing"
)

const cythonTrace = `Traceback (most recent call last):
  File "/srv/app.wsgi", line 7, in application
    import numpy
  File "/usr/lib/python3/dist-packages/numpy/__init__.py", line 152, in <module>
    from . import random
  File "/usr/lib/python3/dist-packages/numpy/random/_pickle.py", line 1, in <module>
    from .mtrand import RandomState
ImportError: Interpreter change detected - this module can only be loaded into one interpreter per process.
`

const chainedTrace = `Traceback (most recent call last):
  File "/venv/lib/python3.12/site-packages/jwt/algorithms.py", line 3, in <module>
    from cryptography.hazmat.bindings._rust import (
ImportError: PyO3 modules do not yet support subinterpreters, see https://github.com/PyO3/pyo3/issues/576

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app.wsgi", line 1, in <module>
    import framework
framework.ImproperlyConfigured: something else
`

func TestRefusalsOfSubInterpretersAreRecognized(t *testing.T) {
	for _, c := range []struct{ trace, names string }{
		{"ImportError: module _foo.bar does not support loading in subinterpreters", "module _foo.bar works in the main interpreter only"},
		{cythonTrace, "module numpy.random.mtrand (an extension made with Cython)"},
		{chainedTrace, "module cryptography.hazmat.bindings._rust (an extension made with PyO3)"},
		{"    import x\nImportError: PyO3 modules may only be initialized once per interpreter process", "module x (an extension made with PyO3)"},
		{"ImportError: PyO3 modules compiled for CPython 3.8 or older may only be initialized once per interpreter process", "an extension made with PyO3 works in one"},
		{"    import numpy\nImportError: cannot load module more than once per process", "the extension module numpy works in one"},
		{"RuntimeError: CPU dispatcher tracer already initlized", "numpy works in one"},
		{"    import numpy\nUserWarning: NumPy was imported from a Python sub-interpreter but NumPy does not properly support sub-interpreters.", "numpy works in the main interpreter only"},
		{"ImportError: cannot import name 'encodings' from 'psycopg2._psycopg' (/x/_psycopg.so)", "module psycopg2._psycopg"},
		{"RuntimeError: fork not supported for subinterpreters", "Python allows this in the main interpreter only"},
		{"RuntimeError: fork not supported for isolated subinterpreters", "Python allows this"},
		{"RuntimeError: preexec_fn not supported within subinterpreters", "Python allows this"},
		{"RuntimeError: daemon threads are disabled in this interpreter", "Python allows this"},
		{"RuntimeError: thread is not supported for isolated subinterpreters", "Python allows this"},
	} {
		got := advice(c.trace, "group", nil)
		if !strings.Contains(got, c.names) || !strings.Contains(got, "give this application WSGIApplicationGroup %{GLOBAL}") {
			t.Errorf("%s\nadvice: %q, want %q and the cure", c.trace, got, c.names)
		}
	}
}

func TestMainInterpreterIsNotToldToBecomeItself(t *testing.T) {
	if got := advice(cythonTrace, "", nil); !strings.Contains(got, "another application's has loaded it before: give that one WSGIApplicationGroup %{GLOBAL}, too") {
		t.Error(got)
	}
}

func TestOrdinaryExceptionsGetNoAdvice(t *testing.T) {
	odd := []*Fault{{Path: "WSGIPythonHome /venv", Reason: "made by Python 3.9"}}
	for trace, want := range map[string]string{
		"ValueError: no": "",
		"ImportError: libx.so: cannot open shared object file":     "",
		"ImportError: cannot import name 'x' from 'package'":       "",
		"AttributeError: module 'yaml' has no attribute 'CLoader'": "",
		"": "",
		"ModuleNotFoundError: No module named 'flask'": "; WSGIPythonHome /venv: made by Python 3.9",
	} {
		if got := advice(trace, "group", odd); got != want {
			t.Errorf("%s: %q, want %q", trace, got, want)
		}
	}
}

func TestImportedModuleIsReadFromATraceback(t *testing.T) {
	frame := "  File \"/x/site-packages/pkg/sub/mod.py\", line 1, in <module>\n"
	for source, want := range map[string]string{
		"    import a.b as c":   "a.b",
		"    from a import b":   "a",
		"    from a import (":   "a",
		"    from . import b":   "pkg.sub.b",
		"    from . import (":   "pkg.sub",
		"    from .a import b":  "pkg.sub.a",
		"    x = important + 1": "",
	} {
		if got := importedBefore("Traceback (most recent call last):\n" + frame + source + "\n"); got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

func TestRefusedExtensionIsNamed(t *testing.T) {
	f := Refused("yaml._yaml", "ImportError: Interpreter change detected - this module can only be loaded into one interpreter per process.", "b", true)
	if f == nil || !strings.HasPrefix(f.Error(), "WSGI0302: cannot load extension module yaml._yaml: ImportError: Interpreter change") || !strings.Contains(f.Error(), "interpreter 'b'") {
		t.Error(f)
	}
	if f := Refused("x", "ImportError: undefined symbol: y", "b", true); f != nil {
		t.Error(f)
	}
}
