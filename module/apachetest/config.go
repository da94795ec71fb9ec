package apachetest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// MPM is one of Apache's multi-processing modules.
type MPM string

// The three that Debian ships.
const (
	Event   MPM = "event"
	Worker  MPM = "worker"
	Prefork MPM = "prefork"
)

// MPMs lists all of them, for tests that run under each.
var MPMs = []MPM{Event, Worker, Prefork}

// Mode is how httpd is started.
type Mode int

// Foreground is `httpd -DFOREGROUND`, Daemonized `httpd -k start`, Single `httpd -X`.
const (
	Foreground Mode = iota
	Daemonized
	Single
)

func (m Mode) String() string { return [...]string{"foreground", "daemonized", "-X"}[m] }

const (
	httpdBinary  = "/usr/sbin/apache2"
	modulesDir   = "/usr/lib/apache2/modules"
	classicPath  = modulesDir + "/mod_wsgi.so"
	childUser    = "www-data"
	ordinaryUser = "www-data"
)

// Module is a WSGI module to load. The zero value means Ours().
type Module struct {
	Name string
	Path string
}

// Ours is the module of this repository, or the one that MODWSGI_SO names.
func Ours() Module {
	if path := os.Getenv("MODWSGI_SO"); path != "" {
		return Module{Name: "ours", Path: path}
	}
	return Module{Name: "ours", Path: filepath.Join(RepositoryRoot(), "build", "mod_wsgi.so")}
}

// Classic is the oracle: Debian's libapache2-mod-wsgi-py3.
func Classic() Module { return Module{Name: "classic", Path: classicPath} }

// NoModule loads no WSGI module at all.
func NoModule() Module { return Module{Name: "none"} }

// check fails the test with what to do when the module is not there.
func (m Module) check(t testing.TB) {
	t.Helper()
	if m.Path == "" {
		return
	}
	if _, err := os.Stat(m.Path); err != nil {
		remedy := "run `make build`"
		if m.Name == "classic" {
			remedy = "install the package libapache2-mod-wsgi-py3"
		}
		t.Fatalf("the %s module is missing (%s): %s", m.Name, m.Path, remedy)
	}
}

// RepositoryRoot is the folder with go.mod, found from this source file.
func RepositoryRoot() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Config describes one server.
type Config struct {
	MPM    MPM    // default: Event
	Module Module // default: Ours()
	Mode   Mode

	// Daemon is the options of a WSGIDaemonProcess in which the whole server's applications run ("processes=2 threads=1");
	// "" runs them embedded. The group is called ProcessGroup. A template like Conf.
	Daemon string

	// Modules are further Apache modules by short name ("rewrite", "cgid"); authz_core and alias are always loaded.
	Modules []string

	// Conf is the configuration, a template (see the package comment), added after the basic settings.
	Conf string

	// Tuning replaces the directives that size the MPM. Default: one child to start with, few threads.
	Tuning string

	// OneChild keeps the server at one child process, for applications that keep state.
	OneChild bool

	// LogLevel is Apache's; default "warn".
	LogLevel string

	// Files are written below Root, verbatim; Templates are rendered like Conf first. Names ending in ".cgi" become
	// executable, the rest is readable by everybody.
	Files     map[string]string
	Templates map[string]string

	// Data is handed to the templates as {{.Data}}.
	Data any

	// OrdinaryUser starts httpd itself as an ordinary user even when the tests run as root.
	OrdinaryUser bool

	// Env is added to the environment of httpd ("NAME=value").
	Env []string

	// Tolerate lists texts of log lines that the final examination of the log must overlook.
	Tolerate []string
}

func (c Config) withDefaults() Config {
	if c.MPM == "" {
		c.MPM = Event
	}
	if c.Module == (Module{}) {
		c.Module = Ours()
	}
	if c.LogLevel == "" {
		c.LogLevel = "warn"
	}
	if c.Tuning == "" {
		c.Tuning = defaultTuning(c.MPM, c.OneChild)
	}
	return c
}

func defaultTuning(mpm MPM, oneChild bool) string {
	switch {
	case mpm == Prefork && oneChild:
		return "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nServerLimit 1\nMaxRequestWorkers 1\n"
	case mpm == Prefork:
		return "StartServers 1\nMinSpareServers 1\nMaxSpareServers 2\nServerLimit 8\nMaxRequestWorkers 8\n"
	case oneChild:
		return "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nThreadLimit 8\nMaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8\n"
	default:
		return "StartServers 1\nServerLimit 2\nThreadsPerChild 8\nThreadLimit 8\nMaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"
	}
}
