package supervisor

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
)

// Variables of the environment tell this program, started as a process of a test, what to do.
const (
	roleVariable   = "SUPERVISOR_TEST_ROLE"   // empty: the tests; what a daemon process is, says daemon.StartVariable
	behaveVariable = "SUPERVISOR_TEST_BEHAVE" // of a daemon process: "deaf" ignores orders
	folderVariable = "SUPERVISOR_TEST_FOLDER" // where daemon processes write down what they see
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(daemon.StartVariable) != "":
		os.Exit(serve())
	case os.Getenv(roleVariable) == "supervise":
		os.Exit(supervise())
	case os.Getenv(roleVariable) == "parent":
		os.Exit(beParent())
	}
	os.Exit(m.Run())
}

// A witness is what a daemon process saw when it began.
type witness struct {
	Assignment  daemon.Assignment
	Pid         int
	Arguments   []string
	Descriptors []string // what each is, by number
	Inherited   int      // flags of the listener
	Variable    string
	Name        string // as tools show it
}

// serve plays a daemon process. SIGUSR1 makes it due, SIGUSR2 end by itself with status 7; SIGTERM ends it with a notice.
func serve() int {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM)
	w := witness{Pid: os.Getpid(), Arguments: os.Args, Variable: os.Getenv(daemon.StartVariable)}
	if comm, err := os.ReadFile("/proc/self/comm"); err == nil {
		w.Name = strings.TrimSpace(string(comm))
	}
	w.Inherited, _ = unix.FcntlInt(daemon.ListenerFD, unix.F_GETFL, 0)
	w.Descriptors = descriptorsOf(10) // before anything is opened
	control := os.NewFile(daemon.ControlFD, "control")
	packet := make([]byte, daemon.MaxMessage)
	n, err := control.Read(packet)
	if err != nil {
		return 3
	}
	if w.Assignment, err = daemon.DecodeMessage[daemon.Assignment](packet[:n]); err != nil {
		return 4
	}
	if err := w.write(); err != nil {
		return 5
	}
	say(control, daemon.Ready, "")
	ended := make(chan string, 1)
	go func() {
		for {
			n, err := control.Read(packet)
			if err != nil || n == 0 {
				ended <- ""
				return
			}
			if order, err := daemon.DecodeMessage[daemon.Order](packet[:n]); err == nil && os.Getenv(behaveVariable) != "deaf" {
				ended <- order.Reason
			}
		}
	}()
	overdue := time.After(time.Minute) // a test that failed leaves nothing for long
	for {
		select {
		case <-overdue:
			return 9
		case reason := <-ended:
			say(control, daemon.Ending, reason)
			return 0
		case s := <-signals:
			switch s {
			case unix.SIGUSR1:
				say(control, daemon.Due, "graceful_signal")
			case unix.SIGUSR2:
				return 7
			default:
				say(control, daemon.Ending, "shutdown_signal")
				return 0
			}
		}
	}
}

func say(control io.Writer, kind daemon.NoticeKind, reason string) {
	packet, _ := daemon.EncodeMessage(daemon.Notice{Kind: kind, Reason: reason})
	_, _ = control.Write(packet)
}

// descriptorsOf says what is behind the first descriptors of this process: a link of /proc/self/fd, or "" if it is closed. Those of Go's own
// runtime are left out.
func descriptorsOf(n int) []string {
	list := make([]string, n)
	for fd := range list {
		link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		own := strings.HasPrefix(link, "/sys/fs/cgroup/") || link == "anon_inode:[eventpoll]" || link == "anon_inode:[eventfd]"
		if err == nil && !own {
			list[fd] = link
		}
	}
	return list
}

func (w *witness) write() error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	name := filepath.Join(os.Getenv(folderVariable), fmt.Sprintf("%d-%d", w.Assignment.Group, w.Assignment.Serial))
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// supervise plays `mod_wsgi-daemon supervise`, with its descriptors.
func supervise() int {
	const board, users = 3, 4
	unix.CloseOnExec(0)
	unix.CloseOnExec(board)
	unix.CloseOnExec(users)
	parent := os.Getppid()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	err := Run(Surroundings{Control: os.NewFile(0, "control"), Users: os.NewFile(users, "users"), Board: board, Errors: os.Stderr,
		Program: Program, Parent: func() bool { return os.Getppid() == parent }, Signals: stop})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// beParent plays Apache's parent: it starts a supervisor with its own control socket and users pipe, and waits. Its descriptor 3 is the
// board, 4 the recording; it prints the supervisor's pid.
func beParent() int {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 1
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return 1
	}
	recording, err := io.ReadAll(os.NewFile(4, "recording"))
	if err != nil {
		return 1
	}
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), roleVariable+"=supervise")
	command.Stdin, command.Stderr = os.NewFile(uintptr(ends[1]), "control"), os.Stderr
	command.ExtraFiles = []*os.File{os.NewFile(3, "board"), reader}
	if err := command.Start(); err != nil {
		return 1
	}
	fmt.Println(strconv.Itoa(command.Process.Pid))
	control := os.NewFile(uintptr(ends[0]), "control")
	if err := send(control, recording); err != nil {
		return 1
	}
	time.Sleep(time.Minute) // it is killed long before
	_ = writer.Close()
	return 1
}
