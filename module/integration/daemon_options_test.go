package integration

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"modwsgi/module/apachetest"
)

// What the options of WSGIDaemonProcess give a process: reference directives.md, 5.2 and 5.6.

func TestOptionsShapeTheProcess(t *testing.T) {
	other, err := user.Lookup("daemon")
	if err != nil {
		t.Fatal(err)
	}
	webUser, err := user.Lookup("www-data")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // these tests may themselves run under nice
	if err != nil {
		t.Fatal(err)
	}
	priority := 20 - raw // getpriority(2), C library/kernel differences
	for _, c := range []struct {
		name, options string
		want          string // lines of name=value
		root          bool   // only root can do it
	}{
		{"nothing", "", "multithread=True\nmultiprocess=False\nrun_once=False\npriority=" + strconv.Itoa(priority), false},
		{"processes", "processes=1", "multithread=True\nmultiprocess=True", false},
		{"one thread", "processes=2 threads=1", "multithread=False\nmultiprocess=True\nrun_once=False", false},
		{"run once", "threads=1 maximum-requests=1", "multithread=False\nmultiprocess=False\nrun_once=True", false},
		{"umask", "umask=027", "umask=027", false},
		{"home", "home={{.Root}}/var", "cwd=ROOT/var\npath0=ROOT/var", false},
		{"home before the path", "home={{.Root}}/var python-path={{.Root}}/apps", "path0=ROOT/var", false},
		{"path", "python-path={{.Root}}/apps", "path0=ROOT/apps", false},
		{"lang", "lang=C.UTF-8", "LANG=C.UTF-8", false},
		{"locale", "locale=C.UTF-8", "LC_ALL=C.UTF-8\nlocale=C.UTF-8", false},
		{"eggs", "python-eggs=/tmp/eggs", "PYTHON_EGG_CACHE=/tmp/eggs", false},
		{"switch interval", "switch-interval=0.25", "interval=0.25", false},
		{"priority", "cpu-priority=5", "priority=5", true},
		{"stack", "stack-size=524288", "multithread=True", false},
		{"sizes of sockets", "send-buffer-size=65536 receive-buffer-size=65536 listen-backlog=10", "multithread=True", false},
		{"user of Apache", "", "uid=" + webUser.Uid + "\ngid=" + webUser.Gid + "\nHOME=" + webUser.HomeDir, true},
		{"user", "user=daemon", "uid=" + other.Uid + "\ngid=" + webUser.Gid + "\nHOME=" + other.HomeDir + "\ncwd=" + other.HomeDir, true},
		{"user by number", "user=#" + other.Uid, "uid=" + other.Uid, true},
		{"group", "user=daemon group=daemon", "uid=" + other.Uid + "\ngid=" + other.Gid, true},
		{"supplementary groups", "user=daemon group=daemon supplementary-groups=www-data,nogroup", "groups=[" + numbers(t, "daemon", "www-data", "nogroup") + "]", true},
		{"no supplementary groups", "user=daemon group=daemon supplementary-groups=", "groups=[" + other.Gid + "]", true},
		{"root directory", "chroot=/", "uid=" + webUser.Uid, true},
	} {
		if c.root && os.Getuid() != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			options := c.options
			if options == "" {
				options = "display-name=plain" // the harness takes no options for embedded mode
			}
			s := apachetest.Start(t, apachetest.Config{Daemon: options, Conf: daemonApp})
			var names []string
			for line := range strings.Lines(c.want) {
				name, _, _ := strings.Cut(line, "=")
				names = append(names, name)
			}
			r := s.Get(t, "/environment?"+strings.Join(names, ","))
			if got := strings.ReplaceAll(string(r.Body), s.Root, "ROOT"); got != c.want {
				t.Errorf("with %s:\n%s\nwant:\n%s\n%s", c.options, got, c.want, s.Log())
			}
		})
	}
}

