package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// repositoryCommand runs a program at the top of the repository, without what an outer make put into the environment.
func repositoryCommand(name string, arguments ...string) *exec.Cmd {
	command := exec.Command(name, arguments...)
	command.Dir = apachetest.RepositoryRoot()
	for _, variable := range os.Environ() {
		if key, _, _ := strings.Cut(variable, "="); !strings.HasPrefix(key, "MAKE") && key != "MFLAGS" {
			command.Env = append(command.Env, variable)
		}
	}
	return command
}

func runSuccessfully(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	return string(output)
}

func apxsQuery(t *testing.T, what string) string {
	t.Helper()
	return strings.TrimSpace(runSuccessfully(t, exec.Command("apxs", "-q", what)))
}

func TestMakeInstallPutsAServingModuleBelowDestdir(t *testing.T) {
	destination := t.TempDir()
	runSuccessfully(t, repositoryCommand("make", "--no-print-directory", "install", "DESTDIR="+destination))
	module := apxsQuery(t, "LIBEXECDIR") + "/mod_wsgi.so"
	daemon, err := os.Stat(filepath.Join(destination, filepath.Dir(module), "mod_wsgi-daemon"))
	if err != nil || daemon.Mode().Perm() != 0o755 {
		t.Errorf("mod_wsgi-daemon is not beside the module, executable: %v %v", daemon, err)
	}
	s := apachetest.Start(t, apachetest.Config{
		Module: apachetest.Module{Name: "installed", Path: destination + module},
		Conf:   "WSGIScriptAlias / {{.Root}}/process.wsgi",
		Files:  map[string]string{"process.wsgi": processApp},
	})
	if answer := s.Get(t, "/"); answer.Status != 200 {
		t.Errorf("the installed module does not serve:\n%s", answer)
	}
}

func TestMakeInstallBringsStubsOfTheModules(t *testing.T) {
	destination := t.TempDir()
	runSuccessfully(t, repositoryCommand("make", "--no-print-directory", "install", "DESTDIR="+destination))
	python, _ := builtFor(t)
	packages := strings.TrimSpace(runSuccessfully(t, exec.Command(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")))
	s := apachetest.Start(t, apachetest.Config{
		Conf:    "WSGIServerMetrics On\nWSGIScriptAlias / {{.Apps}}/stubs.wsgi\nSetEnv stubs " + destination + packages + "\nSetEnv stub_file -stubs/__init__.pyi\nSetEnv events \"\"\n",
		Modules: []string{"env"},
	})
	for path := destination; path != os.TempDir() && path != "/"; path = filepath.Dir(path) { // Apache's children are another user's
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.Get(t, "/"); r.Status != 200 || len(r.Body) > 0 {
		t.Errorf("the modules differ from the installed stubs:\n%s", r)
	}
}

func TestA2enmodSwitchesTheInstalledModuleOn(t *testing.T) {
	destination := t.TempDir()
	settings := destination + apxsQuery(t, "SYSCONFDIR")
	install := func() {
		runSuccessfully(t, repositoryCommand("make", "--no-print-directory", "install", "DESTDIR="+destination))
	}
	install()
	load, err := os.ReadFile(settings + "/mods-available/wsgi.load")
	if want := "LoadModule wsgi_module " + apxsQuery(t, "LIBEXECDIR") + "/mod_wsgi.so\n"; err != nil || string(load) != want {
		t.Errorf("wsgi.load is %q (%v), not %q", load, err, want)
	}
	if err := os.Mkdir(settings+"/mods-enabled", 0o755); err != nil {
		t.Fatal(err)
	}
	enable := exec.Command("a2enmod", "--force", "wsgi")
	enable.Env = append(os.Environ(), "APACHE_CONFDIR="+settings)
	runSuccessfully(t, enable)
	for _, name := range []string{"wsgi.load", "wsgi.conf"} {
		if _, err := os.Stat(settings + "/mods-enabled/" + name); err != nil {
			t.Errorf("not enabled: %v", err)
		}
	}

	// What an administrator wrote into wsgi.conf survives the next installation.
	const own = "WSGIPythonOptimize 1\n"
	if err := os.WriteFile(settings+"/mods-available/wsgi.conf", []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	install()
	if kept, _ := os.ReadFile(settings + "/mods-available/wsgi.conf"); string(kept) != own {
		t.Errorf("wsgi.conf was overwritten with %q", kept)
	}
}
