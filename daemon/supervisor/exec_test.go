package supervisor

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
)

func TestAProcessGetsExactlyItsDescriptors(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a processes=2 display-name=%{GROUP}", "WSGIDaemonProcess b threads=0")
	for serial := 1; serial <= 2; serial++ {
		w := a.witness(0, serial)
		want := []string{"/dev/null", "/dev/null", a.folder + "/error.log", "socket:[", "/memfd:board", "socket:[", "/memfd:mod_wsgi recording"}
		for fd, link := range w.Descriptors {
			switch {
			case fd < len(want) && !strings.HasPrefix(link, want[fd]):
				t.Errorf("descriptor %d is %q, want %q", fd, link, want[fd])
			case fd >= len(want) && link != "":
				t.Errorf("descriptor %d is open: %q", fd, link)
			}
		}
		if w.Inherited&unix.O_NONBLOCK == 0 {
			t.Error("the listener is blocking")
		}
		if !slices.Equal(w.Arguments, []string{"(wsgi:a)"}) || w.Variable != "serve" {
			t.Errorf("arguments %q, variable %q", w.Arguments, w.Variable)
		}
		if want := (daemon.Assignment{Group: 0, Slot: serial - 1, Serial: uint32(serial)}); w.Assignment != want {
			t.Errorf("it is %+v, want %+v", w.Assignment, want)
		}
	}
	w := a.witness(1, 1)
	if own := filepath.Base(os.Args[0]); len(w.Name) < 10 || !strings.HasPrefix(own, w.Name) {
		t.Errorf("its name is %q, want the beginning of %q", w.Name, own)
	}
	if w.Descriptors[daemon.ListenerFD] != "/dev/null" || !slices.Equal(w.Arguments, []string{"mod_wsgi-daemon", "serve", "b"}) {
		t.Errorf("a service process: listener %q, arguments %q", w.Descriptors[daemon.ListenerFD], w.Arguments)
	}
	if w.Assignment.Slot != 6 {
		t.Errorf("its slot is %d, want the first after the 2*2+2 of the other group", w.Assignment.Slot)
	}
	a.control.Close()
	a.users.Close()
	a.waitOver()
}

func TestSocketsAreForTheirOwner(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a processes=2", "WSGIDaemonProcess b send-buffer-size=4096 receive-buffer-size=4096")
	for _, name := range []string{"1.1", "1.2", "2.1"} {
		path := fmt.Sprintf("%s/wsgi.%d.3.%s.sock", a.folder, os.Getpid(), name)
		var about unix.Stat_t
		if err := unix.Lstat(path, &about); err != nil {
			t.Fatal(err)
		}
		if about.Mode != unix.S_IFSOCK|0o600 || int(about.Uid) != os.Getuid() {
			t.Errorf("%s: mode %o, owner %d", path, about.Mode, about.Uid)
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			t.Errorf("connect to %s: %v", path, err)
		}
		unix.Close(fd)
	}
	a.control.Close()
	a.users.Close()
	a.waitOver()
}

func TestRootGivesSocketsToApachesUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("not root: only root can give files away, TestSocketsAreForTheirOwner looks at the rest")
		return
	}
	a := begin(t, map[string]string{"uid": "4711"}, "WSGIDaemonProcess a", "WSGIDaemonProcess b socket-user=daemon")
	for group, uid := range map[int]uint32{1: 4711, 2: 1} {
		var about unix.Stat_t
		path := fmt.Sprintf("%s/wsgi.%d.3.%d.1.sock", a.folder, os.Getpid(), group)
		if err := unix.Lstat(path, &about); err != nil || about.Uid != uid || about.Mode != unix.S_IFSOCK|0o600 {
			t.Errorf("%s: %v, mode %o, owner %d, want %d", path, err, about.Mode, about.Uid, uid)
		}
	}
	a.control.Close()
	a.users.Close()
	a.waitOver()
}

