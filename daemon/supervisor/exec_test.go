package supervisor

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/directives"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// An apache plays Apache's parent for a supervisor whose daemon processes are this program again.
type apache struct {
	t         *testing.T
	folder    string // of sockets, logs and what the processes saw
	recording []byte
	board     int
	control   *os.File
	users     *os.File
	parent    bool         // whether Run is told that the parent lives
	looks     atomic.Int32 // how often it has asked
	signals   chan os.Signal
	over      chan error
}

// configuration is a recording with one directive for each line, in the main server, and facts.
func configuration(folder string, facts map[string]string, lines ...string) []byte {
	all := map[string]string{"server_root": folder, "runtime_dir": folder, "euid": fmt.Sprint(os.Geteuid()), "uid": fmt.Sprint(os.Getuid()),
		"parent_pid": fmt.Sprint(os.Getpid()), "generation": "3", "threaded": "1", "server.0.log_level": "7", "server.1.log_level": "7"}
	for name, value := range facts {
		all[name] = value
	}
	r := directives.Recording{Facts: all, Servers: []directives.Server{{Name: "main.example"}, {Name: "b.example", Virtual: true}}}
	for i, line := range lines {
		name, arguments, _ := strings.Cut(line, " ")
		server := 0
		if rest, found := strings.CutPrefix(arguments, "@b "); found {
			server, arguments = 1, rest
		}
		context := directives.Context(0)
		if server == 1 {
			context = directives.InVirtualHost
		}
		r.Records = append(r.Records, directives.Record{Server: server, Directive: directives.Find(name), Context: context, Args: arguments, File: "httpd.conf", Line: i + 1})
	}
	return r.Encode()
}

func send(control io.Writer, recording []byte) error {
	_, err := control.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(recording))), recording...))
	return err
}

func memfd(t *testing.T) int {
	t.Helper()
	fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// shortFolder is a folder whose name leaves room for sockets.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "sup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// begin runs a supervisor and waits for its answer.
func begin(t *testing.T, facts map[string]string, lines ...string) *apache {
	t.Helper()
	a := &apache{t: t, folder: shortFolder(t), board: memfd(t), parent: true, signals: make(chan os.Signal, 1), over: make(chan error, 1)}
	t.Setenv(folderVariable, a.folder)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or each of its processes takes a second to end
	a.recording = configuration(a.folder, facts, lines...)
	a.run()
	t.Cleanup(func() {
		a.control.Close()
		a.users.Close()
		if !t.Failed() {
			return
		}
		t.Logf("the log:\n%s", a.log())
	})
	return a
}

func (a *apache) run() {
	a.t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		a.t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(ends[1]), "their control")
	a.control = os.NewFile(uintptr(ends[0]), "control")
	reader, writer, err := os.Pipe()
	if err != nil {
		a.t.Fatal(err)
	}
	a.users = writer
	errors, err := os.OpenFile(filepath.Join(a.folder, "error.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	parent := func() bool {
		a.looks.Add(1)
		return a.parent
	}
	go func() {
		defer theirs.Close()
		defer reader.Close()
		defer errors.Close()
		a.over <- Run(Surroundings{Control: theirs, Users: reader, Board: a.board, Errors: errors, Program: Program,
			Parent: parent, Signals: a.signals})
	}()
	if err := send(a.control, a.recording); err != nil {
		a.t.Fatal(err)
	}
	answer := make([]byte, 10)
	if n, err := a.control.Read(answer); err != nil || n != 1 {
		a.t.Fatalf("the answer has %d bytes, %v", n, err)
	}
}

func (a *apache) log() string {
	text, err := os.ReadFile(filepath.Join(a.folder, "error.log"))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

func (a *apache) waitLog(parts ...string) {
	a.t.Helper()
	a.wait(fmt.Sprintf("a line of the log with %q", parts), func() bool {
		for line := range strings.Lines(a.log()) {
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
				return true
			}
		}
		return false
	})
}

func (a *apache) wait(what string, done func() bool) {
	a.t.Helper()
	waitFor(a.t, what, done)
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}

// witness waits until a process has said what it saw.
func (a *apache) witness(group, serial int) witness {
	a.t.Helper()
	var w witness
	a.wait(fmt.Sprintf("process %d of group %d", serial, group), func() bool {
		text, err := os.ReadFile(filepath.Join(a.folder, fmt.Sprintf("%d-%d", group, serial)))
		return err == nil && json.Unmarshal(text, &w) == nil
	})
	return w
}

// waitOver waits until the supervisor has ended, and looks whether it left something behind.
func (a *apache) waitOver() {
	a.t.Helper()
	select {
	case err := <-a.over:
		if err != nil {
			a.t.Errorf("the supervisor ended with %v", err)
		}
	case <-time.After(patience):
		a.t.Fatalf("the supervisor has not ended\n%s", a.log())
	}
	if left, _ := filepath.Glob(filepath.Join(a.folder, "*.sock")); len(left) > 0 {
		a.t.Errorf("sockets are left: %q", left)
	}
	for _, pid := range a.pids() {
		if alive(pid) {
			a.t.Errorf("process %d is left", pid)
		}
	}
}

// pids are all processes that have ever begun.
func (a *apache) pids() []int {
	names, _ := filepath.Glob(filepath.Join(a.folder, "[0-9]*-*[0-9]"))
	var pids []int
	for _, name := range names {
		var w witness
		if text, err := os.ReadFile(name); err == nil && json.Unmarshal(text, &w) == nil {
			pids = append(pids, w.Pid)
		}
	}
	return pids
}

func alive(pid int) bool { return unix.Kill(pid, 0) == nil }

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

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

// running tells whether a process is there that has not ended: nobody may be left to reap it.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(after, "Z")
}

// startParent starts a process that starts a supervisor, with three daemon processes.
func startParent(t *testing.T, folder string) (parent *exec.Cmd, supervisor int, a *apache) {
	t.Helper()
	recording := filepath.Join(folder, "recording")
	if err := os.WriteFile(recording, configuration(folder, nil, "WSGIDaemonProcess a processes=3"), 0o600); err != nil {
		t.Fatal(err)
	}
	input, err := os.Open(recording)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	board, err := unix.Dup(memfd(t))
	if err != nil {
		t.Fatal(err)
	}
	boardFile := os.NewFile(uintptr(board), "board")
	defer boardFile.Close()
	log, err := os.OpenFile(filepath.Join(folder, "error.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	parent = exec.Command("/proc/self/exe")
	parent.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", roleVariable+"=parent", folderVariable+"="+folder)
	parent.ExtraFiles, parent.Stderr = []*os.File{boardFile, input}, log
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscan(output, &supervisor); err != nil {
		t.Fatal(err)
	}
	a = &apache{t: t, folder: folder}
	for serial := 1; serial <= 3; serial++ {
		a.witness(0, serial)
	}
	return parent, supervisor, a
}
