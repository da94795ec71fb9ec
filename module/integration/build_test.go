package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// These tests build from tampered parts: the build must fail, rather than the server later.

const (
	recordSource       = "int wsgi_module;"
	noConstructor      = "void go_start(void) {}"
	oneConstructor     = "__attribute__((constructor)) void go_start(void) {}"
	twoConstructors    = oneConstructor + "\n__attribute__((constructor)) void another(void) {}"
	startedByTheLoader = "extern void go_start(void);\n__attribute__((section(\".init_array\"), used)) void (*early)(void) = go_start;"
)

func TestTheBuildFailsWhenTheGoConstructorIsNotWhereExpected(t *testing.T) {
	for _, c := range []struct {
		name    string
		objects map[string]string
		message string // "" when the link must succeed
	}{
		{"as expected", map[string]string{"go": oneConstructor, "edge": recordSource}, ""},
		{"no constructor", map[string]string{"go": noConstructor, "edge": recordSource}, "not exactly 1"},
		{"two constructors", map[string]string{"go": twoConstructors, "edge": recordSource}, "has 2 constructors"},
		{"started by the loader after all", map[string]string{"go": oneConstructor, "edge": recordSource, "more": startedByTheLoader},
			"would start Go when it is loaded"},
		{"no go.o", map[string]string{"other": oneConstructor, "edge": recordSource}, "holds no go.o"},
		{"no module record", map[string]string{"go": oneConstructor}, "does not export wsgi_module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			module := folder + "/mod_wsgi.so"
			output, err := linkModule(buildArchive(t, folder, c.objects), module)
			_, missing := os.Stat(module)
			if c.message == "" {
				if err != nil || missing != nil {
					t.Errorf("the link fails: %v\n%s", err, output)
				}
				return
			}
			expectOneLine(t, output, err, c.message)
			if missing == nil {
				t.Error("it left a module all the same")
			}
		})
	}
}

// The archive of the build that is being tested, with the section renamed as a future Go release might.
func TestTheBuildFailsWhenGoRenamesItsConstructorSection(t *testing.T) {
	folder := t.TempDir()
	archive := folder + "/mod_wsgi.a"
	real := repositoryCommand("cp", "build/archive/mod_wsgi.a", archive)
	runSuccessfully(t, real)
	for _, arguments := range [][]string{
		{"ar", "x", "mod_wsgi.a", "go.o"},
		{"objcopy", "--rename-section", ".init_array=.init_elsewhere", "go.o"},
		{"ar", "r", "mod_wsgi.a", "go.o"},
	} {
		command := exec.Command(arguments[0], arguments[1:]...)
		command.Dir = folder
		runSuccessfully(t, command)
	}
	output, err := linkModule(archive, folder+"/mod_wsgi.so")
	expectOneLine(t, output, err, "go.o has 0 constructors")
}

func buildArchive(t *testing.T, folder string, objects map[string]string) string {
	t.Helper()
	ar := exec.Command("ar", "rc", "parts.a")
	ar.Dir = folder
	for name, source := range objects {
		gcc := exec.Command("gcc", "-fPIC", "-c", "-x", "c", "-", "-o", name+".o")
		gcc.Dir, gcc.Stdin = folder, strings.NewReader(source)
		runSuccessfully(t, gcc)
		ar.Args = append(ar.Args, name+".o")
	}
	runSuccessfully(t, ar)
	return folder + "/parts.a"
}

func linkModule(archive, module string) (string, error) {
	output, err := repositoryCommand(".ci/link-module", archive, module, "gcc").CombinedOutput()
	return string(output), err
}

func expectOneLine(t *testing.T, output string, err error, text string) {
	t.Helper()
	if err == nil {
		t.Errorf("it succeeds:\n%s", output)
	}
	if strings.Count(output, "\n") != 1 || !strings.Contains(output, text) {
		t.Errorf("not one line with %q, but:\n%s", text, output)
	}
}

func TestAMissingToolEndsTheBuildWithOneLineNamingThePackage(t *testing.T) {
	all := []string{"bash", "go", "gcc", "objcopy", "readelf", "ar", "pkg-config", "apxs", "apr-1-config", "perl", "sh", "sed"}
	for tool, remedy := range map[string]string{
		"": "", "go": "install Go 1.26", "gcc": "package gcc", "objcopy": "package binutils", "readelf": "package binutils",
		"pkg-config": "package pkg-config", "apxs": "package apache2-dev", "apr-1-config": "package libapr1-dev",
	} {
		t.Run("without "+tool, func(t *testing.T) {
			path := t.TempDir()
			for _, name := range all {
				found, err := exec.LookPath(name)
				if err != nil {
					t.Fatal(err)
				}
				// No links: apr-1-config looks at the folder that it was started from.
				script := "#!/bin/sh\nexec " + found + ` "$@"` + "\n"
				if name != tool {
					if err := os.WriteFile(filepath.Join(path, name), []byte(script), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			check := repositoryCommand(".ci/prerequisites", "go", "gcc", "/usr/bin/python3")
			check.Env = append(check.Env, "PATH="+path)
			output, err := check.CombinedOutput()
			if tool == "" {
				if err != nil {
					t.Errorf("nothing is missing, but: %s", output)
				}
				return
			}
			expectOneLine(t, string(output), err, remedy)
		})
	}
}

func TestAPythonThatCannotBeEmbeddedEndsTheBuildWithOneLine(t *testing.T) {
	for _, c := range []struct{ name, patch, message string }{
		{"as it is", "", ""},
		{"too old", "sys.version_info = (3, 9, 2, 'final', 0)", "is Python 3.9; versions 3.10 to 3.14"},
		{"too new", "sys.version_info = (3, 15, 0, 'final', 0)", "is Python 3.15"},
		{"no headers", "sysconfig.get_path = lambda name: '/nowhere'", "libpython3.11-dev"},
		{"no library", "sysconfig.get_config_vars()['LIBDIR'] = '/nowhere'", "libpython3.11-dev"},
		{"static", "sysconfig.get_config_vars()['Py_ENABLE_SHARED'] = 0", "--enable-shared"},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := fmt.Sprintf("import sys, sysconfig\nsysconfig.get_config_var('LIBDIR')\n%s\nexec(open('.ci/embed.py').read())", c.patch)
			folder := t.TempDir()
			output, err := repositoryCommand("/usr/bin/python3", "-c", program, folder).CombinedOutput()
			if c.message != "" {
				expectOneLine(t, string(output), err, strings.Replace(c.message, "3.11", pythonVersion(t), 1))
				return
			}
			if text, missing := os.ReadFile(folder + "/python3-embed.pc"); err != nil || missing != nil || !strings.Contains(string(text), "-lpython3") {
				t.Errorf("%v %v\n%s%s", err, missing, output, text)
			}
		})
	}
}

func pythonVersion(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(runSuccessfully(t, exec.Command("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")))
}