func TestRealProcessesAreReplaced(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a", "WSGIDaemonProcess b", "WSGIDaemonProcess c", "WSGIDaemonProcess d")
	first := a.witness(0, 1)
	a.waitLog("wsgi:info", fmt.Sprintf("process %d of group 'a' is ready", first.Pid))
	a.signal(first.Pid, unix.SIGUSR1)
	second := a.witness(0, 2)
	a.waitLog("wsgi:info", fmt.Sprintf("process %d of group 'a' ended with exit status 0 (graceful_signal)", first.Pid))
	a.signal(second.Pid, unix.SIGTERM)
	a.waitLog("wsgi:info", fmt.Sprintf("process %d of group 'a' ended with exit status 0 (shutdown_signal)", second.Pid))
	crashes := []struct {
		signal syscall.Signal
		text   string
	}{{unix.SIGKILL, "was killed by SIGKILL"}, {unix.SIGUSR2, "ended with exit status 7"}, {unix.SIGABRT, "ended with exit status 2"}} // Go's way
	for i, c := range crashes {
		a.signal(a.witness(i+1, 1).Pid, c.signal)
	}
	for i, c := range crashes {
		a.waitLog("wsgi:error", "WSGI0303", fmt.Sprintf("process %d of group '%c' %s", a.witness(i+1, 1).Pid, 'b'+i, c.text))
		a.witness(i+1, 2)
	}
	a.witness(0, 3)
	a.control.Close()
	a.users.Close()
	a.waitOver()
}

func (a *apache) signal(pid int, s syscall.Signal) {
	a.t.Helper()
	if err := unix.Kill(pid, s); err != nil {
		a.t.Fatal(err)
	}
}

func TestEverythingEndsWithTheUsersWhileTheParentLives(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a processes=3")
	for serial := 1; serial <= 3; serial++ {
		a.witness(0, serial)
	}
	a.control.Close() // a graceful restart: the old children still need their processes
	a.wait("looks at the parent", func() bool { return a.looks.Load() > 3 })
	for _, pid := range a.pids() {
		if !alive(pid) {
			t.Errorf("process %d has ended while it is in use", pid)
		}
	}
	a.users.Close()
	a.waitOver()
}

func TestEverythingEndsWithTheParent(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a")
	a.witness(0, 1)
	a.control.Close()
	a.users.Close()
	a.waitOver()
	a.parent = false
	a.run()
	a.witness(0, 2)
	a.control.Close() // children still hold the pipe: they see for themselves
	a.waitOver()
	a.users.Close()
}

func TestEverythingEndsOnASignal(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a processes=2")
	a.witness(0, 2)
	a.signals <- unix.SIGTERM
	a.waitOver()
}

func TestAProcessThatDoesNotEndIsKilled(t *testing.T) {
	t.Setenv(behaveVariable, "deaf")
	a := begin(t, nil, "WSGIDaemonProcess a shutdown-timeout=1")
	w := a.witness(0, 1)
	a.control.Close()
	a.users.Close()
	a.waitOver()
	a.waitLog("wsgi:error", "WSGI0304", fmt.Sprint(w.Pid))
	a.waitLog("wsgi:info", fmt.Sprintf("process %d of group 'a' was killed by SIGKILL", w.Pid))
}

func TestNothingIsLeftOpen(t *testing.T) {
	round := func() {
		a := begin(t, nil, "WSGIDaemonProcess a processes=2")
		for serial := 1; serial <= 2; serial++ {
			a.signal(a.witness(0, serial).Pid, unix.SIGUSR1)
		}
		a.witness(0, 4)
		a.control.Close()
		a.users.Close()
		a.waitOver()
		unix.Close(a.board)
	}
	round() // what Go opens once
	before := openDescriptors(t)
	for range 3 {
		round()
	}
	// the goroutines that read the ends close their descriptors a moment later
	waitFor(t, "return to the number of descriptors of before", func() bool { return openDescriptors(t) <= before })
}