// numbers are the ids of groups, sorted, as Python prints a list.
func numbers(t *testing.T, names ...string) string {
	t.Helper()
	output, err := exec.Command("/usr/bin/python3", append([]string{"-c", "import grp, sys; print(sorted(grp.getgrnam(n).gr_gid for n in sys.argv[1:]))"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(output), "[]\n")
}

func TestDisplayNameIsWhatPsShows(t *testing.T) {
	for option, want := range map[string]string{"display-name=%{GROUP}": "(wsgi:test)", "display-name=\"my application\"": "my application"} {
		s := apachetest.Start(t, apachetest.Config{Daemon: "processes=2 threads=2 " + option, Conf: daemonApp})
		for _, pid := range waitProcesses(t, s, 2) {
			if got := strings.TrimSpace(apachetest.CommandLine(pid)); got != want {
				t.Errorf("%s: the command line is %q", option, got)
			}
		}
	}
}

func TestSocketsBelongToApachesUser(t *testing.T) {
	for _, c := range []struct{ option, owner string }{{"", "www-data"}, {"socket-user=daemon", "daemon"}} {
		if os.Getuid() != 0 {
			continue
		}
		s := apachetest.Start(t, apachetest.Config{Daemon: "processes=1 threads=2 " + c.option, Conf: daemonApp + "WSGISocketPrefix {{.Root}}/var/here\n"})
		waitProcesses(t, s, 1)
		socket := onlySocket(t, s)
		info, err := os.Stat(socket)
		if err != nil {
			t.Fatal(err)
		}
		account, err := user.LookupId(itoa(int(info.Sys().(*syscall.Stat_t).Uid)))
		if err != nil || account.Username != c.owner || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: the socket belongs to %v with mode %v, %v", c.option, account, info.Mode(), err)
		}
		if !strings.HasPrefix(socket, filepath.Join(s.Root, "var", "here")+".") {
			t.Errorf("WSGISocketPrefix does not act: %s", socket)
		}
	}
}

func TestUnknownLocaleIsLoggedAndIgnored(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Daemon: "processes=1 locale=xx_YY.nonsense", Conf: daemonApp})
	s.WaitLog(t, "WSGI0079.*xx_YY.nonsense")
	if r := s.Get(t, "/pid"); r.Status != 200 {
		t.Error(r)
	}
}

func TestHeaderLinesOfAnAnswerAreLimited(t *testing.T) {
	script := `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Long", "x" * int(environ["QUERY_STRING"]))])
    return [b"short"]
`
	s := apachetest.Start(t, apachetest.Config{Daemon: "processes=1 header-buffer-size=8192", Conf: "WSGIScriptAlias / {{.Root}}/long.wsgi\n", Files: map[string]string{"long.wsgi": script}})
	if r := s.Get(t, "/?8100"); r.Status != 200 || len(r.Get("X-Long")) != 8100 {
		t.Errorf("a header that fits: %d, %d bytes", r.Status, len(r.Get("X-Long")))
	}
	mark := s.Mark()
	if r := s.Get(t, "/?9000"); r.Status != 500 {
		t.Errorf("a header that is too long: %d", r.Status)
	}
	mark.Wait(t, "WSGI0144")
	if r := s.Get(t, "/?10"); r.Status != 200 {
		t.Error(r)
	}
}

// python-home of a group, and that of the server for a group without.
func TestAGroupHasItsOwnPythonHome(t *testing.T) {
	for name, c := range map[string]struct{ options, conf string }{
		"of the group":  {"processes=1 python-home={{.Root}}/home", "\n"},
		"of the server": {"processes=1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newHomeServer(t, apachetest.Config{Daemon: c.options, Conf: c.conf})
			makeVenv(t, s, "--without-pip")
			s.Start(t)
			home := s.Root + "/home"
			expectBody(t, s, "/", home+"|/usr|"+home+"/bin/python")
			expectBody(t, s, "/?installed", "site-packages")
		})
	}
}

func TestAGroupWhoseHomeIsWrongAnswers500AndSaysWhy(t *testing.T) {
	s := newHomeServer(t, apachetest.Config{Daemon: "processes=1 python-home={{.Root}}/home", Conf: "WSGIRestrictEmbedded On\n"})
	folder("home")(t, s, "")
	s.Start(t)
	s.WaitLog(t, "wsgi:crit.*WSGI0028.*"+s.Root+"/home.*the folder is empty")
	for range 2 {
		if r := s.Get(t, "/"); r.Status != 500 {
			t.Errorf("status %d", r.Status)
		}
	}
}

func TestScriptsThatAreImportedFirstAreReadyForTheFirstRequest(t *testing.T) {
	script := `import os, threading, time
main = threading.current_thread() is threading.main_thread()
time.sleep(0.5)

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%s %s" % (str(main).encode(), os.environ.get("FROM_IMPORT", "nothing").encode())]
`
	s := apachetest.Start(t, apachetest.Config{Daemon: "processes=2 threads=2", Files: map[string]string{"slow.wsgi": script, "import.wsgi": "import os\nos.environ['FROM_IMPORT'] = 'imported'\n"}, Conf: `
WSGIImportScript {{.Root}}/import.wsgi process-group=test application-group=%{GLOBAL}
WSGIScriptAlias / {{.Root}}/slow.wsgi process-group=test application-group=%{GLOBAL}
`})
	for range 6 {
		expectBody(t, s, "/", "True imported")
	}
}
