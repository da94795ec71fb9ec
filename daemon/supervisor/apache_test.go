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
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