func TestAProgramThatWasReplacedIsStillTheOne(t *testing.T) {
	folder := t.TempDir()
	program, link := filepath.Join(folder, "program"), filepath.Join(folder, "link")
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	if got := byName(link); got != program {
		t.Errorf("got %q, want %q", got, program)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	if got := byName(link); got != link {
		t.Errorf("after its removal got %q, want %q", got, link)
	}
}

func TestASupervisorThatFollowsADeadOneCountsOn(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a processes=2")
	a.signal(a.witness(0, 1).Pid, unix.SIGUSR1)
	a.witness(0, 3)
	a.control.Close()
	a.users.Close()
	a.waitOver()
	a.run()
	a.witness(0, 4)
	a.witness(0, 5)
	a.control.Close()
	a.users.Close()
	a.waitOver()
}

func TestGroupsThatCanNotBeStartedDoNotHinderOthers(t *testing.T) {
	folder := shortFolder(t)
	long := filepath.Join(folder, strings.Repeat("x", 100))
	for name, c := range map[string]struct {
		prefix string
		code   string
	}{"long path": {long, "WSGI0064"}, "missing folder": {filepath.Join(folder, "missing", "wsgi"), "WSGI0013"}} {
		t.Run(name, func(t *testing.T) {
			a := begin(t, nil, "WSGISocketPrefix "+c.prefix, "WSGIDaemonProcess a", "WSGIDaemonProcess b threads=0")
			a.waitLog("wsgi:alert", c.code, "'a'")
			a.waitLog("wsgi:alert", "'a' is not started")
			a.witness(1, 1) // needs no socket
			a.control.Close()
			a.users.Close()
			a.waitOver()
		})
	}
	t.Run("unknown socket-user", func(t *testing.T) {
		a := begin(t, map[string]string{"euid": "0"}, "WSGIDaemonProcess a socket-user=nosuchuser", "WSGIDaemonProcess b threads=0")
		a.waitLog("wsgi:alert", "WSGI0015", "'a'", "nosuchuser")
		a.witness(1, 1)
		a.control.Close()
		a.users.Close()
		a.waitOver()
	})
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a")
	path := fmt.Sprintf("%s/wsgi.%d.3.1.2.sock", a.folder, os.Getpid())
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.signal(a.witness(0, 1).Pid, unix.SIGUSR1)
	a.witness(0, 2)
	a.waitLog("wsgi:warn", "WSGI0065", path)
	a.control.Close()
	a.users.Close()
	a.waitOver()
}

func TestASocketOfAnotherIsNotRemoved(t *testing.T) {
	a := begin(t, nil, "WSGIDaemonProcess a")
	path := fmt.Sprintf("%s/wsgi.%d.3.1.1.sock", a.folder, os.Getpid())
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.witness(0, 1)
	a.signals <- unix.SIGTERM
	if err := <-a.over; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestAVirtualHostsGroupLogsThere(t *testing.T) {
	other, err := os.OpenFile(filepath.Join(t.TempDir(), "b.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	a := begin(t, map[string]string{"server.1.log_fd": fmt.Sprint(other.Fd()), "error_log_format": `"%v|%l|%M"`, "server.0.log_level": "4"},
		"WSGIDaemonProcess a", "WSGIDaemonProcess @b b")
	if got := a.witness(1, 1).Descriptors[2]; got != other.Name() {
		t.Errorf("its descriptor 2 is %q, want %q", got, other.Name())
	}
	if got := a.witness(0, 1).Descriptors[2]; got != filepath.Join(a.folder, "error.log") {
		t.Errorf("the other group's descriptor 2 is %q", got)
	}
	a.control.Close()
	a.users.Close()
	a.waitOver()
	text, err := os.ReadFile(other.Name())
	if err != nil || !strings.HasPrefix(string(text), "b.example|info|daemon process ") {
		t.Errorf("its log: %q, %v", text, err)
	}
	if a.log() != "" {
		t.Errorf("the main log, with LogLevel warn: %q", a.log())
	}
}

func TestARecordingThatDoesNotComeEndsTheSupervisor(t *testing.T) {
	for name, input := range map[string][]byte{"nothing": nil, "half a length": {1, 0}, "half a recording": {100, 0, 0, 0, 1}, "garbage": {3, 0, 0, 0, 1, 2, 3},
		"a length that is a lie": {255, 255, 255, 255, 1}} {
		t.Run(name, func(t *testing.T) {
			control := struct {
				io.Reader
				io.Writer
			}{strings.NewReader(string(input)), io.Discard}
			err := Run(Surroundings{Control: control, Users: strings.NewReader(""), Board: memfd(t), Errors: os.Stderr, Program: Program,
				Parent: func() bool { return false }})
			if err == nil {
				t.Error("it ended well")
			}
		})
	}
}

// A dead supervisor takes its processes along, because none of them holds another's control socket.
func TestProcessesSeeTheDeathOfTheirSupervisor(t *testing.T) {
	folder := shortFolder(t)
	parent, supervisor, a := startParent(t, folder)
	defer parent.Wait()
	defer parent.Process.Kill()
	if err := unix.Kill(supervisor, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "end of the processes", func() bool { return !slices.ContainsFunc(a.pids(), alive) })
}

// So does Apache's parent, whatever signal ends it.
func TestASupervisorSeesTheDeathOfApachesParent(t *testing.T) {
	folder := shortFolder(t)
	parent, supervisor, a := startParent(t, folder)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitFor(t, "end of the processes", func() bool { return !slices.ContainsFunc(a.pids(), alive) })
	waitFor(t, "end of the supervisor", func() bool { return !running(supervisor) })
	if left, _ := filepath.Glob(filepath.Join(folder, "*.sock")); len(left) > 0 {
		t.Errorf("sockets are left: %q", left)
	}
}
